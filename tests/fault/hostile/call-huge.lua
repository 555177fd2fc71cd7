-- expect: error: more than 8 MB
local piece = ("x"):rep(5000000)
call("t.call", { s = piece, t = piece })
