-- expect: error: read-only
table.sort(p.list)
