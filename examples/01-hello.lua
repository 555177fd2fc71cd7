-- One check. It looks, says one line, and changes nothing.
runbook "01-hello" {
  title = { zh = "这台机器还好吗", en = "Is this machine all right?" },
  severity = "P4",
}

check "memory" {
  title = { zh = "内存", en = "memory" },
  run = function()
    local memory = system.memory()
    ok({ zh = "可用 {available:size}", en = "{available:size} available" }, memory)
  end,
}
