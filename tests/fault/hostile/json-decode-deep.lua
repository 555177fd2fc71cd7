-- expect: error: nothing
local value, why = json.decode(("["):rep(100000))
error(value == nil and why and "nothing" or "something")
