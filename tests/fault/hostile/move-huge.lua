-- expect: error: limit of 1000000 elements
table.move({}, 1, math.maxinteger - 1, 2)
