-- expect: error: plain lists
table.concat(setmetatable({}, { __len = function() return 2 ^ 53 end }))
