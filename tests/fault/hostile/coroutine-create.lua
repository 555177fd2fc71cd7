-- expect: error: unknown name 'coroutine'
coroutine.wrap(function() end)()
