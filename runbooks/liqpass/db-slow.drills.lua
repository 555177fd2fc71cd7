-- A real SQLite file that is slow for one reason each. Loaded with db-slow.lua; drill and test only.

local ROWS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
  .. "INSERT INTO orders SELECT i, 's' || (i % 500), hex(zeroblob(50)) FROM n"
local COUNTS = "SELECT sum((SELECT count(*) FROM orders b WHERE b.state = a.state)) FROM (SELECT * FROM orders LIMIT 400) a"

local function database(d, ...)
  d:set { db = d.dir .. "/us.sqlite", expected_indexes = { "orders.state", "orders.id" }, sample_queries = { COUNTS }, slow = "300ms" }
  d:sqlite(d.p.db, "PRAGMA journal_mode = WAL", "CREATE TABLE orders(id INTEGER PRIMARY KEY, state TEXT, note TEXT)", ROWS,
    "CREATE INDEX orders_by_state ON orders(state)", "ANALYZE", ...)
end
local function rows(d, count)
  local left = d:sqlite(d.p.db, "SELECT count(*) FROM orders")
  assert(left == (count or 20000), "rows left: " .. left)
  assert(d:sqlite(d.p.db, "PRAGMA integrity_check") == "ok", "it is not whole")
end
local needs = { "sqlite3" }

drill "healthy" { needs = needs, expect = {}, inject = function(d) database(d) end }
drill "missing-index" {
  needs = needs, expect = { "missing-index", "slow" }, repair = "create-index", prove = function(d) rows(d) end,
  inject = function(d) database(d, "DROP INDEX orders_by_state", "ANALYZE") end,
}
drill "slow-and-rollback-journal" { -- nothing to make an index on: only the journal mode is ours to change
  needs = needs, expect = { "slow", "rollback-journal" }, repair = "use-wal", result = "found",
  inject = function(d)
    database(d, "PRAGMA journal_mode = DELETE", "DROP INDEX orders_by_state", "ANALYZE")
    d:set { expected_indexes = {} }
  end,
  prove = function(d) assert(d:sqlite(d.p.db, "PRAGMA journal_mode") == "wal", "still no WAL") end,
}
drill "no-statistics" {
  needs = needs, expect = { "stats-missing" }, repair = "analyze", prove = function(d) rows(d) end,
  inject = function(d) database(d, "DROP TABLE sqlite_stat1") end,
}
drill "fragmented" {
  needs = needs, expect = { "fragmented" }, repair = "vacuum",
  inject = function(d)
    database(d, "DELETE FROM orders WHERE id > 8000", "PRAGMA wal_checkpoint(TRUNCATE)")
    d:set { many_rows = 100000 }
  end,
  prove = function(d)
    rows(d, 8000)
    assert(d:sqlite(d.p.db, "PRAGMA freelist_count") == 0, "free pages are left")
    assert(#file.list(d.p.backup_dir, { pattern = "*.sqlite" }) == 1, "no backup was made")
  end,
}
drill "fragmented-and-in-use" { -- it says so instead of hanging
  needs = { "python3", "sqlite3" }, expect = { "fragmented" }, repair = "vacuum", result = "failed",
  inject = function(d)
    database(d, "DELETE FROM orders WHERE id > 8000", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE")
    d:set { many_rows = 100000, sample_queries = {} }
    d:spawn { ready = "standing", "python3", "-c", "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN'); "
      .. "db.execute('SELECT count(*) FROM orders').fetchall(); print('standing', flush=True); time.sleep(600)", d.p.db }
  end,
  prove = function(d) rows(d, 8000) end,
}
drill "no-room-to-vacuum" {
  needs = { "root", "sqlite3" }, expect = { "fragmented" }, repair = "vacuum", result = "found",
  inject = function(d)
    database(d, "DELETE FROM orders WHERE id > 8000", "PRAGMA wal_checkpoint(TRUNCATE)")
    local small = d:tmpfs "6MB"
    file.copy(d.p.db, small .. "/us.sqlite")
    d:set { db = small .. "/us.sqlite", backup_dir = d.dir .. "/backups", many_rows = 100000 }
  end,
  prove = function(d) rows(d, 8000) end,
}
drill "index-corrupt" {
  needs = needs, expect = { "index-corrupt" }, repair = "reindex",
  inject = function(d)
    database(d, "PRAGMA writable_schema = ON",
      "UPDATE sqlite_master SET sql = 'CREATE INDEX orders_by_state ON orders(note)' WHERE name = 'orders_by_state'")
    d:set { expected_indexes = {}, sample_queries = {} }
  end,
  prove = function(d) rows(d) end,
}
drill "corrupt" { -- neither VACUUM nor REINDEX touches it
  needs = needs, expect = { "corrupt" }, repair = { "vacuum", "reindex", "analyze" }, result = "found",
  inject = function(d)
    database(d, "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE")
    d:set { expected_indexes = {}, sample_queries = {}, many_rows = 100000 }
    shell.run { sh = 'dd if=/dev/urandom of="$1" bs=4096 seek=20 count=2 conv=notrunc 2>/dev/null', args = { d.p.db } }
    d.sum = file.hash(d.p.db)
  end,
  prove = function(d) assert(file.hash(d.p.db) == d.sum, "it was touched") end,
}
drill "large" {
  needs = needs, expect = { "large" }, result = "found", inject = function(d) database(d) d:set { max_db = "1MB" } end,
}
