-- expect: error: unknown name 'collectgarbage'
collectgarbage("stop")
