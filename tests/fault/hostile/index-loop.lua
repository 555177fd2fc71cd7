-- expect: error: '__index' chain too long
local a, b = {}, {}
setmetatable(a, { __index = b })
setmetatable(b, { __index = a })
a, b = setmetatable({}, { __index = a }), nil
-- the copies refer to each other all the same
return a.x
