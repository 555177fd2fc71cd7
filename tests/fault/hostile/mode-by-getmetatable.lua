-- expect: error: read-only
local t = setmetatable({}, { __newindex = {} })
getmetatable(t).__mode = "v"
