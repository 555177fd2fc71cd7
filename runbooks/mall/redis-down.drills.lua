-- A real Redis. Loaded with redis-down.lua; drill and test only.

local needs = { "redis-server", "redis-cli", "python3" }

local function cache(d, o)
  o = o or {}
  o.settings = o.settings or { maxmemory = "64mb" }
  local s = d:redis(o)
  d:set { cache = s.connection, cache_keeper = "init:" .. s.service, cache_log = s.log, patience = "1s", target_maxmemory = "32MB" }
  d.cache = s
  return s
end
local FILL = [[for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, string.rep('x', 1000)) end]]
local function fill(s, prefix, count) s:cli("EVAL", FILL, "0", prefix, count) end
local function protected(d)
  fill(d.cache, "stock:lock:", 20)
  fill(d.cache, "session:cache:", 20)
end
local function still_protected(d)
  assert(#redis(d.cache.connection):scan { match = "stock:lock:*" } == 20, "stock locks are gone")
  assert(#redis(d.cache.connection):scan { match = "session:cache:*" } == 20, "sessions are gone")
end
-- Takes every connection there is.
local CROWD = [[
import socket, sys, time
crowd = []
for _ in range(64):
    one = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
    one.sendall(b"PING\r\n")
    crowd.append(one)
    if not one.recv(64).startswith(b"+PONG"): break
print("full")
time.sleep(600)]]

drill "healthy" { needs = needs, expect = {}, inject = function(d) fill(cache(d), "goods:cache:", 100) end }
drill "stopped" {
  needs = needs, expect = { "down", "stopped" }, repair = "restart",
  inject = function(d) cache(d, { settings = { maxmemory = "64mb", appendonly = "yes" } }):cli("SET", "stock:lock:1", "a") d.cache:kill() end,
  prove = function(d) assert(d.cache:cli("GET", "stock:lock:1") == "a", "what was saved is lost") end,
}
drill "hung" { needs = needs, expect = { "down", "hung" }, repair = "restart", inject = function(d) cache(d):pause() end }
drill "wrong-password" {
  needs = needs, expect = { "auth" }, repair = "restart", result = "found",
  inject = function(d)
    local s = cache(d, { password = "right password" })
    d.pid = s:process().pid
    d:secret("stale", "wrong password")
    d:set { cache = d:connection("stale", { driver = "redis", host = s.host, port = s.port, tls = "off", password = { secret = "stale" } }) }
  end,
  prove = function(d) assert(d.cache:process().pid == d.pid, "it was restarted") end,
}
drill "full" {
  needs = needs, expect = { "memory-full", "noeviction" }, repair = "clear-cache", prove = still_protected,
  inject = function(d)
    cache(d, { settings = { maxmemory = "4mb" } })
    protected(d)
    d:set { protect = { "stock:lock:*", "session:*" } }
    try(function() fill(d.cache, "goods:cache:", 5000) end)
  end,
}
drill "full-of-other-things" { -- nothing that may go: more room
  needs = needs, expect = { "memory-full", "noeviction" }, repair = { "clear-cache", "raise-maxmemory" }, prove = still_protected,
  inject = function(d)
    cache(d, { settings = { maxmemory = "4mb" } })
    protected(d)
    try(function() fill(d.cache, "stock:count:", 5000) end)
  end,
}
drill "full-cache-only" {
  needs = needs, expect = { "memory-full", "noeviction" }, repair = "evict",
  inject = function(d)
    cache(d, { settings = { maxmemory = "4mb" } })
    try(function() fill(d.cache, "goods:cache:", 5000) end)
  end,
  prove = function(d)
    fill(d.cache, "goods:cache:new:", 100)
    assert(#redis(d.cache.connection):scan { match = "goods:cache:*", max = 10000 } > 1000, "more went than had to")
  end,
}
drill "loading" { -- nobody interrupts it
  needs = needs, expect = { "loading" }, repair = "restart", result = "found",
  inject = function(d)
    local slow = { ["key-load-delay"] = "50000", ["loading-process-events-interval-bytes"] = "1024", rdbcompression = "no", maxmemory = "64mb" }
    local s = cache(d, { settings = slow })
    fill(s, "goods:cache:", 1000)
    s:cli "SAVE"
    keeper.restart("init:" .. s.service)
    wait_until(function() return s:logs():find("Loading RDB", 1, true) end, { within = "60s", every = "50ms" })
  end,
}
drill "no-maxmemory" {
  needs = needs, expect = { "no-maxmemory" }, repair = "raise-maxmemory",
  inject = function(d) cache(d, { settings = { maxmemory = "0" } }) end,
  prove = function(d)
    d.cache:restart()
    assert(redis(d.cache.connection):info("memory").maxmemory == 32000000, "after a restart it is gone")
  end,
}
drill "not-saving" {
  needs = needs, expect = { "not-saving" }, result = "found",
  inject = function(d)
    local s = cache(d, { settings = { maxmemory = "64mb", save = "3600 1", ["enable-protected-configs"] = "yes" } })
    file.mkdir(s.dir .. "/data")
    s:cli("CONFIG", "SET", "dir", s.dir .. "/data")
    file.remove(s.dir .. "/data", { tree = true })
    s:cli("SET", "a", "1")
    s:cli("BGSAVE")
    wait_until(function() return s:cli("INFO", "persistence"):find("rdb_last_bgsave_status:err", 1, true) end, { within = "60s", every = "100ms" })
  end,
}
drill "clients" {
  needs = needs, expect = { "clients", "idle-client" }, repair = "end-idle",
  inject = function(d)
    local s = cache(d, { settings = { maxmemory = "64mb", maxclients = 8 } })
    d:set { idle = "1s", max_clients_pct = 70 }
    for _ = 1, 5 do d:spawn { ready = "PONG", "sh", "-c", "(echo PING; exec sleep 600) | redis-cli -h $0 -p $1", s.host, s.port } end
    wait "2s"
  end,
}
drill "replica" {
  needs = needs, expect = { "replica" }, result = "found",
  inject = function(d) local master = d:redis {} cache(d, { settings = { maxmemory = "64mb", replicaof = "127.0.0.1 " .. master.port } }) end,
}
drill "unreachable" {
  needs = needs, expect = { "down", "unreachable" }, result = "found",
  inject = function(d) cache(d) d:set { cache = "redis://127.0.0.1:1/0" } end,
}

local COMPOSE = [[
version: "2.4"
services:
  redis-master: { image: "lab/redis:1", network_mode: host, command: ["/usr/bin/redis-server", "--port", "PORT", "--maxmemory", "64mb", "--save", ""] }
]]
drill "container-stopped" { -- as it runs in production: a service of a compose project
  needs = { "root", "dockerd", "docker-compose", "redis-server" }, expect = { "down", "stopped" }, repair = "restart",
  inject = function(d)
    local s, port = d:dockerd {}, d:port()
    s:image("lab/redis:1", { "redis-server" })
    s:compose("mall", (COMPOSE:gsub("PORT", tostring(port))))
    d:set { cache = ("redis://127.0.0.1:%d/0"):format(port), cache_keeper = "compose:mall/redis-master@" .. s.socket, patience = "2s" }
    wait_until(function() return redis(d.p.cache):ask "PING" end, { within = "30s", every = "200ms" })
    s:docker("stop", "--time", "5", "mall_redis-master_1")
  end,
}
drill "no-clients-left" { -- it runs, and tells everybody to go away: neither down nor unreachable
  needs = needs, expect = { "clients" }, result = "found",
  inject = function(d)
    local s = cache(d, { settings = { maxmemory = "64mb", maxclients = 8 } })
    d:spawn { ready = "full", "python3", "-u", "-c", CROWD, s.host, tostring(s.port) }
  end,
}
drill "endless-script" { -- a restart would lose what is not saved; the script can be ended
  needs = needs, expect = { "script" }, repair = "end-script",
  inject = function(d)
    local s = cache(d, { settings = { maxmemory = "64mb", ["busy-reply-threshold"] = "100" } })
    d.pid = s:process().pid
    d:spawn { ready = "BUSY", "sh", "-c", 'redis-cli -h "$0" -p "$1" EVAL "while true do end" 0 >/dev/null 2>&1 & '
      .. 'until redis-cli -h "$0" -p "$1" PING 2>&1 | grep BUSY; do sleep 0.1; done; exec sleep 600', s.host, tostring(s.port) }
  end,
  prove = function(d) assert(d.cache:process().pid == d.pid, "it was restarted") end,
}
drill "replica-without-master" { -- such a one answers not even PING
  needs = needs, expect = { "replica" }, result = "found",
  inject = function(d)
    local s = cache(d, {})
    s:cli("CONFIG", "SET", "replica-serve-stale-data", "no")
    s:cli("REPLICAOF", "127.0.0.1", "1")
  end,
}
drill "replicas-gone" {
  needs = needs, expect = { "no-replicas" }, result = "found",
  inject = function(d) cache(d, { settings = { maxmemory = "64mb", ["min-replicas-to-write"] = "1" } }) end,
}
drill "healthy-without-config" { -- hosted Redis lets nobody see its configuration
  needs = needs, expect = {}, inject = function(d) cache(d):cli("ACL", "SETUSER", "default", "-CONFIG") end,
}
