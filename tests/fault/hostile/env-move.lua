-- expect: error: read-only
table.move({ 1, 2 }, 1, 2, 1, _ENV)
