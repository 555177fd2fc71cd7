-- expect: error: attempt to call a nil value
local f = ("").dump(function() end)
