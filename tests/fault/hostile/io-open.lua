-- expect: error: unknown name 'io'
io.open("canary", "w")
