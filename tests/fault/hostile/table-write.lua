-- expect: error: read-only
table.sort = function() end
