-- health-check on real HTTP servers and a real SQLite file. It only looks, so every drill ends with what it found.

local function system(d)
  d.us, d.jp = d:http {}, d:http {}
  d:set { db = d.dir .. "/us.sqlite", us_health_url = d.us.url .. "/healthz", jp_health_url = d.jp.url .. "/healthz", timeout = 2 }
  d:sqlite(d.p.db, "CREATE TABLE orders(id INTEGER PRIMARY KEY)", "INSERT INTO orders VALUES (1)")
end
local function broken(fn) return function(d) system(d) fn(d) end end

drill "healthy" {
  needs = { "python3", "sqlite3" }, inject = function(d) system(d) d.sum = file.hash(d.p.db) end, expect = {},
  prove = function(d) assert(file.hash(d.p.db) == d.sum, "the database was changed") end,
}
drill "us-down" {
  needs = { "python3", "sqlite3" }, expect = { "us-failed" }, result = "found",
  inject = broken(function(d) d.us:stop() end),
}
drill "jp-answers-503" {
  needs = { "python3", "sqlite3" }, expect = { "jp-failed" }, result = "found",
  inject = broken(function(d) d.jp:routes { ["*"] = { status = 503, body = "starting" } } end),
}
drill "us-hangs" {
  needs = { "python3", "sqlite3" }, expect = { "us-failed" }, result = "found",
  inject = broken(function(d) d.us:pause() d:defer(function() d.us:resume() end) end),
}
drill "third-time" {
  needs = { "python3", "sqlite3" }, expect = { "us-failed", "lasting" }, result = "found",
  inject = broken(function(d) d.us:stop() d:set { fail_threshold = 1 } end),
}
drill "locked" {
  needs = { "python3", "sqlite3" }, expect = { "db-failed", "db-locked" }, result = "found",
  inject = broken(function(d)
    d:spawn { ready = "standing", "python3", "-c",
      "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute('BEGIN EXCLUSIVE'); "
        .. "print('standing', flush=True); time.sleep(600)", d.p.db }
  end),
}
drill "garbage" {
  needs = { "python3", "sqlite3" }, expect = { "db-failed", "db-corrupt" }, result = "found",
  inject = broken(function(d) file.write(d.p.db, ("garbage "):rep(1000), { backup = false }) end),
}
drill "missing" {
  needs = { "python3", "sqlite3" }, expect = { "db-failed", "db-missing" }, result = "found",
  inject = broken(function(d) file.remove(d.p.db) end),
  prove = function(d) assert(not file.stat(d.p.db), "an empty database was made") end,
}

local with = { us_health_url = "http://127.0.0.1:1/", jp_health_url = "http://127.0.0.1:1/" }
local function judged(state)
  return { ["http.get"] = { ok = true, status = 200 }, ["file.stat"] = { size = 4096 }, ["sql.locks"] = { locked = false }, ["sql.value"] = 3,
    ["sql.integrity"] = { state = state } }
end
test "busy-is-not-damage" { with = with, given = judged "busy", expect = { "db-failed", "db-unusable" } }
test "too-large-to-read" { with = with, given = judged "timeout", expect = {} }

local down = { ok = false, status = 503 }
local sound = {
  ["http.get"] = down, ["file.stat"] = { size = 4096 }, ["sql.locks"] = { locked = false }, ["sql.integrity"] = { state = "ok" }, ["sql.value"] = 3,
}
local function after(times)
  local given = { previous = { us = { in_a_row = times }, jp = { in_a_row = 0 } } }
  for name, value in pairs(sound) do given[name] = value end
  return given
end
test "second-failure" { with = with, given = after(1), expect = { "us-failed", "jp-failed" } }
test "third-failure" { with = with, given = after(2), expect = { "us-failed", "jp-failed", "lasting" } }
