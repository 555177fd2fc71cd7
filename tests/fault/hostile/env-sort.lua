-- expect: error: read-only
table.sort(_ENV)
