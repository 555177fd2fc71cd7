-- expect: error: a metatable cannot have __close
for i = 1, 100000 do
  local x <close> = setmetatable({}, { __close = function() end })
end
