-- expect: error: read-only
table.insert(_ENV, function() end)
