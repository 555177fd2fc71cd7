-- expect: error: a table that contains itself
local t = {}
t.t = t
json.encode(t)
