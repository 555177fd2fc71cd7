-- expect: error: attempt to index a null value
null.x = 1
