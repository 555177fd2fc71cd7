-- expect: error: metatable is locked
setmetatable(string, nil)
