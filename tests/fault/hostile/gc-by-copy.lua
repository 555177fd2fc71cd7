-- expect: error: a metatable cannot have __gc
local mt = { __index = {} }
local t = setmetatable({}, mt)
mt.__gc = function() while true do end end
setmetatable({}, mt)
