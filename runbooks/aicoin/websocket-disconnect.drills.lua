-- websocket-disconnect on a real WebSocket server behind a real nginx.

local UPGRADE = "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
local function site(d, lines)
  return ("server { listen @PORT@;\n  location /ws {\n    proxy_pass http://%s:%d;\n    %s\n  }\n"
    .. "  location / { return 200 'ok'; }\n}"):format(d.back.host, d.back.port, lines)
end
local function live(d, lines, netns)
  d.back = d:websocket { mood = { greet = { "price 1" } }, netns = netns }
  d.front = d:nginx { netns = netns }
  d.front:http(site(d, lines or UPGRADE .. "proxy_read_timeout 60s;"))
  d.front:restart()
  d:set {
    ws_url = d.back.url .. "/ws", public_ws_url = d.front.url:gsub("^http", "ws") .. "/ws", backend_keeper = "init:" .. d.back.service,
    nginx_conf = d.front.conf, conf_backups = d.dir .. "/kept", ufw_dir = d.dir .. "/ufw", expect_message = 2, idle = 3,
  }
  d.nginx_pid = d.front:process().pid
end
local function works(d)
  local talk = ws.read(d.p.public_ws_url, { receive = 1, listen = "2s" })
  assert(talk.ok and talk.messages[1] == "price 1", "no data through nginx")
  assert(http.get(d.front.url).body == "ok", "another location is broken")
  assert(d.front:process().pid == d.nginx_pid, "nginx was restarted")
end
local needs = { "nginx", "python3" }

drill "healthy" { needs = needs, inject = live, expect = {}, prove = works }
drill "no-upgrade" { needs = needs, inject = function(d) live(d, "") end, expect = { "ws-broken", "no-upgrade" }, repair = "correct-proxy", prove = works }
drill "half-an-upgrade" { -- what is there already is replaced, not doubled
  needs = needs, expect = { "ws-broken", "no-upgrade" }, repair = "correct-proxy", prove = works,
  inject = function(d) live(d, "proxy_http_version 1.1; proxy_set_header Upgrade websocket;\n    proxy_read_timeout 60s;") end,
}
drill "connection-emptied" { -- as keepalive to an upstream wants it
  needs = needs, expect = { "ws-broken", "no-upgrade" }, repair = "correct-proxy", prove = works,
  inject = function(d) live(d, 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "";') end,
}
drill "short-timeout" {
  needs = needs, expect = { "ws-broken", "read-timeout-short" }, repair = "correct-proxy", prove = works,
  inject = function(d) live(d, UPGRADE .. "\n    proxy_read_timeout 1s;") end,
}
drill "backend-killed" {
  needs = needs, expect = { "ws-broken", "backend-down" }, repair = "restart-backend", prove = works,
  inject = function(d) live(d) d.back:kill() end,
}
drill "silent" { -- a restart does not help here, and the run says so
  needs = needs, expect = { "ws-broken", "no-data" }, result = "found", inject = function(d) live(d) d.back:mood { greet = {}, silent = true } end,
}
drill "closes-by-itself" {
  needs = needs, expect = { "ws-broken", "backend-closes" }, result = "found",
  inject = function(d) live(d) d.back:mood { greet = { "price 1" }, close = 1011, after = 1 } end,
}
drill "firewall" {
  needs = { "nginx", "python3", "root", "iptables" }, expect = { "ws-broken", "firewall-blocks" }, result = "found",
  inject = function(d)
    live(d)
    local far = d.netns()
    far:run { "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "8080", "-j", "DROP" }
    file.mkdir(d.p.ufw_dir)
    file.write(d.p.ufw_dir .. "/ufw.conf", "ENABLED=yes\n")
    file.write(d.p.ufw_dir .. "/user.rules", "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n")
    d:set { public_ws_url = "ws://" .. far.address .. ":8080/ws" }
  end,
}
drill "ufw" { -- a real ufw that lets the backend in and not nginx: one narrow rule, the rest stays shut
  needs = { "nginx", "python3", "root", "ufw" }, expect = { "ws-broken", "firewall-blocks" }, repair = "allow-port",
  inject = function(d)
    local far = d.netns()
    live(d, nil, far)
    local wall = far.ufw()
    ufw.allow(wall.command, d.back.port)
    d:set { ufw = wall.command, ufw_dir = wall.dir }
    d.wall = wall
  end,
  prove = function(d)
    works(d)
    assert(ufw.enabled(d.wall.dir), "the firewall was switched off")
    assert(not ufw.allows(22, d.wall.dir) and not net.reachable(d.front.host, 22, { timeout = "1s" }), "another port was opened")
  end,
}
drill "no-location" { -- nginx answers, and passes nothing on
  needs = needs, expect = { "ws-broken", "proxy-broken" }, result = "found", prove = function(d) assert(d.front:process().pid == d.nginx_pid) end,
  inject = function(d)
    live(d)
    d.front:http "server { listen @PORT@; location / { return 200 'ok'; } }"
    d.front:restart()
    d.nginx_pid = d.front:process().pid
  end,
}
drill "nginx-stopped" { needs = needs, expect = { "ws-broken", "proxy-broken" }, result = "found", inject = function(d) live(d) d.front:stop() end }
drill "no-upgrade-and-back" { -- the edit is taken back: the file is what it was, to the letter
  needs = needs, expect = { "ws-broken", "no-upgrade" }, repair = "correct-proxy", undo = true,
  inject = function(d) live(d, "") d.sum = file.hash(d.front.conf) end,
  prove  = function(d) assert(file.hash(d.front.conf) == d.sum, "the configuration is not what it was") end,
}
