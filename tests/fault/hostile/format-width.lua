-- expect: error: invalid conversion
local s = ("%9999999d"):format(1)
