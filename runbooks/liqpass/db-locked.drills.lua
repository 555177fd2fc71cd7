-- db-locked on real SQLite files and real processes. Loaded with db-locked.lua; drill and test only.

local function database(d, mode)
  d:set { db = d.dir .. "/us.sqlite" }
  d:sqlite(d.p.db, "PRAGMA journal_mode = " .. mode, "CREATE TABLE orders(id INTEGER PRIMARY KEY, state TEXT, note TEXT)",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
      .. "INSERT INTO orders SELECT i, 'paid', hex(zeroblob(100)) FROM n")
end
local function all_rows(d)
  local paid = d:sqlite(d.p.db, "SELECT count(*) FROM orders WHERE state = 'paid'")
  assert(paid == 1000, "of 1000 committed rows " .. paid .. " are left")
end

-- Another program: opens the file, runs the statements, says so, and stays.
local CLIENT = [[
import signal, sqlite3, sys, time
path, mood, *statements = sys.argv[1:]
if mood == "deaf": signal.signal(signal.SIGTERM, signal.SIG_IGN)
if mood == "willing": signal.signal(signal.SIGCONT, lambda *_: db.rollback())
db = sqlite3.connect(path, isolation_level=None)
for one in statements: db.execute(one).fetchall()
print("standing", flush=True)
time.sleep(600)]]
local function client(d, path, mood, ...) return d:spawn { ready = "standing", "python3", "-c", CLIENT, path, mood, ... } end
local function holder(d, ...) return client(d, d.p.db, "", ...) end

-- Waits in COMMIT for as long as somebody reads.
local WRITER = [[
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=600)
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE orders SET note = 'newer' WHERE id = 7")
print("committing", flush=True)
db.execute("COMMIT")]]

drill "healthy" {
  needs = { "python3", "sqlite3" }, expect = {},
  inject = function(d) database(d, "delete") holder(d, "SELECT count(*) FROM orders") end, -- open and idle is no lock
}
drill "healthy-wal-closed" { needs = { "sqlite3" }, inject = function(d) database(d, "wal") end, expect = {} }
drill "exclusive" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process", prove = all_rows,
  inject = function(d) database(d, "delete") holder(d, "BEGIN EXCLUSIVE", "DELETE FROM orders") end,
}
drill "wal-writer" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process", prove = all_rows,
  inject = function(d) database(d, "wal") holder(d, "BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost'") end,
}
drill "read-left-open" { -- takes no write lock, and yet no commit gets past it
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process", prove = all_rows,
  inject = function(d) database(d, "delete") holder(d, "BEGIN", "SELECT count(*) FROM orders") end,
}
drill "writer-waits" { -- for the reader: the one that is stopped is the reader
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process",
  inject = function(d)
    database(d, "delete")
    d.reader = holder(d, "BEGIN", "SELECT count(*) FROM orders")
    d.writer = d:spawn { "python3", "-c", WRITER, d.p.db, ready = "committing" }
  end,
  prove = function(d)
    all_rows(d)
    assert(not d:alive(d.reader), "the reader still reads")
    wait_until(function() return d:sqlite(d.p.db, "SELECT count(*) FROM orders WHERE note = 'newer'") == 1 end, { within = "60s", every = "50ms" })
  end,
}
drill "suspended" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "suspended" }, repair = { "wake", "stop-process" }, prove = all_rows,
  inject = function(d) database(d, "delete") d:signal(holder(d, "BEGIN EXCLUSIVE"), "STOP") end,
}
drill "suspended-briefly" { -- it lets go by itself once it may run: nobody is stopped
  needs = { "python3", "sqlite3" }, expect = { "locked", "suspended" }, repair = "wake",
  inject = function(d)
    database(d, "delete")
    d.holder = client(d, d.p.db, "willing", "BEGIN IMMEDIATE")
    d:signal(d.holder, "STOP")
  end,
  prove = function(d)
    all_rows(d)
    assert(d:alive(d.holder), "a process that had only to be woken was stopped")
  end,
}
drill "deaf" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process", prove = all_rows, within = "60s",
  inject = function(d) database(d, "delete") client(d, d.p.db, "deaf", "BEGIN IMMEDIATE") end,
}
drill "orphan" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process", prove = all_rows,
  inject = function(d)
    database(d, "delete")
    -- The subshell between the two ends at once.
    d:spawn { ready = "standing", "sh", "-c", '(python3 -c "$0" "$@" &); exec sleep 600', CLIENT, d.p.db, "", "BEGIN EXCLUSIVE" }
  end,
}
drill "old-reader" {
  needs = { "python3", "sqlite3" }, expect = { "wal-big", "reader" }, repair = { "stop-reader", "checkpoint" },
  inject = function(d)
    database(d, "wal")
    d:set { wal_warn = 0 }
    holder(d, "BEGIN", "SELECT count(*) FROM orders")
    d:sqlite(d.p.db, "UPDATE orders SET note = 'newer'")
  end,
  prove = function(d)
    all_rows(d)
    local wal = file.stat(d.p.db .. "-wal")
    assert(not wal or wal.size == 0, "the WAL is still there")
    assert(d:sqlite(d.p.db, "SELECT count(*) FROM orders WHERE note = 'newer'") == 1000, "what the WAL held is lost")
  end,
}
drill "wal-grown" { -- nobody reads an old state: the WAL is written back at once
  needs = { "python3", "sqlite3" }, expect = { "wal-big" }, repair = "checkpoint",
  inject = function(d)
    database(d, "wal")
    d:set { wal_warn = 0 }
    holder(d, "UPDATE orders SET note = 'newer'") -- open and idle: whoever closes last would take the WAL along
  end,
  prove = function(d)
    all_rows(d)
    local wal = file.stat(d.p.db .. "-wal")
    assert(not wal or wal.size == 0, "the WAL is still there")
  end,
}
drill "hot-journal" {
  needs = { "python3", "sqlite3" }, expect = { "hot-journal" }, repair = "recover-journal",
  inject = function(d)
    database(d, "delete")
    -- A small cache writes into the database before the commit: then the journal is all that can undo it.
    local writer = holder(d, "PRAGMA cache_size = 2", "BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost', note = hex(zeroblob(200))")
    d:signal(writer, "KILL")
    wait_until(function() return not d:alive(writer) end, { within = "60s", every = "50ms" })
  end,
  prove = function(d)
    all_rows(d)
    assert(#file.list(d.p.backup_dir) == 2, "the files from before the rollback are not kept")
  end,
}

drill "stopped-half-way" { -- one repair uncovers the next
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = { "stop-process", "recover-journal" },
  inject = function(d)
    database(d, "delete")
    holder(d, "PRAGMA cache_size = 2", "BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost', note = hex(zeroblob(200))")
  end,
  prove = function(d)
    all_rows(d)
    assert(#file.list(d.p.backup_dir, { pattern = "*before-rollback*" }) == 2, "the files from before the rollback are not kept")
  end,
}

-- Starts the client again whenever it ends; after SIGHUP without the lock.
local SUPERVISOR = [[
import signal, subprocess, sys
clean = False
def again(*_):
    global clean
    clean = True
    child.terminate()
signal.signal(signal.SIGHUP, again)
while True:
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2], "", "SELECT 1" if clean else "BEGIN IMMEDIATE"])
    child.wait()]]
drill "supervised" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "service" }, repair = "restart-service",
  inject = function(d)
    database(d, "delete")
    d.supervisor = d:spawn { "python3", "-c", SUPERVISOR, CLIENT, d.p.db, ready = "standing" }
    d:set { restart = { "kill", "-HUP", tostring(d.supervisor.pid) } }
  end,
  prove = function(d)
    all_rows(d)
    assert(d:alive(d.supervisor), "the supervisor was stopped")
  end,
}
drill "bystander" {
  needs = { "python3", "sqlite3" }, expect = { "locked", "process" }, repair = "stop-process",
  inject = function(d)
    database(d, "delete")
    d.other = client(d, d.dir .. "/other.sqlite", "", "BEGIN EXCLUSIVE")
    d.idle = holder(d, "SELECT count(*) FROM orders")
    holder(d, "BEGIN IMMEDIATE")
  end,
  prove = function(d)
    all_rows(d)
    assert(d:alive(d.other), "a process with another database was touched")
    assert(d:alive(d.idle), "a process that only had the file open was touched")
  end,
}
drill "corrupt" { -- even where stopping somebody is agreed to
  needs = { "python3", "sqlite3" }, expect = { "corrupt", "locked", "process" }, repair = "stop-process", result = "found",
  inject = function(d)
    database(d, "delete")
    d.holder = holder(d, "BEGIN IMMEDIATE")
    shell.run { "python3", "-c", "f = open(__import__('sys').argv[1], 'r+b'); f.write(b'not a database, not any more')", d.p.db }
    d.sum = file.hash(d.p.db)
  end,
  prove = function(d)
    assert(d:alive(d.holder), "a process was stopped over a corrupt file")
    assert(file.hash(d.p.db) == d.sum, "the corrupt file was changed")
  end,
}
drill "read-only-file" { -- somebody's chmod: whose file it is, a person knows
  needs = { "sqlite3" }, expect = { "perm" }, result = "found",
  inject = function(d) database(d, "delete") file.chmod(d.p.db, "0444") end,
}
drill "read-only-folder" { -- no journal can be made beside the file
  needs = { "root", "sqlite3" }, expect = { "perm" }, result = "found",
  inject = function(d)
    database(d, "delete")
    file.chown(d.p.db, { owner = "nobody" })
    file.chmod(d.dir, "0755")
  end,
}
drill "read-only-mount" { -- what the kernel does after a disk error
  needs = { "root", "sqlite3" }, expect = { "read-only-fs" }, result = "found",
  inject = function(d)
    local disk = d:tmpfs "2MB"
    database(d, "delete")
    file.copy(d.p.db, disk .. "/us.sqlite")
    d:set { db = disk .. "/us.sqlite" }
    shell.run { "mount", "-o", "remount,ro", disk }
  end,
}
drill "cut-to-nothing" { -- SQLite takes a file of 0 bytes for a whole database
  needs = { "sqlite3" }, expect = { "corrupt" }, result = "found",
  inject = function(d) database(d, "delete") shell.run { "truncate", "--size=0", d.p.db } end,
}
drill "no-room-for-a-backup" { -- it is said before the holder is stopped
  needs = { "python3", "root", "sqlite3" }, expect = { "locked", "process", "no-room" }, result = "found",
  inject = function(d)
    database(d, "delete")
    local small = d:tmpfs "600KB"
    file.copy(d.p.db, small .. "/us.sqlite")
    d:set { db = small .. "/us.sqlite" }
    d:fill(small .. "/other", "250KB")
    holder(d, "BEGIN IMMEDIATE")
  end,
}
