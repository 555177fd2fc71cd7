-- expect: error: 'for' step is zero
for i = math.mininteger, math.maxinteger, 0 do end
