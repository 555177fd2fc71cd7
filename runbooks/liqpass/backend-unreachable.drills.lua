-- Two real services. Loaded with backend-unreachable.lua; drill and test only.

local needs = { "python3" }

local function lab(d, o)
  d.us, d.jp = d:http(o), d:http(o)
  file.write(d.dir .. "/hosts", "127.0.0.1 localhost\n# api.liqpass.test\n", { backup = false })
  d:set {
    us_health_url = d.us.url .. "/healthz", jp_health_url = d.jp.url .. "/healthz", us_keeper = "init:" .. d.us.service, jp_keeper = "init:" .. d.jp.service,
    public_host = "localhost", hosts_file = d.dir .. "/hosts", patience = "2s",
  }
  d.jp_pid = d.jp:process().pid
end
local function other_untouched(d) assert(d.jp:process().pid == d.jp_pid, "the other service was restarted") end

drill "healthy" { needs = needs, expect = {}, inject = function(d) lab(d) end }
drill "down" { needs = needs, expect = { "down" }, repair = "restart", prove = other_untouched, inject = function(d) lab(d) d.us:kill() end }
drill "both-down" { needs = needs, expect = { "down" }, repair = "restart", inject = function(d) lab(d) d.us:kill() d.jp:kill() end }
drill "hung" { needs = needs, expect = { "hung" }, repair = "restart", prove = other_untouched, inject = function(d) lab(d) d.us:pause() end }
drill "unhealthy" { -- it is fine once it is started anew
  needs = needs, expect = { "unhealthy" }, repair = "restart", prove = other_untouched,
  inject = function(d) lab(d) d.us:routes { ["/healthz"] = { status = 503 } } end,
}
drill "port-taken" { -- restarting would not help, and is not offered
  needs = needs, expect = { "port-taken", "unhealthy" }, repair = "restart", result = "found",
  inject = function(d)
    lab(d)
    d.us:stop()
    d:http { port = d.us.port, routes = { ["*"] = { status = 404 } } }
  end,
}
drill "hosts-override" {
  needs = needs, expect = { "hosts", "dns" }, repair = "comment-hosts", result = "found",
  inject = function(d)
    lab(d, { host = "0.0.0.0" })
    file.write(d.p.hosts_file, "127.0.0.1 localhost\n10.9.9.9 api.liqpass.test # left by somebody\n", { backup = false })
    d:set { public_host = "api.liqpass.test" }
  end,
  prove = function(d)
    assert(file.read(d.p.hosts_file) == "127.0.0.1 localhost\n# 10.9.9.9 api.liqpass.test # left by somebody\n", file.read(d.p.hosts_file))
  end,
}
drill "name-gone" {
  needs = needs, expect = { "dns" }, result = "found", inject = function(d) lab(d, { host = "0.0.0.0" }) d:set { public_host = "no-such-host.invalid" } end,
}
drill "wrong-address" {
  needs = needs, expect = { "dns-wrong" }, result = "found",
  inject = function(d) lab(d) d:set { expected_ips = { "203.0.113.7" } } end,
}
drill "firewall" { -- fine from here, dropped from outside
  needs = { "root", "iptables", "python3" }, expect = { "firewall" }, result = "found",
  inject = function(d)
    lab(d, { host = "0.0.0.0" })
    local n = d:netns()
    d:set { public_host = n.address }
    n:run { "iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP" }
  end,
}
drill "firewall-rejects" { -- it says no instead of nothing
  needs = { "root", "iptables", "python3" }, expect = { "firewall" }, result = "found",
  inject = function(d)
    lab(d, { host = "0.0.0.0" })
    local n = d:netns()
    d:set { public_host = n.address }
    n:run { "iptables", "-A", "INPUT", "-p", "tcp", "-j", "REJECT" }
  end,
}
drill "wrong-port" { -- it runs, and listens elsewhere: a restart changes nothing, and the run does not call that repaired
  needs = needs, expect = { "not-listening" }, repair = "restart", result = "failed", fails_at = "restart",
  inject = function(d) lab(d) d:set { us_health_url = ("http://127.0.0.1:%d/healthz"):format(d:port()) } end,
}
drill "loopback-only" {
  needs = { "root", "python3" }, expect = { "loopback-only" }, result = "found", inject = function(d) lab(d) d:set { public_host = d:netns().address } end,
}
drill "ufw" { -- a real ufw before the service: one narrow rule, and it is taken back
  needs = { "root", "nginx", "python3", "ufw" }, expect = { "firewall" }, repair = "open-port", undo = true,
  inject = function(d)
    lab(d, { host = "0.0.0.0" })
    local n = d.netns()
    d:nginx { netns = n, port = d.us.port, http = ("server { listen @PORT@; location / { proxy_pass http://%s:%d; } }"):format(n.host, d.us.port) }
    d:nginx { netns = n, port = d.jp.port, http = ("server { listen @PORT@; location / { proxy_pass http://%s:%d; } }"):format(n.host, d.jp.port) }
    local wall = n.ufw()
    ufw.allow(wall.command, d.jp.port)
    d:set { public_host = n.address, ufw = wall.command, ufw_dir = wall.dir, allow_from = n.host .. "/32" }
    d.wall = wall
  end,
  prove = function(d)
    assert(ufw.enabled(d.wall.dir), "the firewall was switched off")
    assert(not ufw.allows(d.us.port, d.wall.dir) and ufw.allows(d.jp.port, d.wall.dir), "the rules are not those from before")
  end,
}
