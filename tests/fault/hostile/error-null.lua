-- expect: error: null
error(null, 0)
