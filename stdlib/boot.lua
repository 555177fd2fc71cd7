-- The first file of the standard library that runs. The host's start frame is its argument.
local start = ...

require("conductor").main(start)
