-- expect: error: limit of 1000000 elements
table.concat({}, "", 1, math.maxinteger)
