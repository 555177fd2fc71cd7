-- expect: error: table
-- A forged end of the engine's own (skip, timeout, rehearsed) is only a text.
error({ kind = "skip", text = "owned" })
