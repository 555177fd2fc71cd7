-- expect: does not load
local f = function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return function() return function() return function() return function() return function() return
function() return 1 end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end end
end end end end end end end end end end end end end end end end end end end end end end end end end end
