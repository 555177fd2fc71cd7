-- expect: exit 88
local t
while true do
  local inner = t
  t = function() return inner end
end
