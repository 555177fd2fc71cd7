-- expect: error: global 'x' is not allowed
_ENV.x = 1
