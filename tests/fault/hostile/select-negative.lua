-- expect: error: index out of range
select(-5, 1)
