-- A real MariaDB, foreign clients in it. Loaded with db-connection-failed.lua; drill and test only.

local needs = { "mariadbd", "mariadb-install-db", "mariadb", "python3" }

local function database(d, o)
  local s = d:mysql(o or {})
  s:sql "CREATE TABLE orders(id INT PRIMARY KEY) SELECT seq AS id FROM seq_1_to_1000"
  d.backend = d:http { routes = { ["/health"] = { body = "ok" } } }
  d:set {
    db = s.connection, db_admin = s.admin, db_keeper = "init:" .. s.service, db_host = s.host, db_port = s.port, db_data = s.data, db_log = s.log,
    backend_keeper = "init:" .. d.backend.service, health_url = d.backend.url .. "/health", patience = "2s", idle = "2s", min_free = "1MB",
    env_file = d.dir .. "/.env.prod",
  }
  d.db = s
  return s
end
local function all_rows(d) assert(d.db:sql "SELECT count(*) FROM orders" == "1000", "committed rows are lost") end
local function sessions(d, count, statement)
  for _ = 1, count do d.db:session(statement or "SELECT 1;") end
  wait "3s"
end

drill "healthy" {
  needs = needs, expect = {},
  inject = function(d)
    database(d)
    file.write(d.p.env_file, "DB_POOL_SIZE=10\nDB_PASSWORD=secret\n")
    sessions(d, 2)
  end,
}
drill "stopped" { needs = needs, expect = { "down", "stopped" }, repair = "restart", prove = all_rows, inject = function(d) database(d):kill() end }
drill "hung" { needs = needs, expect = { "down", "hung" }, repair = "restart", prove = all_rows, inject = function(d) database(d):pause() end }
drill "slots" {
  needs = needs, expect = { "slots", "idle" }, repair = "end-idle", prove = all_rows,
  inject = function(d) database(d, { settings = { max_connections = 10 } }) sessions(d, 9) end,
}
drill "idle-transaction" {
  needs = needs, expect = { "idle-transaction" }, repair = "end-transaction", prove = all_rows,
  inject = function(d) database(d) sessions(d, 1, "BEGIN; DELETE FROM orders;") sessions(d, 1) end,
}
drill "wrong-password" {
  needs = needs, expect = { "auth" }, repair = "restart", result = "found",
  inject = function(d)
    local s = database(d)
    d.pid = s:process().pid
    d:set { db = s:connection_with("wrong", { password = "wrong" }) }
  end,
  prove = function(d) assert(d.db:process().pid == d.pid, "the server was restarted") end,
}
drill "account-locked" {
  needs = needs, expect = { "auth" }, repair = "restart", result = "found",
  inject = function(d) database(d):sql "ALTER USER app@'%' ACCOUNT LOCK" end,
}
drill "small-pool" {
  needs = needs, expect = { "pool" }, repair = "set-pool",
  inject = function(d)
    database(d)
    d.pid = d.backend:process().pid
    file.write(d.p.env_file, "# shop\nDB_POOL_SIZE=1\nDB_PASSWORD='se cret'\n")
  end,
  prove = function(d)
    assert(file.read(d.p.env_file) == "# shop\nDB_POOL_SIZE=20\nDB_PASSWORD='se cret'\n", "something else changed")
    assert(d.backend:process().pid ~= d.pid, "the backend still has the old value")
  end,
}
drill "pool-larger-than-the-server" {
  needs = needs, expect = { "pool" }, repair = "set-pool",
  inject = function(d)
    database(d, { settings = { max_connections = 20 } })
    d:set { workers = 2 }
    file.write(d.p.env_file, "DB_POOL_SIZE=50\n")
  end,
  prove = function(d) assert(file.read(d.p.env_file) == "DB_POOL_SIZE=7\n", file.read(d.p.env_file)) end,
}
drill "bind-address" {
  needs = needs, expect = { "bind-address" }, result = "found",
  inject = function(d) database(d) d:set { db_host = "db.mall.internal" } end,
}
drill "full-disk" {
  needs = { "root", table.unpack(needs) }, expect = { "disk-full" }, result = "found",
  inject = function(d)
    database(d)
    d:set { db_data = d:tmpfs "4MB", min_free = "2MB" }
    d:fill(d.p.db_data .. "/binlog.000001", "3MB")
  end,
}
drill "no-database" { -- no empty one is made
  needs = needs, expect = { "no-database" }, result = "found",
  inject = function(d)
    local s = database(d)
    s:sql "GRANT ALL ON *.* TO app@'%'" -- without rights the server says no more than that they are missing
    d:set { db = s:connection_with("gone", { database = "gone" }) }
  end,
}
drill "wrong-port" {
  needs = needs, expect = { "down", "not-listening" }, result = "found",
  inject = function(d) d:set { db = database(d):connection_with("other", { port = 1 }), db_port = 1 } end,
}
drill "blocked-port" {
  needs = { "root", "iptables", table.unpack(needs) }, expect = { "down", "blocked" }, result = "found",
  inject = function(d)
    local n = d.netns()
    local s = database(d, { netns = n })
    d:set { db_host = s.host }
    n:run { "iptables", "-A", "INPUT", "-p", "tcp", "--dport", tostring(s.port), "-j", "DROP" }
  end,
}
drill "backend-left-behind" { -- the database is fine, the backend has not noticed
  needs = needs, expect = { "backend" }, repair = "restart-backend", prove = all_rows,
  inject = function(d) database(d) d.backend:routes { ["/health"] = { status = 503 } } end,
}
drill "corrupt" { -- its system pages are garbage and it does not come up: nobody restarts or deletes anything
  needs = needs, expect = { "down", "stopped", "corrupt" }, repair = "restart", result = "found",
  inject = function(d)
    local s = database(d)
    s:stop()
    shell.run { sh = 'dd if=/dev/urandom of="$1/ibdata1" bs=16384 seek=0 count=8 conv=notrunc 2>/dev/null', args = { s.data } }
    shell.run { s.service, "start" }
    wait_until(function() return not s:process() end, { within = "60s", every = "200ms" })
  end,
}
