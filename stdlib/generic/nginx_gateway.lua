-- A page behind nginx answers 502, 503, 504 or nothing (G9): nginx itself, its configuration, the address it asks, the service
-- behind. options: why = { log, restart }: what the manual does there, and why this does it otherwise. The system's profile
-- declares backend_keeper and health_url.
return function(o)
  options(o, { why = "table!" })
  local GATEWAY = { [502] = true, [503] = true, [504] = true }

  param "backend_keeper"
  param "health_url"
  param "public_url" { type = "url", default = "http://localhost/", title = { zh = "用户访问的地址", en = "the address users open" } }
  param "nginx_keeper" { type = "string", default = "systemd:nginx", pattern = "(systemd|compose|docker|init):.+", title = { zh = "Nginx 由谁守护",
                                                                                                                             en = "who keeps nginx running" } }
  param "nginx_conf" { type = "path", default = "/etc/nginx/nginx.conf", title = { zh = "Nginx 配置", en = "nginx's configuration" } }
  param "nginx_error_log" { type = "path", default = "/var/log/nginx/error.log", title = { zh = "Nginx 错误日志", en = "nginx's error log" } }
  param "nginx_access_log" { type = "path", default = "/var/log/nginx/access.log", title = { zh = "Nginx 访问日志", en = "nginx's access log" } }
  param "conf_backups" { type = "path", default = "/var/backups/runbook/nginx", title = { zh = "改配置前的备份放在哪里",
                                                                                          en = "where configurations are kept before a change" } }
  param "tail" { type = "int", default = 100, min = 1, max = 10000, title = { zh = "看错误日志的最后几行", en = "last lines of the error log to look at" } }
  param "patience" { type = "duration", default = "5s", min = "1s", max = "1m", title = { zh = "等应答多久", en = "how long to wait for an answer" } }

  param "quiet" { type = "duration", default = "30s", max = "5m", title = { zh = "修好后多久不许再有 502、503、504",
                                                                            en = "how long no 502, 503 or 504 may come after the repair" } }

  local function conf(p) return { conf = p.nginx_conf } end
  local function look(url, p)
    local answer, err = try(http.get, url, { timeout = p.patience })
    if answer and not GATEWAY[answer.status] then return nil end
    return answer and "HTTP " .. answer.status or ("%s (%s)"):format(err.message, err.code), err and err.code
  end
  -- Ports that nginx asked for this very page, from its error log; nil when it says nothing of it. Others may be dead for years.
  local function asked(p)
    local path, ports = p.public_url:match("^%a+://[^/]+(/[^?#]*)") or "/", {}
    for _, line in ipairs(text.lines(file.stat(p.nginx_error_log) and file.tail(p.nginx_error_log, { bytes = "1MB" }) or "")) do
      local ours = line:find('request: "GET ' .. path .. " ", 1, true) or line:find('request: "GET ' .. path .. "?", 1, true)
      local port = ours and line:match('upstream: "%a+://[^"/]*:(%d+)')
      if port then ports[tonumber(port)] = line end
    end
    return next(ports) and ports
  end
  local function is_good(p)
    local good, problem = nginx.test(conf(p))
    return good, problem and { zh = "nginx -t 不通过：" .. problem.message, en = "nginx -t fails: " .. problem.message }
  end

  finding "bad-gateway" {
    title  = { zh = "{public_url} 返回 {status}", en = "{public_url} answers {status}" },
    advice = { zh = "没有找到原因：看错误日志最后几行（附件），以及 CDN、负载均衡和防火墙",
               en = "no cause in sight: see the last lines of the error log (attached), then CDN, balancer and firewall" },
    within = "30s",
    verify = function(p)
      for _ = 1, 3 do
        local bad = look(p.public_url, p)
        if bad then return false, bad end
      end
      return true
    end,
  }
  finding "config-invalid" {
    title  = { zh = "Nginx 配置有错：{message}（{file}:{line}）", en = "nginx's configuration is wrong: {message} ({file}:{line})" },
    advice = { zh = "改好 {file} 第 {line} 行，nginx -t 通过之前不要重启 Nginx", en = "correct {file}, line {line}; do not restart nginx before nginx -t passes" },
  }
  finding "nginx-down" { explains = "bad-gateway", title = { zh = "Nginx 没有在运行（{detail}）", en = "nginx is not running ({detail})" } }
  finding "backend-down" { explains = "bad-gateway", title = { zh = "后端不可用：{detail}", en = "the backend is down: {detail}" } }
  finding "backend-slow" { explains = "bad-gateway", title = { zh = "后端在运行，但 {patience} 内没有应答",
                                                               en = "the backend runs, but does not answer within {patience}" } }
  finding "upstream-wrong" {
    explains = "bad-gateway", key = { "address", "file", "line" },
    title  = { zh = "后端正常，但 Nginx 转发到了没人监听的 {address}（{file}:{line}）",
               en = "the backend is well, but nginx asks {address}, where nobody listens ({file}:{line})" },
  }
  finding "page-slow" {
    explains = "bad-gateway",
    title  = { zh = "后端健康，但这个页面它来不及回：{last}", en = "the backend is well, but is too late with this page: {last}" },
    advice = { zh = "不要只加大 proxy_read_timeout：查这个页面的慢查询和它调用的外部接口",
               en = "do not just raise proxy_read_timeout: look for slow queries behind this page, and for others that it calls" },
  }
  finding "header-too-big" {
    explains = "bad-gateway",
    title  = { zh = "后端的响应头比 Nginx 的缓冲区大", en = "the backend's headers are larger than nginx's buffer" },
    advice = { zh = "先查后端为什么发这么大的头（多半是 Cookie），再考虑 proxy_buffer_size 16k; proxy_buffers 8 16k; 改完 nginx -t 再 reload",
               en = "find out why the backend sends such headers, mostly cookies, before proxy_buffer_size 16k; proxy_buffers 8 16k; then nginx -t, "
                 .. "and reload" },
  }
  finding "socket-perm" {
    explains = "bad-gateway",
    title  = { zh = "Nginx 没有权限连后端的套接字：{last}", en = "nginx may not connect to the backend's socket: {last}" },
    advice = { zh = "让 Nginx 的运行用户进入后端的组，套接字权限 0660", en = "put nginx's user into the backend's group, and give the socket mode 0660" },
  }

  check "page" {
    title = { zh = "用户访问的页面", en = "the page that users see" },
    run   = function(p)
      local bad = look(p.public_url, p)
      if bad then found("bad-gateway", { status = bad }) else ok { zh = "正常", en = "answers" } end
    end,
  }
  check "config" {
    title = { zh = "Nginx 配置（nginx -t）", en = "nginx's configuration (nginx -t)" },
    run   = function(p)
      local good, problem = nginx.test(conf(p))
      if not good then found("config-invalid", { message = problem.message, file = problem.file or p.nginx_conf, line = problem.line or 0 }) end
    end,
  }
  check "nginx" {
    when = "bad-gateway", title = { zh = "Nginx 进程", en = "the nginx process" },
    run  = function(p)
      local now = keeper.state(p.nginx_keeper)
      if now.state ~= "running" then found("nginx-down", { detail = now.detail }) else ok { zh = "在运行", en = "runs" } end
    end,
  }
  check "backend" {
    when = "bad-gateway", title = { zh = "后端服务，不经过 Nginx", en = "the backend, without nginx" },
    run  = function(p)
      local now = keeper.state(p.backend_keeper)
      if now.state ~= "running" then found("backend-down", { detail = now.detail }) return "down" end
      local bad, code = look(p.health_url, p)
      if code == "timeout" then found "backend-slow" elseif bad then found("backend-down", { detail = bad }) end
      return bad and "down" or "well"
    end,
  }
  check "upstreams" {
    when = "bad-gateway", title = { zh = "Nginx 转发到哪里", en = "whom nginx asks" },
    run  = function(p, r)
      if #findings "config-invalid" > 0 then skip { zh = "配置改好后再查", en = "looked at once the configuration is right" } end
      if r.backend ~= "well" then skip { zh = "后端恢复后再查", en = "looked at once the backend is well" } end
      local ports = asked(p)
      for _, one in ipairs(nginx.upstreams(conf(p))) do
        local ours = one.host and not one.down and (not ports or ports[one.port])
        if ours and not net.reachable(one.host, one.port, { timeout = p.patience }) then
          found("upstream-wrong", { address = one.address, file = one.file, line = one.line })
        end
      end
    end,
  }
  check "log" {
    when = "bad-gateway", title = { zh = "错误日志", en = "the error log" }, why = o.why.log,
    run  = function(p, r)
      local lines = text.lines(file.tail(p.nginx_error_log, { lines = p.tail }) or "")
      local said = nginx.classify(lines)
      attach("nginx error log", table.concat(lines, "\n"))
      if file.stat(p.nginx_access_log) then
        local n = logs.access(p.nginx_access_log, { last = "10m" }).errors
        ok({ zh = "10 分钟内 {n} 次 5xx", en = "{n} answers of 5xx in 10 minutes" }, { n = n })
      end
      if r.backend ~= "well" or #findings "upstream-wrong" > 0 then return end -- then older lines explain nothing
      for _, line in pairs(asked(p) or {}) do
        if line:find("upstream timed out", 1, true) then found("page-slow", { last = text.cut(line, 200) }) end
      end
      if said.header_too_big > 0 then found "header-too-big" end
      if said.denied > 0 then found("socket-perm", { last = text.cut(said.last.denied, 200) }) end
    end,
  }

  -- Once the page is back no client may see it go again for a while. One that stays bad has another cause.
  local function steady(p, within)
    if not try(wait_until, function() return not look(p.public_url, p) end, { within = within, every = "200ms" }) then return end
    for line in logs.follow({ p.nginx_access_log }, { within = p.quiet, match = [["\s+50[234]\s]], max = 1 }) do
      fail({ zh = "好了一会又坏了：{line}", en = "it came back and went again: {line}" }, { line = text.cut(line, 160) })
    end
  end
  local function reload(p)
    nginx.reload(conf(p))
    steady(p, "5s")
  end
  fix "restore-config" {
    when  = "config-invalid", risk = "medium",
    title = { zh = "换回 {file} 的上一份备份", en = "put the last kept {file} back" },
    guard = function(p, f) return backup.kept(f.file, p.conf_backups) ~= nil, { zh = "{conf_backups} 里没有它的备份：按建议手工改好",
                                                                                en = "{conf_backups} has none of it: correct it by hand" } end,
    run   = function(p, f)
      local good = backup.kept(f.file, p.conf_backups)
      local kept = { broken = backup.keep(f.file, p.conf_backups), from = good }
      keep(kept)
      file.write(f.file, file.read(good), { backup = false })
      return kept
    end,
    verify = is_good,
    undo   = function(_, f, r) file.copy(r.restore_config.broken, f.file, { overwrite = true }) end,
  }
  fix "start-nginx" {
    when  = "nginx-down", risk = "medium", guard = is_good, within = "30s", why = o.why.restart,
    title = { zh = "启动 Nginx", en = "start nginx" },
    run   = function(p)
      keeper.start(p.nginx_keeper)
      steady(p, "20s")
    end,
    undo  = function(p) keeper.stop(p.nginx_keeper) end,
  }
  fix "restart-backend" {
    when  = { "backend-down", "backend-slow" }, risk = "medium", within = "60s",
    title = { zh = "重启后端服务 {backend_keeper}", en = "restart the backend, {backend_keeper}" },
    no_undo = { zh = "处理中的请求会中断", en = "requests under way are cut off" },
    run   = function(p)
      keeper.restart(p.backend_keeper)
      steady(p, "40s")
    end,
    verify = function(p) return not look(p.health_url, p) end,
  }
  fix "point-upstream" {
    when  = "upstream-wrong", risk = "medium", guard = is_good, within = "30s",
    title = { zh = "把 {file} 第 {line} 行的 {address} 改成后端的地址（{health_url}），检查后平滑加载",
              en = "change {address} in {file}, line {line}, to the backend of {health_url}; test, then reload" },
    run   = function(p, f)
      local kept = { old = backup.keep(f.file, p.conf_backups) }
      keep(kept)
      local lines = text.split(file.read(f.file), "\n")
      lines[f.line] = text.replace(lines[f.line], "(?<![\\w.:])\\Q" .. f.address .. "\\E", p.health_url:match("^%a+://([^/]+)"))
      file.write(f.file, table.concat(lines, "\n"), { backup = false })
      reload(p)
      return kept
    end,
    undo  = function(p, f, r)
      file.copy(r.point_upstream.old, f.file, { overwrite = true })
      nginx.reload(conf(p))
      wait "1s" -- until the old workers take no more
    end,
  }
  fix "reload-nginx" {
    when  = "bad-gateway", risk = "medium", guard = is_good, within = "30s",
    title = { zh = "平滑加载 Nginx 配置", en = "reload nginx" },
    no_undo = { zh = "加载的就是磁盘上的配置，连接不断", en = "it reads what is on disk, and cuts no connection" },
    run   = reload,
  }
end
