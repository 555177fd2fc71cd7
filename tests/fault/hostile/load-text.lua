-- expect: error: unknown name 'load'
load("return 1")()
