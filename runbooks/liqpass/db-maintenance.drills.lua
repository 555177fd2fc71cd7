-- db-maintenance on real SQLite files. Loaded with db-maintenance.lua; drill only.

local function database(d, ...)
  d:set { db = d.dir .. "/us.sqlite", keep_min = 1 }
  d:sqlite(d.p.db, "PRAGMA journal_mode = WAL", "CREATE TABLE orders(id INTEGER PRIMARY KEY, note TEXT)",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO orders SELECT i, hex(zeroblob(100)) FROM n",
    "ANALYZE", ...)
end
local function old(path, days) shell.run { "touch", "-d", ("-%s hours"):format(math.floor(days * 24)), path } end
local function saved(d, days)
  local one = backup.sqlite(d.p.db, d.p.backup_dir, { name = ("us-%03d"):format(math.floor(days * 10)) })
  old(one.path, days)
  return one.path
end
local function rows(d, path) return d:sqlite(path or d.p.db, "SELECT count(*) FROM orders") end
local function copies(d) return file.list(d.p.backup_dir, { pattern = "*.sqlite" }) end

local CLIENT = [[
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for one in sys.argv[2:]: db.execute(one).fetchall()
print("standing", flush=True)
time.sleep(600)]]

drill "nothing-to-do" {
  needs = { "sqlite3" }, expect = {},
  inject = function(d) database(d) saved(d, 0) end,
}
drill "first-backup" {
  needs = { "sqlite3" }, expect = { "backup-due" }, repair = "backup",
  inject = function(d) database(d) end,
  prove = function(d)
    local list = copies(d)
    assert(#list == 1 and backup.verify(list[1].path).state == "ok", "there is no verified backup")
    assert(rows(d, list[1].path) == 2000, "rows are missing from the backup")
  end,
}
drill "while-somebody-writes" { -- what is in the WAL belongs to the backup, what is not committed does not
  needs = { "python3", "sqlite3" }, expect = { "backup-due" }, repair = "backup",
  inject = function(d)
    database(d)
    d:spawn { ready = "standing", "python3", "-c", CLIENT, d.p.db, "PRAGMA wal_autocheckpoint = 0",
      "INSERT INTO orders(note) VALUES ('in the WAL')", "BEGIN IMMEDIATE", "DELETE FROM orders" }
  end,
  prove = function(d) assert(rows(d, copies(d)[1].path) == 2001, "the backup is not what was committed") end,
}
drill "eight-days" {
  needs = { "sqlite3" }, expect = { "backup-due", "expired" }, repair = { "backup", "prune" },
  inject = function(d)
    database(d)
    saved(d, 6.9)
    saved(d, 7.1)
    d.cp = d.p.db .. ".backup.20260101" -- as the manual makes them
    shell.run { "cp", d.p.db, d.cp }
    old(d.cp, 9)
    d.emergency = d.p.db .. ".emergency.backup.20250101"
    shell.run { "cp", d.p.db, d.emergency }
    old(d.emergency, 300)
  end,
  prove = function(d)
    local left = copies(d)
    assert(#left == 2, "one backup of 6.9 days and the new one stay, not " .. #left)
    assert(not file.stat(d.cp), "the copy the manual made is still there")
    assert(file.stat(d.emergency), "an emergency backup was cleared away")
    local aside = file.list(d.p.backup_dir .. "/set-aside")
    assert(#aside == 1 and aside[1].type == "dir", "what was cleared away cannot be brought back")
  end,
}
drill "set-aside" {
  needs = { "sqlite3" }, expect = { "set-aside" }, repair = "empty",
  inject = function(d)
    database(d)
    saved(d, 0)
    file.mkdir(d.p.backup_dir .. "/set-aside/quarantine-old")
    file.write(d.p.backup_dir .. "/set-aside/quarantine-old/us.sqlite", "old")
    old(d.p.backup_dir .. "/set-aside/quarantine-old", 1)
  end,
  prove = function(d) assert(#file.list(d.p.backup_dir .. "/set-aside") == 0, "it is still there") end,
}
drill "backup-fails" { -- nothing is pruned on the strength of a backup that was not made
  needs = { "sqlite3", "chattr" }, expect = { "backup-due", "expired" }, repair = { "backup", "prune" }, result = "failed",
  inject = function(d)
    database(d)
    saved(d, 5)
    saved(d, 9)
    d:set { db = d.p.db, backup_dir = d.p.backup_dir, keep_min = 1, room_factor = 1 }
    shell.run { "chmod", "0500", d.p.backup_dir }
    shell.run { sh = '[ "$(id -u)" != 0 ] || chattr +i "$1"', args = { d.p.backup_dir } } -- rights do not stop root
    d:defer(function() shell.run { sh = '[ "$(id -u)" != 0 ] || chattr -i "$1"; chmod 0700 "$1"', args = { d.p.backup_dir } } end)
  end,
  prove = function(d) assert(#copies(d) == 2, "a backup is gone although none was made") end,
}
drill "newest-damaged" {
  needs = { "sqlite3" }, expect = { "backup-due", "backup-damaged" }, repair = "backup",
  inject = function(d)
    database(d)
    saved(d, 2)
    local bad = saved(d, 0)
    file.append(bad, "x")
  end,
  prove = function(d) assert(#copies(d) == 3, "the damaged backup is gone, or no new one came") end,
}
drill "fragmented" {
  needs = { "sqlite3" }, expect = { "backup-due", "fragmented" }, repair = { "backup", "compact" },
  inject = function(d) database(d, "DELETE FROM orders WHERE id > 200", "PRAGMA wal_checkpoint(TRUNCATE)") end,
  prove = function(d)
    assert(rows(d) == 200, "rows are lost")
    assert(d:sqlite(d.p.db, "PRAGMA freelist_count") == 0, "it is not compacted")
  end,
}
drill "not-analysed" {
  needs = { "sqlite3" }, expect = { "not-analysed" }, repair = "optimize",
  inject = function(d)
    database(d, "DROP TABLE sqlite_stat1")
    saved(d, 0)
  end,
  prove = function(d) assert(d:sqlite(d.p.db, "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'") == 1, "not analysed") end,
}
drill "corrupt" { -- a corrupt database changes nothing
  needs = { "sqlite3" }, expect = { "corrupt", "expired", "backup-due" }, result = "found",
  inject = function(d)
    database(d)
    d:sqlite(d.p.db, "PRAGMA journal_mode = DELETE")
    saved(d, 3)
    saved(d, 9)
    shell.run { sh = 'dd if=/dev/urandom of="$1" bs=4096 seek=2 count=6 conv=notrunc 2>/dev/null', args = { d.p.db } }
  end,
  prove = function(d) assert(#copies(d) == 2, "a backup of a good time is gone") end,
}
drill "missing" {
  expect = { "missing" }, result = "found",
  inject = function(d) d:set { db = d.dir .. "/nowhere.sqlite" } end,
}
drill "no-room" { -- nothing is backed up, compacted or cleared away
  needs = { "root", "sqlite3" }, expect = { "no-room", "backup-due" }, repair = { "backup", "compact", "prune" }, result = "found",
  inject = function(d)
    database(d)
    local small = d:tmpfs "1500KB"
    d:sqlite(d.p.db, "PRAGMA wal_checkpoint(TRUNCATE)")
    file.copy(d.p.db, small .. "/us.sqlite")
    d:set { db = small .. "/us.sqlite", backup_dir = small .. "/backups" }
    d:fill(small .. "/other", "900KB")
  end,
  prove = function(d) assert(not file.stat(d.p.backup_dir), "something was written") end,
}
