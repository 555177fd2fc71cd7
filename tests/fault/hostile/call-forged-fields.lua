-- expect: ok
-- seq, task and verb of a call are the engine's; arguments cannot replace them.
call("t.call", { seq = 99, task = "0", verb = "run.finish" })
