-- expect: exit 88
local s = "x"
while true do s = s .. s end
