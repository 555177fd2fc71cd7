-- expect: error: malformed pattern
("x"):find("%")
