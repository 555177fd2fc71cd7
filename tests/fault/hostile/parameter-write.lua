-- expect: error: read-only
p.db = "/etc/passwd"
