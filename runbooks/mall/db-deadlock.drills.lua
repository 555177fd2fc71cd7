-- A real MariaDB with transactions in each other's way. Loaded with db-deadlock.lua; drill and test only.

local needs = { "mariadbd", "mariadb-install-db", "mariadb", "python3" }

local function database(d)
  local s = d:mysql {}
  s:sql "CREATE TABLE stock(id INT PRIMARY KEY, n INT) SELECT seq AS id, 100 AS n FROM seq_1_to_100"
  d:set { db_admin = s.admin, db_keeper = "init:" .. s.service, wait = "1s", min_age = "2s" }
  d.db = s
  return s
end
-- Says so before it waits.
local function waiter(s, id) s:session(("SELECT 'standing'; UPDATE stock SET n = n - 1 WHERE id = %d; SELECT 'got it';"):format(id)) end
local function rows(d, id) return tonumber(d.db:sql("SELECT n FROM stock WHERE id = " .. id)) end

drill "healthy" { -- a long report blocks nobody
  needs = needs, expect = {},
  inject = function(d)
    local s = database(d)
    s:session "BEGIN; SELECT * FROM stock;"
    s:session "SELECT 'standing'; SELECT SLEEP(600);"
    wait "3s"
  end,
}
drill "idle-blocker" {
  needs = needs, expect = { "waiting", "idle-blocker" }, repair = "end-idle-blocker",
  inject = function(d)
    local s = database(d)
    s:session "BEGIN; UPDATE stock SET n = 0 WHERE id <= 2;"
    waiter(s, 1) waiter(s, 2)
    d.report = s:session "SELECT 'standing'; SELECT SLEEP(600);"
    wait "3s"
  end,
  prove = function(d)
    wait_until(function() return rows(d, 1) == 99 and rows(d, 2) == 99 end, { within = "60s" })
    assert(d:alive(d.report), "a report that blocked nobody was ended")
    assert(d.db:sql "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND info NOT LIKE '%processlist%'" == "1", "the "
                      .. "report's query was cancelled")
  end,
}
drill "busy-blocker" {
  needs = needs, expect = { "waiting", "busy-blocker" }, repair = "cancel-blocker",
  inject = function(d)
    local s = database(d)
    s:session "BEGIN; UPDATE stock SET n = 0 WHERE id = 1; SELECT 'standing'; SELECT SLEEP(600);"
    waiter(s, 1)
    wait "4s"
  end,
  prove = function(d) wait_until(function() return rows(d, 1) == 99 end, { within = "60s" }) end,
}
drill "young-blocker" { -- not yet a reason to end anybody
  needs = needs, expect = { "waiting" }, repair = { "end-idle-blocker", "cancel-blocker" }, result = "found",
  inject = function(d)
    local s = database(d)
    d:set { min_age = "10m" }
    s:session "BEGIN; UPDATE stock SET n = 0 WHERE id = 1;"
    waiter(s, 1)
    wait "2s"
  end,
}
drill "deadlock" { -- two transactions cross; the server has already rolled one back
  needs = needs, expect = { "deadlock" }, repair = { "end-idle-blocker", "cancel-blocker" }, result = "found",
  inject = function(d)
    local s = database(d)
    s:session "BEGIN; UPDATE stock SET n = n - 1 WHERE id = 1; SELECT 'standing'; DO SLEEP(2); UPDATE stock SET n = n - 1 WHERE id = 2; COMMIT;"
    s:session "BEGIN; UPDATE stock SET n = n - 1 WHERE id = 2; SELECT 'standing'; DO SLEEP(2); UPDATE stock SET n = n - 1 WHERE id = 1; COMMIT;"
    wait_until(function() return s:sql "SHOW ENGINE INNODB STATUS":find("LATEST DETECTED DEADLOCK", 1, true) end, { within = "20s" })
    wait "2s"
  end,
}
drill "change-waits" { -- an ALTER behind an idle reader, and everybody behind the ALTER: InnoDB knows of no wait
  needs = needs, expect = { "change-waits" }, repair = "cancel-change",
  inject = function(d)
    local s = database(d)
    d.reader = s:session "BEGIN; SELECT n FROM stock WHERE id = 1;"
    s:session "SELECT 'standing'; ALTER TABLE stock ADD COLUMN note TEXT;"
    wait "1s"
    waiter(s, 2)
    wait "2s"
  end,
  prove = function(d)
    wait_until(function() return rows(d, 2) == 99 end, { within = "60s" })
    assert(d:alive(d.reader), "the reader was ended")
  end,
}
drill "read-lock" { -- somebody's backup holds all tables: that is asked for, not ended
  needs = needs, expect = { "table-wait" }, repair = { "end-idle-blocker", "cancel-blocker", "cancel-change" }, result = "found",
  inject = function(d)
    local s = database(d)
    s:session "FLUSH TABLES WITH READ LOCK; SELECT 'standing';"
    waiter(s, 1)
    wait "2s"
  end,
}
drill "prepared" { -- its client is gone, its locks are not; there is nobody to end
  needs = needs, expect = { "waiting", "prepared-blocker" }, repair = { "end-idle-blocker", "cancel-blocker" }, result = "found",
  inject = function(d)
    local s = database(d)
    s:sql "XA START 'pay'; UPDATE stock SET n = 0 WHERE id = 1; XA END 'pay'; XA PREPARE 'pay'"
    waiter(s, 1)
    wait "3s"
  end,
}
