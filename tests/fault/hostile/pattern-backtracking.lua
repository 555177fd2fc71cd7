-- expect: killed
local found = (("a"):rep(3000)):find(".-.-.-b")
