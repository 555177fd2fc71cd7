-- expect: timeout
while true do
  try(function() while true do end end)
end
