-- expect: error: limit of 1000000 elements
table.unpack({}, 1, 1e8)
