-- expect: error: exceed the limit
local s = (""):rep(2 ^ 40, "xy")
