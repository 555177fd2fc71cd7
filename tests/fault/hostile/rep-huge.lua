-- expect: error: exceed the limit
local s = ("x"):rep(2 ^ 40)
