-- expect: error: metatable is locked
setmetatable(p, {})
