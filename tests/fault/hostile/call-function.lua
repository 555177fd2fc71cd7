-- expect: error: a function cannot be data
call("t.call", { f = function() end })
