-- nginx-502 on a real nginx before a real HTTP server.

local function site(port, more)
  return ("server { listen @PORT@; location / { proxy_pass http://127.0.0.1:%d; proxy_read_timeout 2s; } } %s"):format(port, more or "")
end
local function shop(d, port)
  d.back = d:http { routes = { ["*"] = { body = "shop" } } }
  d.front = d:nginx { http = site(port or d.back.port) }
  d:set {
    public_url = d.front.url .. "/", health_url = d.back.url .. "/health", backend_keeper = "init:" .. d.back.service, patience = "4s",
    nginx_keeper = "init:" .. d.front.service, nginx_conf = d.front.conf, nginx_error_log = d.front.dir .. "/error.log",
    nginx_access_log = d.front.dir .. "/access.log", conf_backups = d.dir .. "/kept", quiet = "1s",
  }
  d.nginx_pid = d.front:process().pid
end
local function opens(d) assert(http.get(d.p.public_url).body == "shop", "the page does not open") end
local function same_nginx(d)
  opens(d)
  assert(d.front:process().pid == d.nginx_pid, "nginx was restarted")
end
local needs = { "nginx", "python3" }

drill "healthy" {
  needs = needs, inject = function(d) shop(d) d.sum = file.hash(d.p.nginx_conf) end, expect = {},
  prove = function(d) same_nginx(d) assert(file.hash(d.p.nginx_conf) == d.sum, "its configuration was changed") end,
}
drill "backend-killed" {
  needs = needs, expect = { "bad-gateway", "backend-down" }, repair = "restart-backend", prove = same_nginx,
  inject = function(d) shop(d) d.back:kill() end,
}
drill "backend-hangs" {
  needs = needs, expect = { "bad-gateway", "backend-slow" }, repair = "restart-backend", prove = same_nginx,
  inject = function(d) shop(d) d.back:pause() end,
}
drill "dies-again" { -- back for a moment is not repaired: users go on clicking, and see it
  needs = { "curl", table.unpack(needs) }, expect = { "bad-gateway", "backend-down" }, repair = "restart-backend", result = "failed",
  fails_at = "restart-backend",
  inject = function(d)
    shop(d)
    d:set { quiet = "20s" }
    d:spawn { ready = "clicking", "sh", "-c", 'echo clicking; while sleep 0.3; do curl -s -m 2 -o /dev/null "$0"; done', d.p.public_url }
    d.back:kill()
    local kill_next = 'echo waiting; until [ -s "$0/pid" ]; do sleep 0.1; done; sleep 2; kill -9 "$(cat "$0/pid")"; exec sleep 600'
    d:spawn { ready = "waiting", "sh", "-c", kill_next, d.back.dir }
  end,
}
drill "nginx-stopped" {
  needs = needs, expect = { "bad-gateway", "nginx-down" }, repair = "start-nginx", prove = opens,
  inject = function(d) shop(d) d.front:stop() end,
}
drill "wrong-port" {
  needs = needs, expect = { "bad-gateway", "upstream-wrong" }, repair = "point-upstream",
  inject = function(d) shop(d, 9) end,
  prove  = function(d) same_nginx(d) assert(#file.list(d.p.conf_backups) == 1, "the old configuration is not kept") end,
}
drill "wrong-port-and-back" { -- what was changed is taken back: as wrong as before, the file to the letter
  needs = needs, expect = { "bad-gateway", "upstream-wrong" }, repair = "point-upstream", undo = true,
  inject = function(d) shop(d, 9) d.sum = file.hash(d.p.nginx_conf) end,
  prove  = function(d) assert(file.hash(d.p.nginx_conf) == d.sum, "the configuration is not what it was") end,
}
drill "broken-config" { -- nginx still runs; it must neither be restarted nor reloaded
  needs = needs, expect = { "config-invalid" }, repair = "restore-config", prove = same_nginx,
  inject = function(d)
    shop(d)
    file.mkdir(d.p.conf_backups)
    file.copy(d.p.nginx_conf, d.p.conf_backups .. "/" .. d.p.nginx_conf:sub(2):gsub("/", "_") .. "-20240120T120000Z")
    d.front:http(site(d.back.port, "no_such_directive on;"))
  end,
}
drill "broken-and-stopped" { -- without a good configuration it is not started
  needs = needs, expect = { "bad-gateway", "config-invalid", "nginx-down" }, repair = "start-nginx", result = "found",
  inject = function(d)
    shop(d)
    d.front:stop()
    d.front:http(site(d.back.port, "no_such_directive on;"))
  end,
}
drill "large-header" {
  needs = needs, expect = { "bad-gateway", "header-too-big" }, result = "found", prove = function(d) assert(d.front:process().pid == d.nginx_pid) end,
  inject = function(d)
    shop(d)
    d.back:routes { ["/"] = { body = "shop", headers = { ["Set-Cookie"] = ("x"):rep(20000) } }, ["*"] = { body = "shop" } }
  end,
}
local SOCKET = [[
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o600); s.listen(5)
print("listening", flush=True); time.sleep(600)]]
drill "socket-rights" {
  needs = { "nginx", "python3", "root" }, expect = { "bad-gateway", "socket-perm" }, result = "found",
  inject = function(d)
    shop(d)
    d:spawn { ready = "listening", "python3", "-c", SOCKET, d.dir .. "/app.sock" }
    d.front:http(("server { listen @PORT@; location / { proxy_pass http://unix:%s/app.sock:/; } }"):format(d.dir))
    d.front:restart()
  end,
}
drill "not-loaded" { -- somebody corrected the file and left it at that
  needs = needs, expect = { "bad-gateway" }, repair = "reload-nginx", prove = same_nginx,
  inject = function(d) shop(d, 9) d.front:http(site(d.back.port)) end,
}
drill "dead-neighbour" { -- another site's backend has been dead for years: it is not this page's, and stays as it is
  needs = needs, expect = { "bad-gateway", "header-too-big" }, result = "found",
  inject = function(d)
    shop(d)
    d.front:http(site(d.back.port):gsub("location", "location /admin/ { proxy_pass http://127.0.0.1:9; } location", 1))
    d.front:restart()
    d.back:routes { ["/"] = { body = "shop", headers = { ["Set-Cookie"] = ("x"):rep(20000) } }, ["*"] = { body = "shop" } }
  end,
}
drill "slow-page" { -- 504, though the backend says that it is well
  needs = needs, expect = { "bad-gateway", "page-slow" }, result = "found",
  inject = function(d) shop(d) d.back:routes { ["/"] = { body = "shop", delay = 20 }, ["*"] = { body = "shop" } } end,
}
