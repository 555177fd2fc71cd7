-- A PostgreSQL server as operations see it. c: a connection. Reads are one statement each, and errors are those of sql
-- (`runbook help sql`). mysql has the functions of the same names: ping slots sessions idle kill cancel blockers
-- replication sizes explain dump import compare.
local rt = require "rt"
local server = require "server"
local task = require "task"

local postgres = {}

local CAUSES = { ["28P01"] = "auth", ["28000"] = "auth", ["3D000"] = "no-database", ["53300"] = "slots", ["57P03"] = "starting" }

--- Does it answer? true, or false and { code, message, state, cause? }; state is the SQLSTATE. Others than pg_isready, this
--- says when there are no slots (cause slots), the password is wrong (auth), the database is missing (no-database) or the
--- server is still starting. options: timeout.
function postgres.ping(c, options) return server.ping(c, "SQLSTATE (%w+)", CAUSES, options) end

--- What its log says when it does not come up, as patterns of text: corrupt, full (the disk), recovering.
postgres.signs = {
  corrupt = "PANIC:|invalid page in block|could not locate a valid checkpoint record|database files are incompatible",
  full = "No space left on device",
  recovering = "database system was not properly shut down|redo starts at",
}

--- { used, max, reserved, free }: clients now, and what is left for ordinary accounts.
function postgres.slots(c)
  local s = server.row(c, [[
    SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS used,
      current_setting('max_connections')::int AS max, current_setting('superuser_reserved_connections')::int AS reserved
    FROM pg_stat_activity]])
  s.free = math.max(s.max - s.reserved - s.used, 0)
  return s
end

local SESSION = [[
  SELECT pid AS id, usename AS user, datname AS database, host(client_addr) AS client, application_name AS app, state,
    backend_start AS started, extract(epoch FROM now() - state_change)::float8 AS seconds,
    extract(epoch FROM now() - xact_start)::float8 AS transaction_seconds, wait_event_type AS waits_for,
    left(query, 1000) AS query
  FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> 'runbook']]

--- Sessions of clients, none of ours: { id, user, database, client, app, state, started, seconds, transaction_seconds,
--- waits_for, query }. seconds: how long in this state.
function postgres.sessions(c) return server.rows(c, SESSION .. " ORDER BY backend_start") end

--- The sessions that have done nothing for so many seconds, longest first.
function postgres.idle(c, seconds)
  return server.rows(c, SESSION .. [[ AND state LIKE 'idle%' AND now() - state_change >= make_interval(secs => ?)
    ORDER BY state_change]], seconds)
end

--- Those whose transaction is open for so many seconds; they hold locks and keep VACUUM from its work.
function postgres.transactions(c, seconds)
  return server.rows(c, SESSION .. [[ AND now() - xact_start >= make_interval(secs => ?) ORDER BY xact_start]], seconds)
end

--- Sessions that sit idle in an open transaction for so many seconds, as sessions.
function postgres.idle_transactions(c, seconds)
  return server.rows(c, SESSION .. [[ AND state LIKE 'idle in transaction%' AND now() - state_change >= make_interval(secs => ?)
    ORDER BY state_change]], seconds)
end

-- started must be the one that was seen: a process id may belong to another session by now.
local function signal(c, fn, id, started)
  local done = server.exec(c, "SELECT " .. fn .. [[(pid) AS done FROM pg_stat_activity WHERE pid = ?
    AND backend_start = ?::timestamptz AND backend_type = 'client backend' AND pid <> pg_backend_pid()]], id, started)
  return done.rows[1] ~= nil and done.rows[1].done
end

--- Ends a session; false when it is gone already. id and started as sessions or idle gave them.
function postgres.kill(c, id, started) return signal(c, "pg_terminate_backend", id, started) end

--- Ends what a session is doing, and leaves it connected.
function postgres.cancel(c, id, started) return signal(c, "pg_cancel_backend", id, started) end

--- Who waits for whose lock: { waiting, seconds, query, blocking, started, state, user, app, blocking_query }.
--- blocking and started are what kill takes.
function postgres.blockers(c)
  return server.rows(c, [[
    SELECT w.pid AS waiting, extract(epoch FROM now() - w.state_change)::float8 AS seconds, left(w.query, 1000) AS query,
      b.pid AS blocking, b.backend_start AS started, b.state, b.usename AS user, b.application_name AS app,
      left(b.query, 1000) AS blocking_query
    FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS x (pid)
      JOIN pg_stat_activity b ON b.pid = x.pid ORDER BY 2 DESC]])
end

--- { standby, lag_seconds?, replicas = { { name, client, state, sync_state, lag_bytes } }, slots = { { name, active,
--- retained_bytes } } }. lag_seconds grows on an idle primary too: nothing is replayed then.
function postgres.replication(c)
  local at = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END"
  local r = server.row(c, [[SELECT pg_is_in_recovery() AS standby,
    extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 AS lag_seconds]])
  r.replicas = server.rows(c, "SELECT application_name AS name, host(client_addr) AS client, state, sync_state, pg_wal_lsn_diff("
    .. at .. ", replay_lsn)::int8 AS lag_bytes FROM pg_stat_replication")
  r.slots = server.rows(c, "SELECT slot_name::text AS name, active, pg_wal_lsn_diff(" .. at
    .. ", restart_lsn)::int8 AS retained_bytes FROM pg_replication_slots")
  return r
end

--- The largest tables: { schema, name, bytes, rows, dead, vacuumed }. rows and dead are the server's estimates.
function postgres.sizes(c, limit)
  return server.rows(c, [[SELECT schemaname AS schema, relname AS name, pg_total_relation_size(relid) AS bytes,
    n_live_tup AS rows, n_dead_tup AS dead, greatest(last_vacuum, last_autovacuum) AS vacuumed
    FROM pg_stat_user_tables ORDER BY 3 DESC LIMIT ?]], limit or 20)
end

--- { name, bytes } of every database that can be connected to.
function postgres.databases(c)
  return server.rows(c, [[SELECT datname AS name, pg_database_size(oid) AS bytes FROM pg_database
    WHERE datallowconn ORDER BY 2 DESC]])
end

--- The statements that take most time: { query, calls, mean_ms, total_ms, rows }; nil without pg_stat_statements.
function postgres.slow(c, limit)
  if not server.value(c, "SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'") then return nil end
  local new = server.value(c, "SELECT current_setting('server_version_num')::int") >= 130000
  local mean, total = new and "mean_exec_time" or "mean_time", new and "total_exec_time" or "total_time"
  return server.rows(c, ("SELECT left(query, 1000) AS query, calls, %s AS mean_ms, %s AS total_ms, rows "
    .. "FROM pg_stat_statements ORDER BY %s DESC LIMIT ?"):format(mean, total, total), limit or 10)
end

--- The plan of a statement, not run, as the server's own JSON.
function postgres.explain(c, query, ...)
  return server.value(c, "EXPLAIN (FORMAT JSON) " .. query, ...)[1]
end

-- Of a server as its tools want it; the password goes by the environment.
local function tool(name, s, more, options)
  local argv = { name, "--no-password", "--host", s.socket or s.host or "localhost", "--port", tostring(s.port or 5432),
    "--username", s.user or "postgres" }
  for _, word in ipairs(more) do argv[#argv + 1] = word end
  return server.tool(argv, { PGPASSWORD = s.password }, options)
end

--- Writes one database into a new file (pg_dump, its own format), mode 0600, and reads its table of contents back.
--- s: { host | socket, port, user, password, database }; password is a secret. Returns { path, size }. Raises exit when
--- the dump is not whole. options: timeout, default 30 minutes.
function postgres.dump(s, to, options)
  options = options or {}
  local done = tool("pg_dump", s, { "--format=custom", "--file", to, s.database }, { to = to, timeout = options.timeout })
  local listed = done.ok and task.call("shell.read", { argv = rt.array { "pg_restore", "--list", to } })
  if not listed.ok then
    error(task.error { code = "exit", message = to .. ": pg_restore cannot read it: " .. listed.err, verb = "postgres.dump" }, 0)
  end
  return { path = to, size = task.call("file.stat", { path = to }).size }
end

--- Makes a new, empty database, and drops one; sessions that are still in it are ended (PostgreSQL 13 and later).
function postgres.create(s, name) tool("createdb", s, { "--template=template0", name }, {}) end
function postgres.drop(s, name) tool("dropdb", s, { "--if-exists", "--force", name }, {}) end

--- Brings a dump into a database: all of it, or nothing. For a restore test into one that create made.
function postgres.import(s, from, options)
  options = options or {}
  tool("pg_restore", s, { "--exit-on-error", "--single-transaction", "--no-owner", "--dbname", s.database, from },
    { timeout = options.timeout })
end

local function contents(c)
  local names = server.rows(c, [[SELECT schemaname AS schema, tablename AS name FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2]])
  local out = {}
  for i, t in ipairs(names) do
    local full = server.quoted(t.schema, '"') .. "." .. server.quoted(t.name, '"')
    local n = server.row(c, "SELECT count(*) AS rows, sum(hashtext(t::text)::int8)::text AS sum FROM " .. full .. " t")
    out[i] = { name = t.schema .. "." .. t.name, rows = n.rows, sum = n.sum }
  end
  return out
end

--- Compares all tables of two databases by their rows: { name, left, right } for each that differs, with the numbers of
--- rows; empty when they are alike. Reads every row.
function postgres.compare(left, right) return server.differences(contents(left), contents(right)) end

return postgres
