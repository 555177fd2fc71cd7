-- expect: ok
local x = (1 << 64) + (1 << -64) + (math.mininteger // -1) + (math.mininteger % -1)
