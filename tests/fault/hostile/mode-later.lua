-- expect: error: late
-- The metatable was copied: a mode that is set afterwards reaches nothing.
local mt = { __newindex = {} }
local t = setmetatable({}, mt)
mt.__mode = "v"
for i = 1, 64 do t[i] = i end
error("late")
