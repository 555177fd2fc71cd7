-- expect: error: unknown name 'load'
load("\27Lua\x54\x00\x19\x93\r\n\x1a\n")()
