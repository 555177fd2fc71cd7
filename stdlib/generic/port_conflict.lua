-- A service that does not get its port (G2): who has it, is it an old copy of ourselves, stop it or move. options: why = {
-- look, stop, move }: what the manual does there, and why this does it otherwise. The system's profile declares keeper,
-- config, port_key, error_log.
return function(o)
  options(o, { why = "table!" })
  local why = o.why

  param "keeper"
  param "config"
  param "port_key"
  param "error_log"
  param "alt_ports" { type = "list(int)", default = { 8081, 8082, 8083 }, title = { zh = "备用端口", en = "ports to move to" } }

  -- The line "port: 8080" of the configuration; nil unless there is exactly one.
  local function port_line(p)
    local lines = text.matches(file.read(p.config) or "", "(?m)^[ \\t]*" .. p.port_key .. "[ \\t]*:[ \\t]*(\\d+)[ \\t]*(?:#.*)?$")
    return #lines == 1 and tonumber(lines[1][1]) or nil
  end
  local function ancestors(pid)
    local set = {}
    while pid and pid > 1 and not set[pid] do
      set[pid] = true
      local one = system.processes { pid = pid }[1]
      pid = one and one.ppid
    end
    return set
  end
  local function served(p)
    local kept, port = keeper.state(p.keeper), port_line(p)
    local one = port and net.listener(port)
    for _, process in ipairs(one and one.processes or {}) do
      if kept.pid and ancestors(process.pid)[kept.pid] then return true end
    end
    return false, { zh = "端口还不在服务手里", en = "the service does not have the port yet" }
  end

  finding "taken-by-copy" {
    key = { "pid" }, title = { zh = "端口 {port} 被自己的旧进程 {pid} 占着", en = "port {port} is held by {pid}, an old process of this same service" },
    verify = served, within = "30s",
  }
  finding "taken" {
    key = { "name", "pid" }, title = { zh = "端口 {port} 被 {name}（{pid}，用户 {user}）占着：{command}",
                                       en = "port {port} is held by {name} ({pid}, user {user}): {command}" },
    verify = served, within = "30s",
  }
  finding "privileged" {
    title  = { zh = "端口 {port} 小于 1024，服务用户没有权限", en = "port {port} is below 1024, which the service's user may not use" },
    advice = { zh = "改用 1024 以上的端口，前面放 nginx；不要用 root 运行服务", en = "use a port above 1024 behind nginx; do not run the service as root" },
    verify = served, within = "30s",
  }
  finding "time-wait" {
    severity = "P3", title = { zh = "没人监听 {port}，但有 {n} 个连接还在 TIME_WAIT", en = "nobody listens on {port}, but {n} connections of it wait in TIME_WAIT" },
    advice = { zh = "等 60 秒再启动；程序应当用 SO_REUSEADDR", en = "wait 60 seconds and start it; the program should use SO_REUSEADDR" },
  }

  check "config" {
    title = { zh = "配置里的端口", en = "the configured port" },
    run = function(p)
      local port = port_line(p) or fail { zh = "{config} 里没有唯一的 {port_key}", en = "there is not exactly one {port_key} in {config}" }
      ok("{port}", { port = port })
      return { port = port }
    end,
  }
  check "service" {
    title = { zh = "服务在运行吗", en = "does the service run" },
    run = function(p)
      local kept = keeper.state(p.keeper)
      ok("{state}（{detail}）", kept)
      return kept
    end,
  }
  -- An old copy of the service was started with the same configuration.
  local function is_copy(p, process) return process.command:find(p.config, 1, true) ~= nil end
  check "listener" {
    title = { zh = "谁占着端口", en = "who has the port" }, why = why.look,
    run = function(p, r)
      local port, one = r.config.port, net.listener(r.config.port)
      if not one then return ok { zh = "没人占", en = "nobody" } end
      if #one.processes == 0 then fail { zh = "有人占着，但看不到是谁：用 root 再查一次", en = "somebody has it who cannot be seen: look again as root" } end
      for _, process in ipairs(one.processes) do
        if r.service.pid and ancestors(process.pid)[r.service.pid] then return ok { zh = "服务自己", en = "the service itself" } end
      end
      local process = system.processes { pid = one.processes[1].pid }[1] or fail { zh = "它刚刚结束", en = "it has just ended" }
      found(is_copy(p, process) and "taken-by-copy" or "taken", {
        port = port, pid = process.pid, started = process.started, name = process.name, user = process.user, command = text.cut(process.command, 80),
      })
    end,
  }
  check "start" {
    title = { zh = "起不来的其他原因", en = "other reasons why it does not start" },
    run = function(p, r)
      if r.service.state == "running" or #findings "taken" + #findings "taken-by-copy" > 0 then return end
      local port = r.config.port
      if port < 1024 and keeper.logs(p.keeper, p.error_log):find("Permission denied", 1, true) then found("privileged", { port = port }) return end
      local waits = text.grep(file.read "/proc/net/tcp", (":%04X [0-9A-F]+:[0-9A-F]+ 06 "):format(port))
      if #waits > 0 then found("time-wait", { port = port, n = #waits }) end
    end,
  }

  fix "stop-copy" {
    when = "taken-by-copy", risk = "high", within = "30s", why = why.stop,
    no_undo = { zh = "它是守护程序不再管的旧进程", en = "it is an old process that its keeper has lost" },
    title = { zh = "停掉旧进程 {pid}，再启动服务", en = "stop the old process {pid}, then start the service" },
    run   = function(p, f)
      system.stop(f.pid, { started = f.started, grace = "10s" })
      keeper.restart(p.keeper)
    end,
  }
  fix "move" {
    when = { "taken", "privileged" }, risk = "medium", within = "30s", why = why.move,
    title   = { zh = "服务改用备用端口，再重启", en = "move the service to a spare port, then restart it" },
    confirm = { zh = "反向代理的 upstream 和健康检查地址要跟着改", en = "the proxy's upstream and the health address have to follow" },
    run = function(p)
      local before = file.read(p.config)
      for _, port in ipairs(p.alt_ports) do
        if not net.listener(port) then
          local line = "(?m)^([ \\t]*" .. p.port_key .. "[ \\t]*:[ \\t]*)\\d+"
          local after = text.replace(before, line, function(m) return m[1] .. port end)
          local written = file.write(p.config, after)
          keep { backup = written.backup, port = port }
          keeper.restart(p.keeper)
          return { backup = written.backup, port = port }
        end
      end
      fail { zh = "备用端口都被占了", en = "all spare ports are taken" }
    end,
    undo = function(p, f, r)
      file.copy(r.move.backup, p.config, { overwrite = true })
      keeper.restart(p.keeper)
    end,
  }
  fix "stop-other" {
    when = "taken", risk = "high", key = "name", within = "30s",
    no_undo = { zh = "它不是我们的：谁需要它，谁再启动它", en = "it is not ours: whoever needs it starts it again" },
    title   = { zh = "停掉占端口的 {name}（{pid}），再启动服务", en = "stop {name} ({pid}), who has the port, then start the service" },
    confirm = { zh = "先确认它是什么：{command}", en = "make sure what it is: {command}" },
    run     = function(p, f)
      system.stop(f.pid, { started = f.started, grace = "10s" })
      keeper.restart(p.keeper)
    end,
  }
end
