-- expect: exit 88
local s = string.pack("c2147483647", "")
