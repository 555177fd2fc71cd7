-- expect: error: attempt to call a nil value
-- An environment that is constant once made the compiler read beyond its tables.
local _ENV <const> = {}
print(x)
