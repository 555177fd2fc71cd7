-- Services that clients cannot reach (G1, G24): alive, listening, in nobody's way, resolved to the right address? options:
-- services = { { name = "us", url = "us_health_url", keeper = "us_keeper" }, … }: names of parameters that the system's
-- profile or the runbook declares; why = { alive, ports, firewall, dns, restart }: what the manual does there, and why
-- this does it otherwise.
return function(o)
  options(o, { services = "table!", why = "table!" })
  local why = o.why

  param "patience" { type = "duration", default = "5s", min = "1s", max = "1m", title = { zh = "等应答多久", en = "how long to wait for an answer" } }
  param "public_host" { type = "host", default = "localhost", title = { zh = "客户端用的主机名", en = "the host name that clients use" } }
  param "expected_ips" { type = "list(string)", default = {}, title = { zh = "主机名应当解析到的地址", en = "addresses that name should have" } }
  param "hosts_file" { type = "path", default = "/etc/hosts", title = { zh = "hosts 文件", en = "the hosts file" } }
  param "allow_from" { type = "string", default = "0.0.0.0/0", pattern = "[0-9a-fA-F.:]+/[0-9]+", title = { zh = "放行哪个网段", en = "network to let in" } }

  param "ufw" { type = "list(string)", default = { "ufw" }, min = 1, title = { zh = "ufw 命令，例如 sudo -n ufw", en = "the ufw command, as sudo -n ufw" } }
  param "ufw_dir" { type = "path", default = "/etc/ufw", title = { zh = "ufw 的目录", en = "ufw's folder" } }

  local services = {}
  for _, one in ipairs(o.services) do services[one.name] = one end
  local function url_of(p, name) return p[services[name].url] end
  local function keeper_of(p, name) return p[services[name].keeper] end
  local function port_of(url) return tonumber(url:match("^%a+://[^/:]+:(%d+)")) or (url:find("^https") and 443 or 80) end

  -- Three times in a row: a service that dies again at once has not come up.
  local function up(p, f)
    for i = 1, 3 do
      local answer, err = try(http.get, url_of(p, f.name), { timeout = p.patience })
      if not answer then return false, err.message end
      if not answer.ok then return false, "HTTP " .. answer.status end
      if i < 3 then wait "500ms" end
    end
    return true
  end

  local by_name = { "name" }
  finding "down" { key = by_name, title = { zh = "{name} 没有在运行：{url}", en = "{name} is not running: {url}" }, verify = up, within = "30s" }
  finding "not-listening" {
    key = by_name, title = { zh = "{name} 在运行，但没有人监听 {port}：{url}", en = "{name} runs, but nobody listens on {port}: {url}" }, verify = up, within = "30s",
    advice = { zh = "可能还在启动，或者端口改过：看它的日志和端口配置", en = "it may still be starting, or its port was changed: look at its log and its configuration" },
  }
  finding "hung" {
    key = by_name, title = { zh = "{name} 接受连接，但 {patience} 内不应答", en = "{name} takes connections, but does not answer within {patience}" },
    verify = up, within = "30s",
  }
  finding "unhealthy" { key = by_name, title = { zh = "{name} 回 {status}", en = "{name} answers {status}" }, verify = up, within = "30s" }
  finding "port-taken" {
    key = by_name, title = { zh = "{name} 的端口 {port} 被别人占着：{command}（{pid}）", en = "port {port} of {name} is held by another program: {command} ({pid})" },
    advice = { zh = "先弄清它是什么，再按端口冲突手册处理", en = "find out what it is, then go by the runbook for port conflicts" },
  }
  finding "loopback-only" {
    key = by_name, title = { zh = "{name} 只监听 127.0.0.1:{port}，客户端用 {public_host}", en = "{name} listens on 127.0.0.1:{port} only, clients use {public_host}" },
    advice = { zh = "让它监听对外的地址，或在前面放 nginx", en = "let it listen on the outer address, or put nginx in front" },
  }
  finding "firewall" {
    key = by_name, title = { zh = "{name} 在本机正常，从 {public_host}:{port} 却连不上（{code}）",
                             en = "{name} is fine here, but {public_host}:{port} cannot be reached ({code})" },
  }
  finding "dns" {
    title  = { zh = "{public_host} 解析失败：{message}", en = "{public_host} does not resolve: {message}" },
    advice = { zh = "查解析服务器和域名注册商；重启服务没有用", en = "look at the resolver and the registrar; restarting services does not help" },
  }
  finding "dns-wrong" {
    title  = { zh = "{public_host} 解析到 {got:list}，应为 {expected_ips:list}", en = "{public_host} resolves to {got:list} instead of {expected_ips:list}" },
    advice = { zh = "改正域名记录，等 TTL 过期", en = "correct the record, and wait until its TTL is over" },
  }
  finding "hosts" {
    key = "line", title = { zh = "{hosts_file} 第 {line} 行把 {public_host} 指到 {address}", en = "{hosts_file} line {line} points {public_host} at {address}" },
  }

  check "alive" {
    title = { zh = "服务应答吗", en = "do the services answer" }, why = why.alive,
    run = function(p)
      local fine = {}
      for _, one in ipairs(o.services) do
        local url = url_of(p, one.name)
        local answer, err = try(http.get, url, { timeout = p.patience })
        local port, kept = port_of(url), keeper.state(keeper_of(p, one.name))
        if answer and answer.ok then
          fine[#fine + 1] = one.name
        elseif answer then
          found("unhealthy", { name = one.name, status = answer.status, url = url })
        else
          local silent = err.code == "refused" and kept.state == "running" and "not-listening" or "down"
          found(err.code == "timeout" and "hung" or silent, { name = one.name, url = url, port = port, pid = kept.pid })
        end
      end
      ok({ zh = "{n} 个正常", en = "{n} are fine" }, { n = #fine })
      return { fine = fine }
    end,
  }
  check "ports" {
    title = { zh = "谁在监听", en = "who listens" }, why = why.ports,
    run = function(p)
      for _, one in ipairs(o.services) do
        local port, kept = port_of(url_of(p, one.name)), keeper.state(keeper_of(p, one.name))
        local listener = net.listener(port)
        local holder = listener and listener.processes[1]
        if holder and kept.state ~= "running" then
          found("port-taken", { name = one.name, port = port, pid = holder.pid, command = text.cut(holder.command, 60) })
        elseif listener and listener.addr == "127.0.0.1" and p.public_host ~= "localhost" then
          found("loopback-only", { name = one.name, port = port })
        end
      end
    end,
  }
  check "names" {
    title = { zh = "域名", en = "the name" }, why = why.dns,
    run = function(p)
      for _, entry in ipairs(net.hosts_entries(p.public_host, p.hosts_file)) do
        if p.public_host ~= "localhost" then found("hosts", { line = entry.line, address = entry.address }) end
      end
      local seen, err = try(net.resolve, p.public_host, { timeout = p.patience })
      if not seen then found("dns", { message = err.message }) return end
      local expected = {}
      for _, address in ipairs(p.expected_ips) do expected[address] = true end
      for _, address in ipairs(seen.addresses) do
        if #p.expected_ips > 0 and not expected[address] then found("dns-wrong", { got = seen.addresses }) return end
      end
      ok("{addresses:list}", seen)
    end,
  }
  local function on_loopback(name)
    for _, one in ipairs(findings "loopback-only") do
      if one.name == name then return true end
    end
    return false
  end
  check "outside" {
    title = { zh = "从外面连得上吗", en = "can it be reached from outside" }, why = why.firewall,
    run = function(p, r)
      if p.public_host == "localhost" then skip { zh = "没有给 public_host", en = "public_host is not given" } end
      if #findings "dns" + #findings "dns-wrong" + #findings "hosts" > 0 then
        skip { zh = "域名对了再看", en = "looked at once the name is right" }
      end
      for _, name in ipairs(r.alive.fine) do
        local port = port_of(url_of(p, name))
        local open, code = net.reachable(p.public_host, port, { timeout = p.patience })
        if not open and not on_loopback(name) then found("firewall", { name = name, port = port, code = code }) end
      end
    end,
  }

  fix "restart" {
    when = { "down", "not-listening", "hung", "unhealthy" }, risk = "medium", within = "30s", why = why.restart,
    no_undo = { zh = "服务会中断几秒；它本来就不能用", en = "it is gone for some seconds, and was of no use before" },
    title = { zh = "重启 {name}", en = "restart {name}" },
    guard = function(p, f)
      for _, taken in ipairs(findings "port-taken") do
        if taken.name == f.name then return false, { zh = "端口被别人占着，重启也起不来", en = "another program has its port; it would not come up" } end
      end
      return true
    end,
    run = function(p, f) keeper.restart(keeper_of(p, f.name)) end,
    verify = up,
  }
  fix "comment-hosts" {
    when = "hosts", risk = "high", key = "public_host", title = { zh = "注释掉 {hosts_file} 第 {line} 行", en = "comment line {line} of {hosts_file} out" },
    run = function(p, f)
      local lines = text.split(file.read(p.hosts_file), "\n")
      lines[f.line] = "# " .. lines[f.line]
      return file.write(p.hosts_file, table.concat(lines, "\n"))
    end,
    undo = function(p, f, r) file.copy(r.comment_hosts.backup, p.hosts_file, { overwrite = true }) end,
  }
  fix "open-port" {
    when = "firewall", risk = "high", key = "port", title = { zh = "防火墙放行 {allow_from} 到 {port}",
                                                              en = "let {allow_from} through the firewall to {port}" }, why = why.firewall,
    guard = function(p)
      return ufw.enabled(p.ufw_dir), { zh = "挡住的不是 ufw：查 iptables 和安全组", en = "it is not ufw that blocks: look at iptables and the security group" }
    end,
    run  = function(p, f) ufw.allow(p.ufw, f.port, p.allow_from) end,
    undo = function(p, f) ufw.withdraw(p.ufw, f.port, p.allow_from) end,
  }
end
