-- A real service that does not start, for one reason each. Loaded with start-failure.lua; drill and test only.

local needs = { "python3" }

-- With `config`, broken before it is started.
local function service(d, o)
  local s = d:app(o or {})
  d:set { keeper = "init:" .. s.service, config = s.config, app_log = s.log, error_log = s.dir .. "/error.log", steady = "1s" }
  return s
end
local function fails(s)
  shell.run { s.service, "start" }
  wait_until(function() return not s:process() end, { within = "20s", every = "100ms" })
end

drill "healthy" { needs = needs, expect = {}, inject = function(d) service(d) end }
drill "stopped" { -- no cause in sight: it was only stopped
  needs = needs, expect = { "down" }, repair = "start", inject = function(d) service(d):stop() end,
}
drill "config-error" {
  needs = needs, expect = { "down", "config" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    file.write(s.config, "port 8080\n", { backup = false })
    fails(s)
  end,
}
drill "port" {
  needs = needs, expect = { "down", "port" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    d:http { port = s.port }
    fails(s)
  end,
}
drill "permission" {
  needs = { "root", table.unpack(needs) }, expect = { "down", "permission" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d, { as = "nobody" })
    s:stop()
    file.write(d.dir .. "/data", "x", { mode = "0600", backup = false })
    file.write(s.config, ("port: %d\ndata: %s\n"):format(s.port, d.dir .. "/data"), { backup = false })
    fails(s)
  end,
}
drill "dependency" {
  needs = needs, expect = { "down", "dependency" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    file.write(s.config, ("port: %d\nneeds: /nonexistent/module.so\n"):format(s.port), { backup = false })
    fails(s)
  end,
}
drill "no-config" { -- it was only stopped, and would not come up again
  needs = needs, expect = { "down", "dependency" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    shell.run { "rm", s.config }
  end,
}
drill "two-at-once" {
  needs = needs, expect = { "down", "dependency", "config" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    file.write(s.config, ("port: %d\nneeds: /nonexistent/module.so\n"):format(s.port), { backup = false })
    file.write(d.p.error_log, "config: unknown key 'prot'\n")
    fails(s)
  end,
}
drill "of-another-day" { -- what the logs say of failures that are over keeps nobody from starting it
  needs = needs, expect = { "down" }, repair = "start",
  inject = function(d)
    local s = service(d)
    s:stop()
    file.write(d.p.error_log, "Error: listen EADDRINUSE: address already in use :::8080\n")
    d:age(d.p.error_log, "2d")
    file.write(d.dir .. "/app.log", "2026-01-05 03:00:00 config: unknown key 'prot'\n2026-01-12 09:00:00 INFO shutting down\n")
    d:set { app_log = d.dir .. "/app.log" }
  end,
}
drill "again-and-again" { -- it runs when it is looked at, and never for long
  needs = needs, expect = { "down", "dependency" }, result = "found",
  inject = function(d)
    file.write(d.dir .. "/run.sh", "echo starting\nsleep 1\necho \"Error: Cannot find module 'left-pad'\"\n")
    local s = d:keep { again = true, argv = { "sh", d.dir .. "/run.sh" } }
    file.write(d.dir .. "/config.yaml", "port: 80\n")
    d:set { keeper = "init:" .. s.service, config = d.dir .. "/config.yaml", app_log = s.log, error_log = d.dir .. "/error.log", steady = "5s" }
    wait_until(function() return s:logs():find("left-pad", 1, true) and s:process() end, { within = "20s", every = "50ms" })
  end,
}
drill "small-port" { -- not a file of somebody else: the port
  needs = { "root", table.unpack(needs) }, expect = { "down", "port" }, repair = "start", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    file.write(d.p.error_log, "Error: listen EACCES: permission denied 0.0.0.0:80\n")
  end,
}
