-- expect: error: read-only
p.list[1] = "owned"
