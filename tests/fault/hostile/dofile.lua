-- expect: error: unknown name 'dofile'
dofile("/etc/passwd")
