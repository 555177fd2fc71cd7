-- expect: error: plain lists
table.unpack(setmetatable({}, { __len = function() return 1e9 // 1 | 0 end }))
