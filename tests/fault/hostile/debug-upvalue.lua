-- expect: error: unknown name 'debug'
debug.setupvalue(pairs, 1, nil)
