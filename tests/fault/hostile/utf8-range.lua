-- expect: error: value out of range
utf8.char(2 ^ 40 | 0)
