-- expect: timeout
local function nothing() end
repeat nothing() until false
