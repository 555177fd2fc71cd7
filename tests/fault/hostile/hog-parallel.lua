-- expect: exit 88
local function again() parallel({ 1, 2 }, again) end
again()
