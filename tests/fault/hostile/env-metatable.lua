-- expect: error: metatable is locked
setmetatable(_ENV, { __index = function() return 1 end })
