-- expect: error: table
assert(false, { kind = "rehearsed" })
