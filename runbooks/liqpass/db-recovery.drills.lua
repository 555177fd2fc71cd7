-- db-recovery on real SQLite files; the backend is a real HTTP server with a keeper.

local function fill(d, path, rows, mode)
  d:sqlite(path, "PRAGMA journal_mode = " .. (mode or "delete"), "CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT)",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < " .. rows .. ") INSERT INTO orders SELECT i, hex(zeroblob(50)) FROM n")
end
local function system_of(d, mode)
  d.back = d:http {}
  file.mkdir(d.dir .. "/data")
  d:set { db = d.dir .. "/data/us.sqlite", backup_dir = d.dir .. "/backups", us_health_url = d.back.url .. "/healthz", keeper = "init:" .. d.back.service }
  file.mkdir(d.p.backup_dir)
  fill(d, d.p.db, 2000, mode)
end
local function saved(d, path, rows, age)
  fill(d, path, rows)
  d:age(path, age)
end
local function spoil(path)
  shell.run { "/usr/bin/python3", "-c", "f = open(__import__('sys').argv[1], 'r+b'); f.seek(0); f.write(b'garbage ' * 2000)", path }
end
local function rows(d, n)
  return function() assert(d:sqlite(d.p.db, "SELECT count(*) FROM orders") == n, "not the rows of the right backup") end
end
local function restored(n)
  return function(d)
    rows(d, n)()
    assert(#file.find(d.p.backup_dir, { name = "us.sqlite" }) <= 1 and http.get(d.p.us_health_url).ok, "the backend does not run")
  end
end
local answers = { ["catch-up"] = true }
local needs = { "python3", "sqlite3" }

drill "healthy" {
  needs = needs, inject = function(d) system_of(d) d.sum = file.hash(d.p.db) end, expect = {},
  prove = function(d) assert(file.hash(d.p.db) == d.sum, "a healthy database was changed") end,
}
drill "garbage" { -- the newest backup is bad itself: the older one counts
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, prove = restored(1000),
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "2d")
    saved(d, d.p.backup_dir .. "/us-2.sqlite", 1500, "1d")
    spoil(d.p.backup_dir .. "/us-2.sqlite")
    d:age(d.p.backup_dir .. "/us-2.sqlite", "1d")
    spoil(d.p.db)
  end,
}
drill "missing-with-a-dated-backup" {
  needs = needs, expect = { "missing", "data-loss" }, answers = answers, prove = restored(800),
  inject = function(d)
    system_of(d)
    file.move(d.p.db, d.dir .. "/lost")
    saved(d, d.dir .. "/data/us.sqlite.backup.20240120", 800, "1d")
  end,
}
local WRITER = [[
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint = 0"); db.execute("INSERT INTO orders SELECT id + 100000, 'late' FROM orders")
os.kill(os.getpid(), 9)]]
drill "stale-wal" { -- left in place it would be replayed into what was restored
  needs = needs, expect = { "missing", "data-loss" }, answers = answers, prove = restored(1000),
  inject = function(d)
    system_of(d, "wal")
    shell.run { "/usr/bin/python3", "-c", WRITER, d.p.db, ok = { 0, 137, -9 } }
    assert(file.stat(d.p.db .. "-wal").size > 0, "no WAL was left")
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    file.remove(d.p.db)
  end,
}
drill "no-backup" { -- nothing is stopped, nothing is touched
  needs = needs, expect = { "corrupt", "no-backup" }, answers = answers, result = "found",
  inject = function(d) system_of(d) spoil(d.p.db) d.sum, d.pid = file.hash(d.p.db), d.back:process().pid end,
  prove  = function(d)
    assert(file.hash(d.p.db) == d.sum, "the file was touched")
    assert(d.back:process().pid == d.pid, "the backend was stopped")
  end,
}
drill "empty-on-purpose" {
  needs = needs, expect = { "missing" }, answers = answers, prove = restored(0),
  inject = function(d)
    system_of(d)
    file.remove(d.p.db)
    d:set { allow_init = true, init_dir = d.dir, init = { "sqlite3", d.p.db, "CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT)" } }
  end,
}
drill "emptied-file" { -- 0 bytes are a whole database to SQLite; it gets back its owner, too, whom a backup does not have
  needs = { "python3", "root", "sqlite3" }, expect = { "corrupt", "data-loss" }, answers = answers,
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    file.chmod(d.p.backup_dir .. "/us-1.sqlite", "0600")
    shell.run { "truncate", "--size=0", d.p.db }
    file.chown(d.p.db, { owner = 65534, group = 65534 })
    file.chmod(d.p.db, "0640")
  end,
  prove = function(d)
    restored(1000)(d)
    local stat = file.stat(d.p.db)
    assert(stat.uid == 65534 and stat.mode & 511 == 416, "the service cannot open it")
  end,
}
drill "newest-is-empty" { -- somebody has run init-db.js before, and the nightly backup came after
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, prove = restored(1000),
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "2d")
    saved(d, d.p.backup_dir .. "/us-2.sqlite", 1500, "1d")
    d:sqlite(d.p.backup_dir .. "/us-2.sqlite", "DELETE FROM orders")
    d:age(d.p.backup_dir .. "/us-2.sqlite", "1d")
    spoil(d.p.db)
  end,
}
drill "changed-backup" { -- whole, but not what its manifest says was saved
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, prove = restored(1000),
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "2d")
    d:sqlite(backup.sqlite(d.p.db, d.p.backup_dir).path, "DELETE FROM orders WHERE id > 5")
    spoil(d.p.db)
  end,
}
drill "still-open" { -- somebody else has it open: nothing is moved, and the backend may be started again
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, result = "failed", fails_at = "stop",
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    spoil(d.p.db)
    d.sum = file.hash(d.p.db)
    d:spawn { ready = "open", "python3", "-c", "import sys, time; f = open(sys.argv[1]); print('open', flush=True); time.sleep(600)", d.p.db }
  end,
  prove = function(d) assert(file.hash(d.p.db) == d.sum, "the file was touched") end,
}
drill "taken-back" { -- the restore was a mistake: the bad file is back in its place, to the byte
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, undo = true,
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    spoil(d.p.db)
    d.sum = file.hash(d.p.db)
  end,
  prove = function(d)
    assert(file.hash(d.p.db) == d.sum, "it is not the file that was there")
    assert(d.back:process(), "the backend was not started again")
  end,
}
local HALF = [[
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 5"); db.execute("BEGIN"); db.execute("UPDATE orders SET note = 'late'")
os.kill(os.getpid(), 9)]]
local function cut_off(d)
  system_of(d)
  shell.run { "/usr/bin/python3", "-c", HALF, d.p.db, ok = { 0, 137, -9 } }
  assert(file.stat(d.p.db .. "-journal").size > 0, "no journal was left")
end
drill "half-a-transaction" { -- it only has to be rolled back, by db-locked: restoring would throw good data away
  needs = needs, expect = {}, result = "failed", fails_at = "database",
  inject = function(d) cut_off(d) d.sum = file.hash(d.p.db) end,
  prove  = function(d) assert(file.hash(d.p.db) == d.sum and file.stat(d.p.db .. "-journal"), "it was touched") end,
}
drill "stale-journal" { -- left in place it would be rolled back into what was restored
  needs = needs, expect = { "missing", "data-loss" }, answers = answers,
  inject = function(d)
    cut_off(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    file.remove(d.p.db)
  end,
  prove = function(d)
    restored(1000)(d)
    assert(not file.stat(d.p.db .. "-journal"), "the old journal is still there")
    assert(d:sqlite(d.p.db, "PRAGMA integrity_check") == "ok", "it is not whole")
  end,
}
drill "salvage" { -- no backup at all: what can be read is saved before an empty database takes the place
  needs = needs, expect = { "corrupt" }, answers = answers,
  inject = function(d)
    system_of(d)
    local holes = "f = open(__import__('sys').argv[1], 'r+b'); f.seek(12 * 4096); f.write(b'garbage ' * 1024)"
    shell.run { "/usr/bin/python3", "-c", holes, d.p.db }
    d:set { allow_init = true, init_dir = d.dir, init = { "sqlite3", d.p.db, "CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT)" } }
  end,
  prove = function(d, out)
    local saved_rows = d:sqlite(out.r.salvage.path, "SELECT count(*) FROM orders")
    assert(saved_rows > 1500 and saved_rows < 2000, "rows saved: " .. tostring(saved_rows))
    rows(d, 0)()
  end,
}
drill "index-only" { -- nothing is lost, and a restore would lose what came since the backup
  needs = needs, expect = { "index-only" }, result = "found", answers = answers,
  inject = function(d)
    system_of(d)
    d:sqlite(d.p.db, "CREATE INDEX i ON orders(note)", "PRAGMA writable_schema = ON",
      "UPDATE sqlite_master SET sql = 'CREATE INDEX i ON orders(note) WHERE 0' WHERE name = 'i'")
    d:sqlite(d.p.db, "INSERT INTO orders(note) VALUES ('late')")
    d:sqlite(d.p.db, "PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = 'CREATE INDEX i ON orders(note)' WHERE name = 'i'")
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "1d")
    d.sum = file.hash(d.p.db)
  end,
  prove = function(d) assert(file.hash(d.p.db) == d.sum, "the file was touched") end,
}
drill "another-database" { -- a newer backup in the same folder is of another database
  needs = needs, expect = { "corrupt", "data-loss" }, answers = answers, prove = restored(1000),
  inject = function(d)
    system_of(d)
    saved(d, d.p.backup_dir .. "/us-1.sqlite", 1000, "2d")
    saved(d, d.p.backup_dir .. "/jp-1.sqlite", 1500, "1h")
    spoil(d.p.db)
  end,
}
