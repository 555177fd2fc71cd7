-- expect: error: attempt to call a nil value
-- With an environment of one's own, strings still have their methods: the sealed ones.
local method = ("").rep
local _ENV = {}
method("x", 2)
print()
