-- expect: timeout
local n = #setmetatable({}, { __len = function() while true do end end })
