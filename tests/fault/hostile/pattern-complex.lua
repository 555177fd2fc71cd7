-- expect: error: pattern too complex
local s = ("x"):rep(300000):find(("x?"):rep(300000))
