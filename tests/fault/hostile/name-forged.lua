-- expect: error: a metatable cannot have __name
setmetatable({}, { __name = "FILE*" })
