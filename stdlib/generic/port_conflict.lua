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
  -- Every process that listens on the port, whatever the address; and whether anybody does.
  local function holders(port)
    local list, taken = {}, false
    for _, one in ipairs(net.listeners(port)) do
      if one.proto:find("tcp", 1, true) then
        table.move(one.processes, 1, #one.processes, #list + 1, list)
        taken = true
      end
    end
    return list, taken
  end
  -- A process of the service, or above it: PM2 itself holds the socket of a cluster.
  local function is_ours(kept, pid) return kept.pid ~= nil and (ancestors(pid)[kept.pid] or ancestors(kept.pid)[pid]) == true end
  -- Docker's own process holds the port that a container publishes.
  local function is_published(process) return process.name == "docker-proxy" end
  local function served(p, f)
    local kept, port = keeper.state(p.keeper), port_line(p)
    local list = port and holders(port) or {}
    local has = kept.pid == nil and kept.state == "running" and #list > 0
    for _, process in ipairs(list) do
      if is_ours(kept, process.pid) then return true end
      has = has and process.pid ~= f.pid
    end
    return has, { zh = "端口还不在服务手里", en = "the service does not have the port yet" }
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
  local function cgroup_of(process) return try(file.read, ("/proc/%d/cgroup"):format(process.pid)) or "" end
  -- An old copy of the service was started with the same configuration, or its unit still counts it as its own.
  local function is_copy(p, process)
    local _, to = process.command:find(p.config, 1, true)
    if to and not process.command:sub(to + 1, to + 1):find "[%w._/-]" then return true end
    local unit = p.keeper:match "^systemd:(.+)$"
    return unit ~= nil and cgroup_of(process):find("/" .. unit:gsub("%.service$", "") .. ".service", 1, true) ~= nil
  end
  -- Of processes that share a socket, the one that started the others.
  local function first_of(list)
    local set = {}
    for _, one in ipairs(list) do set[one.pid] = true end
    for _, one in ipairs(list) do
      local process = system.processes { pid = one.pid }[1]
      if process and not set[process.ppid] then return process end
    end
  end
  -- The unit whose main process it is: that one is stopped by systemd, or it comes back.
  local function unit_of(process)
    local unit = cgroup_of(process):match "/system%.slice/[^\n]-([^/\n]+%.service)\n"
    return unit and keeper.state("systemd:" .. unit).pid == process.pid and unit or nil
  end
  check "listener" {
    title = { zh = "谁占着端口", en = "who has the port" }, why = why.look,
    run = function(p, r)
      local port, list, taken = r.config.port, holders(r.config.port)
      if not taken then return ok { zh = "没人占", en = "nobody" } end
      if #list == 0 then fail { zh = "有人占着，但看不到是谁：用 root 再查一次", en = "somebody has it who cannot be seen: look again as root" } end
      for _, process in ipairs(list) do
        if is_ours(r.service, process.pid) then return ok { zh = "服务自己", en = "the service itself" } end
      end
      local process = first_of(list) or fail { zh = "它刚刚结束", en = "it has just ended" }
      local running, in_container = r.service.state == "running", p.keeper:find "^docker:" or p.keeper:find "^compose:"
      if running and in_container and is_published(process) then return ok { zh = "服务的容器", en = "the service's container" } end
      if running and not r.service.pid then
        if is_copy(p, process) then return ok { zh = "服务自己", en = "the service itself" } end
        fail({ zh = "服务在运行，但守护程序没说进程号：分不清 {name}（{pid}）是不是它", en = "the service runs, but its keeper names no process: {name} ({pid}) may be it" },
          process)
      end
      found(is_copy(p, process) and "taken-by-copy" or "taken", {
        port = port, pid = process.pid, started = process.started, name = process.name, user = process.user, command = text.cut(process.command, 80),
        unit = unit_of(process) or "",
      })
    end,
  }
  check "start" {
    title = { zh = "起不来的其他原因", en = "other reasons why it does not start" },
    run = function(p, r)
      if r.service.state == "running" or #findings "taken" + #findings "taken-by-copy" > 0 then return end
      local port = r.config.port
      if port < 1024 and text.match(keeper.logs(p.keeper, p.error_log), "(?i)permission denied|EACCES") then found("privileged", { port = port }) return end
      local waits = text.grep(file.read "/proc/net/tcp" .. (try(file.read, "/proc/net/tcp6") or ""), (":%04X [0-9A-F]+:[0-9A-F]+ 06 "):format(port))
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
    guard   = function(_, f)
      if f.pid == 1 then return false, { zh = "systemd 替别的服务占着：systemctl list-sockets，停那个 .socket",
                                         en = "systemd holds it for another service: see systemctl list-sockets, and stop that .socket" } end
      return not is_published(f), { zh = "是一个容器发布的：docker ps --filter publish={port}，停那个容器",
                                    en = "a container publishes it: see docker ps --filter publish={port}, and stop that container" }
    end,
    run     = function(p, f)
      if f.unit ~= "" then keeper.stop("systemd:" .. f.unit) else system.stop(f.pid, { started = f.started, grace = "10s" }) end
      keeper.restart(p.keeper)
    end,
  }
end
