-- expect: error: attempt to index a boolean value
getmetatable(_ENV).__index = nil
