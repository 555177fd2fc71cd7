-- A procedure: steps in order, one of them done by a person. The first that fails or is declined ends it.
--   runbook exec 04-steps log=/tmp/app.log --yes --answer reopened.how=signal
runbook "04-steps" {
  title = { zh = "轮换一个日志", en = "Rotate one log" },
  severity = "P4",
  target = "{log}",
}

param "log" { type = "path", title = { zh = "日志文件", en = "the log file" } }

check "log" {
  title = { zh = "日志文件", en = "the log file" },
  run = function(p)
    local stat = file.stat(p.log) or fail { zh = "没有 {log}", en = "no {log}" } -- a procedure does not start after a failed check
    ok({ zh = "{size:size}", en = "{size:size}" }, stat)
    return { size = stat.size }
  end,
}

step "rotate" {
  title = { zh = "把 {log} 改名为 {log}.1", en = "rename {log} to {log}.1" },
  risk  = "medium",
  run   = function(p) file.move(p.log, p.log .. ".1") end,
  undo  = function(p) file.move(p.log .. ".1", p.log) end,
}
step "reopened" {
  title   = { zh = "让程序重新打开日志", en = "make the program reopen its log" },
  by_hand = { zh = "发 SIGHUP 或重启使用 {log} 的程序", en = "send SIGHUP to the program that writes {log}, or restart it" },
  asks    = { how = { type = "string", title = { zh = "怎么做的", en = "how was it done" }, choices = { "signal", "restart" } } },
}
step "create" {
  title  = { zh = "建一个空的 {log}", en = "create an empty {log}" },
  risk   = "low",
  run    = function(p, r)
    note({ zh = "旧日志 {size:size}，方式：{how}", en = "old log {size:size}, by {how}" }, { size = r.log.size, how = r.reopened.how })
    file.write(p.log, "")
  end,
  verify = function(p) return file.stat(p.log) ~= nil, { zh = "{log} 没有建出来", en = "{log} was not created" } end,
}
