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

-- A program of a few lines of Python that listens on the port.
local function listens(d, port, more)
  local lines = { "import ctypes, os, socket, sys, time", "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))", more, "print('listening', flush=True)",
    "time.sleep(600)" }
  return d:spawn { ready = "listening", "/usr/bin/python3", "-c", table.concat(lines, "\n"), tostring(port), d.dir }
end
local function says(d, name, lines)
  file.write(d.dir .. "/" .. name, "#!/bin/sh\n" .. lines, { mode = "0755", backup = false })
  d:set { keeper = "init:" .. d.dir .. "/" .. name }
end
drill "keeper-without-a-number" { -- its status says that it runs, and not which process that is
  needs = needs, expect = {}, prove = answers,
  inject = function(d)
    local s = service(d)
    says(d, "coze", ('[ "$1" = status ] || exec %s "$1"; %s status >/dev/null && echo "coze is running."\n'):format(s.service, s.service))
  end,
}
drill "held-from-above" { -- as PM2 holds the socket of its cluster
  needs = needs, expect = {},
  inject = function(d)
    local s = service(d)
    s:stop()
    listens(d, s.port, "pid = os.fork()\nif pid == 0: time.sleep(600)\nopen(sys.argv[2] + '/child', 'w').write(str(pid))")
    says(d, "cluster", ('cat "%s/child"\n'):format(d.dir))
  end,
}
drill "with-workers" { -- they share its socket: stopping one of them would free nothing
  needs = needs, expect = { "taken" }, repair = "stop-other", prove = answers,
  inject = function(d)
    local s = service(d)
    s:stop()
    listens(d, s.port, "up = os.getpid()\nfor _ in range(3):\n  if os.getpid() == up and os.fork() == 0:\n    "
      .. "while os.getppid() == up: time.sleep(0.1)\n    os._exit(0)")
  end,
}
drill "of-a-container" { -- ending Docker's process would leave the container as it is
  needs = needs, expect = { "taken" }, repair = "stop-other", result = "found",
  inject = function(d)
    local s = service(d)
    s:stop()
    listens(d, s.port, "ctypes.CDLL(None).prctl(15, b'docker-proxy')")
  end,
  prove = function(d) assert(net.listener(d.app.port), "it was stopped") end,
}
drill "privileged-in-small-letters" { -- as Node and Go say it
  needs = { "root", table.unpack(needs) }, expect = { "privileged" }, repair = "move", prove = answers,
  inject = function(d)
    local s = service(d, { as = "nobody" })
    s:stop()
    file.write(s.config, "port: 81\n", { backup = false })
    file.write(d.dir .. "/said.log", "Error: listen EACCES: permission denied 0.0.0.0:81\n")
    d:set { error_log = d.dir .. "/said.log" }
  end,
}
