-- expect: error: read-only
-- next and pairs give the frozen members, never what is behind them.
for name, member in pairs(lib) do
  if name == "inner" then member.value = 2 end
end
