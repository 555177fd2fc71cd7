-- expect: error: %p is not available
local s = ("%p"):format({})
