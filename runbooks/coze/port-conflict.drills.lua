-- A real service, and others on its port. Loaded with port-conflict.lua; drill and test only.

local needs = { "python3" }

local function service(d, o)
  local s = d:app(o or {})
  d:set { keeper = "init:" .. s.service, config = s.config, error_log = s.log, alt_ports = { d:port() } }
  d.app = s
  return s
end
local function answers(d) assert(http.get(("http://127.0.0.1:%s"):format(file.read(d.p.config):match("port: (%d+)"))).ok, "the service does not answer") end

drill "healthy" { needs = needs, expect = {}, inject = function(d) service(d) d:http {} end }
drill "other-moved" {
  needs = needs, expect = { "taken" }, repair = "move",
  inject = function(d)
    local s = service(d)
    s:stop()
    d.other = d:http { port = s.port }
    try(s.start, s)
  end,
  prove = function(d)
    answers(d)
    assert(d.other:process(), "the other program was stopped")
  end,
}
drill "other-stopped" {
  needs = needs, expect = { "taken" }, repair = "stop-other", prove = answers,
  inject = function(d)
    local s = service(d)
    s:stop()
    d:http { port = s.port }
  end,
}
drill "old-copy" { -- the keeper has lost it
  needs = needs, expect = { "taken-by-copy" }, repair = "stop-copy", prove = answers,
  inject = function(d)
    local s = service(d)
    s:stop()
    d.copy = d:spawn { ready = "starting", "/usr/bin/python3", s.dir .. "/app.py", s.config, "127.0.0.1" }
    wait_until(function() return net.listener(s.port) end, { within = "60s", every = "50ms" })
  end,
}
drill "privileged" {
  needs = { "root", table.unpack(needs) }, expect = { "privileged" }, repair = "move", prove = answers,
  inject = function(d)
    local s = service(d, { as = "nobody" })
    s:stop()
    file.write(s.config, "port: 81\n", { backup = false })
    shell.run { s.service, "start" }
    wait_until(function() return s:logs():find("Permission denied", 1, true) end, { within = "60s", every = "50ms" })
  end,
}
drill "time-wait" { -- it closed its connections last and cannot have its port for a minute: nobody is stopped for that
  needs = needs, expect = { "time-wait" }, result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    local closes_first = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); c = socket.create_connection(s.getsockname()); "
      .. "a = s.accept()[0]; a.close(); c.recv(1); c.close()"
    shell.run { "/usr/bin/python3", "-c", closes_first, tostring(s.port) }
  end,
}
