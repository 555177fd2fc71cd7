-- expect: error: attempt to index a boolean value
getmetatable("").__add = function() return "owned" end
