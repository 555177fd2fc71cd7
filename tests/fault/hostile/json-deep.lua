-- expect: error: nested more than
local t = {}
for _ = 1, 10000 do t = { t } end
json.encode(t)
