-- expect: error: read-only
math.floor = nil
