-- expect: error: a list with holes
call("t.call", { list = { 1, nil, 3, nil, nil, nil, 7 } })
