-- expect: error: a metatable cannot have __metatable
setmetatable({}, { __metatable = false })
