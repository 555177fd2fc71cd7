-- expect: error: setmetatable needs a table
setmetatable(null, {})
