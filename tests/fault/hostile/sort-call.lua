-- expect: error: collect first
table.sort({ 2, 1, 3 }, function(a, b) return call("t.call", {}) end)
