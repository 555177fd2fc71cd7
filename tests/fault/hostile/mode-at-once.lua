-- expect: error: a metatable cannot have __mode
setmetatable({}, { __mode = "kv" })
