-- expect: error: collect first
("abc"):gsub(".", function(c) return call("t.call", { c = c }) end)
