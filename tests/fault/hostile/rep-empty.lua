-- expect: ok
local s = ("").rep("", 2 ^ 53)
