-- A MySQL or MariaDB server as operations see it. c: a connection. Reads are one statement each, and errors are those of
-- sql (`runbook help sql`). postgres has the functions of the same names: ping slots sessions idle kill cancel blockers
-- replication sizes explain dump import compare.
local server = require "server"
local task = require "task"

local mysql = {}

-- auth: also a host that may not, a locked account, an expired password, TLS that is asked for; slots: also those of one account.
local CAUSES = { ["1045"] = "auth", ["1698"] = "auth", ["1044"] = "auth", ["1130"] = "auth", ["4151"] = "auth", ["3118"] = "auth", ["1862"] = "auth",
  ["1820"] = "auth", ["3159"] = "auth", ["1049"] = "no-database", ["1040"] = "slots", ["1203"] = "slots", ["1226"] = "slots", ["1053"] = "starting" }

--- Does it answer? true, or false and { code, message, state, cause? }; state is the server's error number. Others than
--- mysqladmin ping, this says when the password is wrong (cause auth), there are no slots (slots) or no such database
--- (no-database). options: timeout.
function mysql.ping(c, options) return server.ping(c, "%((%d+)%)$", CAUSES, options) end

--- What its log says when it does not come up, as patterns of text: corrupt, full (the disk), recovering.
mysql.signs = {
  corrupt = "Database page corruption|Data structure corruption|Inconsistent tablespace ID|page checksum"
    .. "|Your database may be corrupt|InnoDB: Corruption|Cannot open .*ibdata",
  full = "No space left on device|errno: 28|Errcode: 28|disk is full",
  recovering = "Starting crash recovery|InnoDB: Doing recovery",
}

local function is_mariadb(c) return server.value(c, "SELECT VERSION()"):find("MariaDB", 1, true) ~= nil end

-- SHOW … answers { Variable_name, Value }: as a map, numbers as numbers.
local function shown(c, query)
  local out = {}
  for _, row in ipairs(server.rows(c, query)) do out[row.Variable_name] = tonumber(row.Value) or row.Value end
  return out
end

--- { used, max, reserved, free, aborted }: sessions now, and what is left; one more is kept for an administrator.
function mysql.slots(c)
  local s = shown(c, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected', 'Aborted_connects')")
  local max = server.value(c, "SELECT @@global.max_connections")
  return { used = s.Threads_connected, max = max, reserved = 1, free = math.max(max - s.Threads_connected, 0),
    aborted = s.Aborted_connects }
end

local SESSION = [[
  SELECT id, user, db AS `database`, host AS client, command AS state, time AS seconds, state AS doing,
    LEFT(info, 1000) AS query
  FROM information_schema.processlist
  WHERE id <> CONNECTION_ID() AND user NOT IN ('system user', 'event_scheduler')
    AND command NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon')]]

--- Sessions of clients, not our own and none of the replication: { id, user, database, client, state, seconds, doing,
--- query }. seconds: how long in this state.
function mysql.sessions(c) return server.rows(c, SESSION .. " ORDER BY id") end

--- The sessions that have done nothing for so many seconds, longest first.
function mysql.idle(c, seconds)
  return server.rows(c, SESSION .. " AND command = 'Sleep' AND time >= ? ORDER BY time DESC", seconds)
end

--- Those whose transaction is open for so many seconds: { id, seconds, state, rows_locked, query }.
function mysql.transactions(c, seconds)
  return server.rows(c, [[SELECT trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds,
    trx_state AS state, trx_rows_locked AS rows_locked, LEFT(trx_query, 1000) AS query
    FROM information_schema.innodb_trx WHERE TIMESTAMPDIFF(SECOND, trx_started, NOW()) >= ? ORDER BY trx_started]], seconds)
end

--- Sessions that sit idle in an open transaction for so many seconds: { id, user, client, seconds, rows_modified }. They
--- hold locks and keep old rows.
function mysql.idle_transactions(c, seconds)
  return server.rows(c, [[SELECT p.id, p.user, p.host AS client, p.time AS seconds, t.trx_rows_modified AS rows_modified
    FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    WHERE p.command = 'Sleep' AND p.time >= ? ORDER BY p.time DESC]], seconds)
end

-- An id is never given twice while the server runs.
local function kill(c, words, id)
  local ok, done = task.protect(server.exec, c, words .. " ?", id)
  if ok then return done.changes ~= nil end
  if done.kind == "verb" and done.message:find("(1094)", 1, true) then return false end
  error(done, 0)
end

--- Ends a session; false when it is gone already. id as sessions or idle gave it.
function mysql.kill(c, id) return kill(c, "KILL", id) end

--- Ends what a session is doing, and leaves it connected.
function mysql.cancel(c, id) return kill(c, "KILL QUERY", id) end

local BLOCKERS = {
  mariadb = [[
    SELECT w.trx_mysql_thread_id AS waiting, TIMESTAMPDIFF(SECOND, w.trx_wait_started, NOW()) AS seconds,
      LEFT(w.trx_query, 1000) AS query, b.trx_mysql_thread_id AS blocking,
      TIMESTAMPDIFF(SECOND, b.trx_started, NOW()) AS blocking_seconds, LEFT(b.trx_query, 1000) AS blocking_query,
      b.trx_rows_modified AS `rows`, p.user
    FROM information_schema.innodb_lock_waits l JOIN information_schema.innodb_trx w ON w.trx_id = l.requesting_trx_id
      JOIN information_schema.innodb_trx b ON b.trx_id = l.blocking_trx_id
      LEFT JOIN information_schema.processlist p ON p.id = b.trx_mysql_thread_id ORDER BY 2 DESC]],
  mysql = [[
    SELECT waiting_pid AS waiting, wait_age_secs AS seconds, LEFT(waiting_query, 1000) AS query, blocking_pid AS blocking,
      TIMESTAMPDIFF(SECOND, blocking_trx_started, NOW()) AS blocking_seconds, LEFT(blocking_query, 1000) AS blocking_query,
      blocking_trx_rows_modified AS `rows`, p.user
    FROM sys.innodb_lock_waits LEFT JOIN information_schema.processlist p ON p.id = blocking_pid ORDER BY 2 DESC]],
}

--- Who waits for whose lock: { waiting, seconds, query, blocking, blocking_seconds, blocking_query,
--- rows = changed by it, user }. blocking is what kill takes; a blocker without a query is an idle one with an open transaction;
--- blocking 0 is a transaction that XA has prepared and no session holds any more.
function mysql.blockers(c) return server.rows(c, BLOCKERS[is_mariadb(c) and "mariadb" or "mysql"]) end

local CHANGES = { ALTER = true, CREATE = true, DROP = true, TRUNCATE = true, RENAME = true, OPTIMIZE = true, FLUSH = true, LOCK = true }

--- Sessions that wait for a table as a whole (its definition, LOCK TABLES, FLUSH TABLES WITH READ LOCK), longest first: { id, user,
--- seconds, doing, query, change }. change: it wants to change the table, and whoever comes after it waits behind it.
function mysql.table_waits(c)
  local list = server.rows(c, SESSION .. " AND (state LIKE 'Waiting for %lock%' OR state = 'Waiting for table flush') ORDER BY time DESC")
  for _, one in ipairs(list) do one.change = CHANGES[(type(one.query) == "string" and one.query or ""):match("^%s*(%a*)"):upper()] == true end
  return list
end

--- The last deadlock, as the server describes it: { at, text }, or nil.
function mysql.deadlock(c)
  local status = server.row(c, "SHOW ENGINE INNODB STATUS").Status
  local _, start = status:find("LATEST DETECTED DEADLOCK\n%-+\n")
  if not start then return nil end
  local stop = status:find("\n%-+\n[A-Z ]+\n%-+\n", start) or #status + 1
  local text = status:sub(start + 1, stop - 1)
  return { at = text:match("^(%d+%-%d+%-%d+ +%d+:%d+:%d+)"), text = text }
end

--- { replica, running?, lag_seconds?, error?, source?, replicas }: is it a replica, do both its threads run, how many
--- replicas are connected to it.
function mysql.replication(c)
  local r = server.row(c, "SHOW REPLICA STATUS") or {}
  local n = server.value(c, "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
  local io, sql = r.Slave_IO_Running or r.Replica_IO_Running, r.Slave_SQL_Running or r.Replica_SQL_Running
  local message = (r.Last_IO_Error or "") .. (r.Last_SQL_Error or "")
  return { replica = io ~= nil, running = io and io == "Yes" and sql == "Yes",
    lag_seconds = r.Seconds_Behind_Master or r.Seconds_Behind_Source, error = message ~= "" and message or nil,
    source = r.Master_Host or r.Source_Host, replicas = n }
end

--- The largest tables: { schema, name, bytes, rows, engine }. rows is the server's estimate.
function mysql.sizes(c, limit)
  return server.rows(c, [[SELECT table_schema AS `schema`, table_name AS name, data_length + index_length AS bytes,
    table_rows AS `rows`, engine FROM information_schema.tables WHERE table_type = 'BASE TABLE'
    AND table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY 3 DESC LIMIT ?]], limit or 20)
end

--- Tables without a primary key, which replicate slowly: { schema, name }.
function mysql.without_key(c)
  return server.rows(c, [[SELECT t.table_schema AS `schema`, t.table_name AS name FROM information_schema.tables t
    LEFT JOIN information_schema.table_constraints k ON k.table_schema = t.table_schema AND k.table_name = t.table_name
    AND k.constraint_type = 'PRIMARY KEY' WHERE t.table_type = 'BASE TABLE' AND k.table_name IS NULL
    AND t.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')]])
end

--- { on, path, seconds }: is the slow query log written, where, and from how many seconds.
function mysql.slow_log(c)
  local v = shown(c, "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('slow_query_log', 'slow_query_log_file', 'long_query_time')")
  return { on = v.slow_query_log == "ON", path = v.slow_query_log_file, seconds = v.long_query_time }
end

--- The plan of a statement, not run: the server's rows.
function mysql.explain(c, query, ...) return server.rows(c, "EXPLAIN " .. query, ...) end

-- Of a server as its tools want it; the password goes by the environment.
local function argv_of(name, s, more)
  local argv = { name, "--no-defaults", "--user=" .. (s.user or "root") }
  if s.socket then
    argv[#argv + 1] = "--socket=" .. s.socket
  else
    argv[#argv + 1] = "--host=" .. (s.host or "127.0.0.1")
    argv[#argv + 1] = "--port=" .. tostring(s.port or 3306)
  end
  for _, word in ipairs(more) do argv[#argv + 1] = word end
  return argv
end

--- Writes one database into a new file, mode 0600, without locking tables, and looks for its last line.
--- s: { host | socket, port, user, password, database }; password is a secret. Returns { path, size }. Raises exit when
--- the dump is not whole. options: timeout, default 30 minutes; tool, default "mysqldump".
function mysql.dump(s, to, options)
  options = options or {}
  local argv = argv_of(options.tool or "mysqldump", s, { "--single-transaction", "--quick", "--routines", "--triggers",
    "--events", "--hex-blob", "--result-file=" .. to, s.database })
  local done = server.tool(argv, { MYSQL_PWD = s.password }, { to = to, timeout = options.timeout })
  if not (done.ok and mysql.whole(to)) then
    error(task.error { code = "exit", message = to .. ": no \"Dump completed\" at its end", verb = "mysql.dump" }, 0)
  end
  return { path = to, size = task.call("file.stat", { path = to }).size }
end

--- Does a dump end as a whole one does?
function mysql.whole(path)
  local stat = task.call("file.stat", { path = path })
  if not stat then return false end
  local tail = task.call("file.read", { path = path, max = 200, offset = math.max(stat.size - 200, 0) })
  return tail:find("-- Dump completed", 1, true) ~= nil
end

--- Makes a new, empty database, and drops one.
function mysql.create(c, name) server.exec(c, "CREATE DATABASE " .. server.quoted(name, "`")) end
function mysql.drop(c, name) server.exec(c, "DROP DATABASE IF EXISTS " .. server.quoted(name, "`")) end

-- The line with which mysqldump begins an event; a dump that cannot be read to its end must not look whole.
local QUIET_EVENTS = [[from=$1; shift
{ sed '/^\/\*!50106 CREATE\*\//s/ ON COMPLETION \(NOT \)\{0,1\}PRESERVE ENABLE/ ON COMPLETION \1PRESERVE DISABLE/' < "$from" ||
  echo 'the dump could not be read;'; } | "$@"]]

--- Brings a dump into s.database by the server's own client. For a restore test, one that create made: with events = false,
--- because an event of the copy would run there, and what it names may be the live database. options: events, tool, timeout.
function mysql.import(s, from, options)
  options = options or {}
  local args = argv_of(options.tool or "mysql", s, { s.database })
  table.insert(args, 1, from)
  local sh = options.events == false and QUIET_EVENTS or 'from=$1; shift; exec "$@" < "$from"'
  task.call("shell.run", { sh = sh, args = args, env = { MYSQL_PWD = s.password },
    timeout = options.timeout or 1800 })
end

local function contents(c, database)
  local names = server.rows(c, [[SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = ? AND table_type = 'BASE TABLE' ORDER BY 1]], database)
  local out = {}
  for i, t in ipairs(names) do
    local full = server.quoted(database, "`") .. "." .. server.quoted(t.name, "`")
    out[i] = { name = t.name, rows = server.value(c, "SELECT COUNT(*) FROM " .. full),
      sum = server.row(c, "CHECKSUM TABLE " .. full).Checksum }
  end
  return out
end

--- Compares all tables of two databases of one server by number and checksum of their rows: { name, left, right } for
--- each that differs; empty when they are alike. Reads every row.
function mysql.compare(c, left, right) return server.differences(contents(c, left), contents(c, right)) end

return mysql
