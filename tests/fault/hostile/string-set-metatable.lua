-- expect: error: setmetatable needs a table, got string
setmetatable("", { __index = {} })
