-- expect: does not load
goto inside
local x
::inside::
x = 1
