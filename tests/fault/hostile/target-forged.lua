-- expect: error: a metatable cannot have __target
setmetatable({}, { __target = lib })
