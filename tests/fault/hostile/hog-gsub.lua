-- expect: exit 88
local s = ("x"):rep(2 ^ 20)
s = s:gsub("x", ("y"):rep(1000))
