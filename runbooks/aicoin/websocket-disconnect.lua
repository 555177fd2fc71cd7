runbook "aicoin/websocket-disconnect" {
  title    = { zh = "WebSocket 断连", en = "WebSocket disconnects" },
  alias    = "websocket-disconnect",
  severity = "P2", kind = "incident",
  target   = "{public_ws_url}",
  symptoms = { { zh = "前端无法接收实时数据",
                 en = "the front end gets no live data" }, "WebSocket connection failed", "WebSocket is closed before the connection is established" },
  source   = "AICOIN 故障排查手册 1.5",
}

param "backend_keeper"
param "ws_url"        { type = "url", default = "ws://localhost:8000/ws", title = { zh = "后端的 WebSocket 地址", en = "the backend's WebSocket" } }
param "public_ws_url" { type = "url", default = "ws://localhost/ws", title = { zh = "用户用的 WebSocket 地址（经过 Nginx）",
                                                                               en = "the WebSocket users open, through nginx" } }
param "nginx_conf"    { type = "path", default = "/etc/nginx/nginx.conf", title = { zh = "Nginx 配置", en = "nginx's configuration" } }
param "conf_backups"  { type = "path", default = "/var/backups/runbook/nginx", title = { zh = "改配置前的备份放在哪里",
                                                                                         en = "where configurations are kept before a change" } }
param "ufw_dir"       { type = "path", default = "/etc/ufw", title = { zh = "ufw 的目录", en = "ufw's folder" } }
param "ufw"           { type = "list(string)", default = { "ufw" }, min = 1, title = { zh = "ufw 命令，例如 sudo -n ufw", en = "the ufw command, as sudo -n ufw" } }
param "expect_message" { type = "duration", default = "10s", min = "1s", max = "25s", title = { zh = "多久之内必须收到消息", en = "how soon a message must come" } }
param "idle" { type = "duration", default = "65s", min = "1s", max = "4m", title = { zh = "连接必须能保持多久", en = "how long a connection must last" } }

-- "well", or what is wrong: "down", "silent", "closed", and why.
local function look(p, url)
  local talk, err = try(ws.read, url, { receive = 1, listen = p.expect_message, timeout = p.expect_message + 5 })
  if not talk then return "down", ("%s (%s)"):format(err.message, err.code), err.code end
  if talk.status ~= 101 then return "down", "HTTP " .. talk.status, "status" end
  if talk.close then return "closed", "code " .. talk.close.code end
  return talk.ok and "well" or "silent", ("no message within %d s"):format(p.expect_message)
end
-- Does it last? The code it was closed with, or nil.
local function closed(p, url, lasts)
  local talk = try(ws.read, url, { listen = lasts, timeout = lasts + 8 })
  return talk and talk.close and talk.close.code
end

finding "ws-broken" {
  title  = { zh = "{public_ws_url} 不能用：{why}", en = "{public_ws_url} does not work: {why}" },
  advice = { zh = "没有找到原因：查 CDN、负载均衡是否支持 WebSocket，以及后端日志（附件）",
             en = "no cause in sight: see whether CDN and balancer pass WebSockets on, and the backend's log (attached)" },
  verify = function(p)
    local state, why = look(p, p.public_ws_url)
    if state ~= "well" then return false, why end
    return not closed(p, p.public_ws_url, math.min(p.idle, 15)) -- a verify is short; the check after it waits all of idle
  end,
}
finding "backend-down"   { explains = "ws-broken", title = { zh = "后端 {ws_url} 连不上：{why}", en = "the backend {ws_url} cannot be reached: {why}" } }
finding "no-data"        { explains = "ws-broken", title = { zh = "后端连得上，但 {expect_message} 内不发消息",
                                                             en = "the backend connects, but sends nothing within {expect_message}" } }
finding "backend-closes" { explains = "ws-broken", title = { zh = "后端自己断开连接：{why}", en = "the backend itself closes: {why}" } }
local place = { "file", "line" }
finding "no-upgrade" {
  explains = "ws-broken", key = place,
  title = { zh = "Nginx 没有转发 Upgrade：{file}:{line} 缺 {missing:list}", en = "nginx passes no Upgrade on: {file}:{line} lacks {missing:list}" },
}
finding "read-timeout-short" {
  explains = "ws-broken", key = place,
  title = { zh = "Nginx 空闲 {seconds:duration} 就断开（{file}:{line}），要求 {idle}",
            en = "nginx closes after {seconds:duration} without data ({file}:{line}); it must last {idle}" },
}
finding "proxy-broken" {
  explains = "ws-broken", title = { zh = "直连后端正常，经过 Nginx 不行：{why}", en = "the backend is well, through nginx it is not: {why}" },
  advice = { zh = "查 Nginx 是否在运行、location 是否匹配（runbook exec nginx-502 的做法相同）", en = "see whether nginx runs and which location matches" },
}
finding "firewall-blocks" {
  explains = "ws-broken", key = "port", title = { zh = "防火墙没有放行端口 {port}", en = "the firewall does not let port {port} in" },
}

check "public" {
  title = { zh = "经过 Nginx 的连接", en = "through nginx" }, timeout = "6m",
  why   = { zh = "手册的 wscat 是交互的，连上了也不等于有数据、能保持；这里要收到一条消息，再保持 idle 这么久",
            en = "the manual's wscat is interactive, and connected is neither data nor lasting; this wants a message, and a connection that lasts idle" },
  run   = function(p)
    local state, why, code = look(p, p.public_ws_url)
    if state ~= "well" then found("ws-broken", { why = why }) return { state = state, why = why, code = code } end
    local with = closed(p, p.public_ws_url, p.idle)
    if with then found("ws-broken", { why = "closed, code " .. with }) end
    return { state = with and "idle-closed" or "well", why = why }
  end,
}
check "direct" {
  when  = "ws-broken", title = { zh = "直连后端", en = "the backend itself" }, timeout = "6m",
  run   = function(p, r)
    local state, why = look(p, p.ws_url)
    if state == "well" and r.public.state == "idle-closed" then
      local with = closed(p, p.ws_url, p.idle)
      if with then state, why = "closed", "code " .. with .. " while idle" end
    end
    if state == "down" then found("backend-down", { why = why }) end
    if state == "silent" then found "no-data" end
    if state == "closed" then found("backend-closes", { why = why }) end
    return state
  end,
}
-- The location that answers the public path: the longest that it begins with.
local function proxy_of(p)
  local path, best = p.public_ws_url:match("^%a+://[^/]+(/.*)$") or "/", nil
  for _, one in ipairs(nginx.proxies { conf = p.nginx_conf }) do
    if path:sub(1, #one.path) == one.path and (not best or #one.path > #best.path) then best = one end
  end
  return best
end
check "proxy" {
  when  = "ws-broken", title = { zh = "Nginx 的转发配置", en = "how nginx passes it on" },
  why   = { zh = "手册看 sites-available，生效的是 nginx.conf 引入的文件；这里按引入关系读",
            en = "the manual reads sites-available; what counts is what nginx.conf includes, and that is read here" },
  run   = function(p, r)
    if r.direct ~= "well" then skip { zh = "后端恢复后再查", en = "looked at once the backend is well" } end
    if r.public.code == "timeout" then return end -- nothing came through to nginx
    local one, missing = proxy_of(p), {}
    if not one then found("proxy-broken", { why = r.public.why }) return end
    if one.http_version ~= "1.1" then missing[#missing + 1] = "proxy_http_version 1.1" end
    if one.headers.upgrade ~= "$http_upgrade" then missing[#missing + 1] = "Upgrade" end
    local connection = one.headers.connection or "" -- "" and close are what keepalive and old recipes say
    if not (connection:lower():find("upgrade", 1, true) or connection:find("$", 1, true)) then missing[#missing + 1] = "Connection" end
    if #missing > 0 then found("no-upgrade", { file = one.file, line = one.line, missing = missing })
    elseif r.public.state == "idle-closed" and one.read_timeout <= p.idle then
      found("read-timeout-short", { file = one.file, line = one.line, seconds = one.read_timeout })
    else found("proxy-broken", { why = r.public.why }) end
  end,
}
check "firewall" {
  when  = "ws-broken", title = { zh = "防火墙 ufw", en = "the firewall, ufw" },
  run   = function(p, r)
    local port = p.public_ws_url:match("^%a+://[^/]+:(%d+)") or (p.public_ws_url:find("^wss:") and "443" or "80")
    if not ufw.enabled(p.ufw_dir) then ok { zh = "没有启用", en = "not enabled" } return end
    if not ufw.allows(port, p.ufw_dir) and r.public.code == "timeout" then found("firewall-blocks", { port = port }) end
  end,
}
check "log" {
  when  = "ws-broken", title = { zh = "后端日志里的 WebSocket", en = "WebSocket in the backend's log" },
  run   = function(p)
    local lines = text.grep(keeper.logs(p.backend_keeper), "(?i)websocket")
    attach("backend log", table.concat(lines, "\n"))
    ok({ zh = "{n} 行（附件）", en = "{n} lines (attached)" }, { n = #lines })
  end,
}

-- In place of what the location says of them already.
local OLD = "proxy_(http_version|read_timeout)\\s[^;]*;|proxy_set_header\\s+(?i:upgrade|connection)\\s[^;]*;"
local NEW = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; '
  .. 'proxy_set_header Host $host; proxy_read_timeout 3600s; proxy_pass'
fix "correct-proxy" {
  when  = { "no-upgrade", "read-timeout-short" }, risk = "medium", within = "10s",
  title = { zh = "在 {file}:{line} 写入 WebSocket 转发配置，检查后平滑加载", en = "write what WebSockets need into {file}:{line}; test, then reload" },
  run   = function(p, f)
    local lines, kept = text.split(file.read(f.file), "\n"), { old = backup.keep(f.file, p.conf_backups) }
    keep(kept)
    for _, one in ipairs(proxy_of(p).own) do lines[one.line] = text.replace(lines[one.line], OLD, "") end
    lines[f.line] = text.replace(lines[f.line], "proxy_pass(?=\\s)", NEW)
    file.write(f.file, table.concat(lines, "\n"), { backup = false })
    nginx.reload { conf = p.nginx_conf }
    wait "1s"
    return kept
  end,
  undo  = function(p, f, r)
    file.copy(r.correct_proxy.old, f.file, { overwrite = true })
    nginx.reload { conf = p.nginx_conf }
    wait "1s"
  end,
}
fix "restart-backend" {
  when  = { "backend-down", "no-data", "backend-closes" }, risk = "medium", within = "60s",
  title = { zh = "重启后端 {backend_keeper}", en = "restart the backend, {backend_keeper}" },
  no_undo = { zh = "所有用户的连接都会断开重连", en = "all users are cut off and connect again" },
  run   = function(p) keeper.restart(p.backend_keeper) end,
}
fix "allow-port" {
  when  = "firewall-blocks", risk = "high",
  title = { zh = "只放行 TCP 端口 {port}", en = "let in TCP port {port} alone" },
  why   = { zh = "不要 ufw disable：那会把所有端口都敞开", en = "never ufw disable: it opens every port" },
  run   = function(p, f) ufw.allow(p.ufw, f.port) end,
  undo  = function(p, f) ufw.withdraw(p.ufw, f.port) end,
}
prevent "reconnect" { title = { zh = "断线重连", en = "reconnecting" }, by_hand = { zh = "前端断线后退避重连；后端每 30 秒发一次 ping", en = "clients reconnect, waiting "
                                                                                                                     .. "longer each time; the "
                                                                                                                       .. "backend pings every 30 seconds" } }
