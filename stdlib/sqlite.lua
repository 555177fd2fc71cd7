-- A SQLite database as operations see it: is it locked, by whom, is it whole. db: the path of the file.
-- Every function is one call to the host; errors are those of the verb (`runbook help sql`).
local rt = require "rt"
local task = require "task"

local sqlite = {}

-- connection beside the caller's options; the options table is left as it is.
local function call(verb, db, options, more)
  local args = { connection = db }
  for name, value in pairs(options or {}) do args[name] = value end
  for name, value in pairs(more or {}) do args[name] = value end
  return task.call(verb, args)
end

--- Who keeps writers out. options: wait = how long a lock must be held to count, default "2s".
--- Returns { locked, kind?, mode, holders, readers, hidden, network_fs, hot_journal, files }.
function sqlite.locks(db, options) return call("sql.locks", db, options) end

--- { state = "ok" | "corrupt" | "busy" | "unreadable" | "timeout" | "hot_journal" | "not_a_database", message? }.
--- options: quick (default true), wait, timeout.
function sqlite.integrity(db, options) return call("sql.integrity", db, options) end

--- Does it say of indexes alone that they do not match? Their tables hold all rows then: REINDEX, and no backup is needed.
function sqlite.only_indexes(message)
  local lines = 0
  for line in tostring(message):gmatch("[^\n;]+") do
    if not (line:find("missing from index", 1, true) or line:find("entries in index", 1, true)) then return false end
    lines = lines + 1
  end
  return lines > 0
end

--- true when the write lock was to be had each time, else false and the reason. options: times, wait.
function sqlite.probe(db, options)
  local answer = call("sql.probe", db, options)
  return answer.ok, answer.message
end

--- Writes the WAL back. mode: "passive" (default) or "truncate". Returns { busy, log, checkpointed }.
function sqlite.checkpoint(db, mode, options) return call("sql.checkpoint", db, options, { mode = mode }) end

--- Online copy to a path that must not exist. Returns { path, size, sha256 }. options: wait, timeout.
function sqlite.backup(db, to, options) return call("sql.backup", db, options, { to = to }) end

--- Rolls back what a crash left half done. Returns { rolled_back, hot_journal }.
function sqlite.recover(db, options) return call("sql.recover", db, options) end

local SALVAGE = [[
sqlite3 "$1" .recover >"$2.sql" 2>/dev/null && grep -q "^INSERT" "$2.sql" ||
    sqlite3 "$1" .dump 2>/dev/null | sed "s/^ROLLBACK;.*/COMMIT;/" >"$2.sql"
sqlite3 "$2" <"$2.sql" 2>/dev/null
rm "$2.sql"]]

--- What can still be read of a damaged file, into a new one: by the shell's .recover, and where its build has none (Debian 12), by
--- .dump, which reads each table from both ends. Look at what came of it: nothing may. options: timeout (30m).
function sqlite.salvage(path, to, options)
  task.call("shell.run", { sh = SALVAGE, args = rt.array { path, to }, ok = rt.array { 0, 1 }, timeout = options and options.timeout or 1800 })
end

return sqlite
