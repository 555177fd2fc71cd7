-- A real PostgreSQL, foreign clients in it. Loaded with db-connection.lua; drill and test only.

local needs = { "postgres", "initdb", "psql", "python3" }

local function database(d, o)
  local s = d:postgres(o or {})
  s:sql "CREATE TABLE trades(id int PRIMARY KEY); INSERT INTO trades SELECT generate_series(1, 1000); GRANT ALL ON trades TO app"
  d.backend = d:http { routes = { ["/api/v1/health"] = { body = "ok" } } }
  d:set {
    db = s.connection, db_admin = s.admin, db_keeper = "init:" .. s.service, db_host = s.host, db_port = s.port, db_data = s.data, db_log = s.log,
    backend_keeper = "init:" .. d.backend.service, health_url = d.backend.url .. "/api/v1/health", patience = "2s", idle = "1s", min_free = "1MB",
  }
  d.db = s
  return s
end
local function all_rows(d) assert(d.db:sql "SELECT count(*) FROM trades" == "1000", "committed rows are lost") end
local function sessions(d, count, statement)
  for _ = 1, count do d.db:session(statement or "SELECT 1;") end
  wait "2s"
end

drill "healthy" { needs = needs, expect = {}, inject = function(d) database(d) sessions(d, 2) end }
drill "stopped" {
  needs = needs, expect = { "down", "stopped" }, repair = "restart", prove = all_rows,
  inject = function(d) database(d):stop() end,
}
drill "killed" {
  needs = needs, expect = { "down", "stopped" }, repair = "restart", prove = all_rows,
  inject = function(d) database(d):kill() end,
}
drill "hung" {
  needs = needs, expect = { "down", "hung" }, repair = "restart", prove = all_rows,
  inject = function(d) database(d):pause() end,
}
drill "slots" {
  needs = needs, expect = { "slots", "idle" }, repair = "end-idle", prove = all_rows,
  inject = function(d) database(d, { settings = { max_connections = 16, superuser_reserved_connections = 3 } }) sessions(d, 10) end,
}
drill "idle-transaction" {
  needs = needs, expect = { "idle-transaction" }, repair = "end-transaction", prove = all_rows,
  inject = function(d) database(d) sessions(d, 1, "BEGIN; DELETE FROM trades;") sessions(d, 1) end,
}
drill "lets-nobody-in" { -- it answers, and says no: neither hung nor to be restarted
  needs = needs, expect = { "down" }, repair = "restart", result = "found",
  inject = function(d)
    local s = database(d)
    d.pid = s:process().pid
    s:sql "UPDATE pg_database SET datallowconn = false WHERE datname = 'app'"
  end,
  prove = function(d) assert(d.db:process().pid == d.pid, "the server was restarted") end,
}
drill "wrong-password" { -- nothing to repair here, and nothing is restarted
  needs = needs, expect = { "auth" }, repair = "restart", result = "found",
  inject = function(d)
    local s = database(d)
    d.pid = s:process().pid
    d:set { db = s:connection_with("wrong", { password = "wrong" }) }
  end,
  prove = function(d) assert(d.db:process().pid == d.pid, "the server was restarted") end,
}
drill "no-database" {
  needs = needs, expect = { "no-database" }, result = "found",
  inject = function(d) d:set { db = database(d):connection_with("gone", { database = "gone" }) } end,
}
drill "wrong-port" {
  needs = needs, expect = { "down", "not-listening" }, result = "found",
  inject = function(d) d:set { db = database(d):connection_with("other", { port = 1 }), db_port = 1 } end,
}
drill "blocked-port" {
  needs = { "root", "iptables", table.unpack(needs) }, expect = { "down", "blocked" }, result = "found",
  inject = function(d)
    local n = d:netns()
    local s = database(d, { netns = n })
    n:run { "iptables", "-A", "INPUT", "-p", "tcp", "--dport", tostring(s.port), "-j", "DROP" }
  end,
}
drill "backend-left-behind" { -- the database is fine, the backend has not noticed
  needs = needs, expect = { "backend" }, repair = "restart-backend",
  inject = function(d) database(d) d.backend:routes { ["/api/v1/health"] = { status = 503 } } end,
}
drill "corrupt" { -- its write-ahead log is gone: nobody restarts or deletes anything
  needs = needs, expect = { "down", "stopped", "corrupt" }, repair = "restart", result = "found",
  inject = function(d)
    local s = database(d)
    s:stop()
    shell.run { sh = 'find "$1/pg_wal" -type f -delete', args = { s.data } }
    shell.run { s.service, "start" }
    wait_until(function() return s:logs():find("PANIC", 1, true) and not s:process() end, { within = "30s", every = "200ms" })
  end,
}
drill "full-disk" {
  needs = { "root", table.unpack(needs) }, expect = { "disk-full" }, result = "found",
  inject = function(d)
    database(d)
    d:set { db_data = d:tmpfs "4MB", min_free = "2MB" }
    d:fill(d.p.db_data .. "/wal", "3MB")
  end,
}
