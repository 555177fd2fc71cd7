-- expect: error: read-only
utf8.char = nil
