-- log-maintenance on real files, with a real process that writes a log. Loaded with log-maintenance.lua; drill only.

local WRITER = [[
import signal, sys, time
path = sys.argv[1]
log = open(path, "a")
def again(*_):
    global log
    log = open(path, "a")
signal.signal(signal.SIGHUP, again)
log.write("first line\n" * 2000); log.flush()
print("writing", flush=True)
while True:
    log.write("a line\n"); log.flush()
    time.sleep(0.1)]]

local function old(path, days) shell.run { "touch", "-d", ("-%s hours"):format(math.floor(days * 24)), path } end
local function put(d, name, days, text)
  local path = d.p.log_dir .. "/" .. name
  file.write(path, text or ("line\n"):rep(200))
  if days then old(path, days) end
  return path
end
local function packed(d, name, days)
  local path = file.gzip(put(d, name)).path
  old(path, days)
  return path
end
local function folder(d)
  d:set { log_dir = d.dir .. "/logs", keep_min = 1, rotate_size = "10KB" }
  file.mkdir(d.p.log_dir)
end
local function there(d, name) return file.stat(d.p.log_dir .. "/" .. name) ~= nil end
local function lines(path) return select(2, (file.read(path) or ""):gsub("\n", "")) end

drill "nothing-to-do" {
  expect = {},
  inject = function(d)
    folder(d)
    put(d, "app.log")
    put(d, "fresh.tmp")
    packed(d, "app.log.1", 29.9)
  end,
}
drill "data-that-sounds-like-a-log" {
  expect = {},
  inject = function(d)
    folder(d)
    put(d, "catalog.login.db", 60)
    put(d, "000123.log", 60, ("x"):rep(20000)) -- a journal of LevelDB
    packed(d, "catalog.login.db", 90)
    packed(d, "catalog.login.2.db", 91)
  end,
}
drill "old-logs" {
  needs = { "python3" }, expect = { "unpacked", "temporary", "expired" },
  repair = { "compress", "delete-temporary", "delete-expired" },
  inject = function(d)
    folder(d)
    d:set { log_dir = d.p.log_dir, keep_min = 1, rotate_size = "10MB" }
    put(d, "app.log.1", 1.1)
    put(d, "with space\nand newline.log", 2)
    put(d, "yesterday.log", 0.9)
    put(d, "old.tmp", 1.5)
    packed(d, "app.log.2", 31)
    packed(d, "audit.log", 400) -- protected
    packed(d, "kept.log", 10)
    d.outside = d.dir .. "/outside.log"
    file.write(d.outside, "not ours\n")
    old(d.outside, 50)
    shell.run { "ln", "-s", d.outside, d.p.log_dir .. "/link.log" }
    d.writer = d:spawn { ready = "writing", "python3", "-c", WRITER, put(d, "open.log") }
    old(d.p.log_dir .. "/open.log", 3)
  end,
  prove = function(d)
    assert(there(d, "app.log.1.gz") and not there(d, "app.log.1"), "an old log was not compressed")
    assert(there(d, "with space\nand newline.log.gz"), "a name with a newline was not compressed")
    assert(there(d, "yesterday.log"), "a log of yesterday was touched")
    assert(there(d, "open.log") and not there(d, "open.log.gz"), "a log that is written was compressed")
    assert(not there(d, "old.tmp") and not there(d, "app.log.2.gz"), "what is past its time is still there")
    assert(there(d, "audit.log.gz") and there(d, "kept.log.gz"), "what must stay is gone")
    assert(file.read(d.outside) == "not ours\n", "a file outside the folder was touched through a link")
    assert(#logs.damaged(d.p.log_dir) == 0, "a compressed log is not whole")
  end,
}
drill "big-log-copied-and-cut" {
  needs = { "python3" }, expect = { "too-big" }, repair = "rotate",
  inject = function(d)
    folder(d)
    d.path = d.p.log_dir .. "/big.log"
    d.writer = d:spawn { ready = "writing", "python3", "-c", WRITER, d.path }
  end,
  prove = function(d)
    local rotated = file.find(d.p.log_dir, { name = "big.log-*" })
    assert(#rotated == 1 and lines(rotated[1].path) >= 2000, "lines were lost")
    local size = file.stat(d.path).size
    wait_until(function() return file.stat(d.path).size > size end, { within = "60s", every = "100ms" })
  end,
}
drill "big-log-reopened" {
  needs = { "python3" }, expect = { "too-big" }, repair = "rotate",
  inject = function(d)
    folder(d)
    d.path = d.p.log_dir .. "/big.log"
    d.writer = d:spawn { ready = "writing", "python3", "-c", WRITER, d.path }
    d:set { reopen = { "kill", "-HUP", tostring(d.writer.pid) } }
  end,
  prove = function(d)
    assert(lines(file.find(d.p.log_dir, { name = "big.log-*" })[1].path) >= 2000, "lines were lost")
    wait_until(function() return file.stat(d.path) and file.stat(d.path).size > 0 end, { within = "60s", every = "100ms" })
  end,
}
drill "name-taken" {
  expect = { "name-taken" }, result = "found",
  inject = function(d)
    folder(d)
    packed(d, "app.log", 2)
    put(d, "app.log", 2)
  end,
  prove = function(d) assert(there(d, "app.log") and there(d, "app.log.gz"), "one of the two is gone") end,
}
drill "damaged" {
  expect = { "damaged" }, result = "found",
  inject = function(d)
    folder(d)
    shell.run { "truncate", "--size=-10", packed(d, "app.log", 1) }
  end,
}
drill "no-folder" {
  expect = { "no-folder" }, result = "found",
  inject = function(d) d:set { log_dir = d.dir .. "/nowhere" } end,
}
