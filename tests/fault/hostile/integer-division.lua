-- expect: error: attempt to
local x = 1 // 0
