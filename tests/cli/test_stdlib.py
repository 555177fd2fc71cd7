"""The standard library's modules for files and logs, each in a runbook of its own: what a check's assertions say."""
import gzip
import os
import subprocess
import tarfile
import time
import unittest

from lab import Lab

BOOK = '''runbook "demo/%s" { title = "t", severity = "P3" }
param "dir" { type = "path", default = "%s" }
%s
'''
CHECK = '''check "it" { title = "t", timeout = "60s", run = function(p)
%s
end }
'''
DRILL = '''step "none" { title = "t", risk = "low", run = function() end }
drill "it" { inject = function(d)
  local p = d.p
%s
end, expect = {}, result = "done" }
'''


class Stdlib(Lab):
    def put(self, name, data, age=0):
        path = os.path.join(self.dir, "lab", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        if age:
            os.utime(path, (time.time() - age, time.time() - age))
        return path

    def write(self, blocks):
        lab = os.path.join(self.dir, "lab")
        os.makedirs(lab, exist_ok=True)
        self.book("demo/t", BOOK % ("t", lab, blocks))

    def look(self, lua, code=0):
        self.write(CHECK % lua)
        return self.run_it("exec", "demo/t", "--no-input", code=code)

    def do(self, lua):
        """Where writes are really done, one after the other: no rehearsal."""
        self.write(DRILL % lua)
        return self.run_it("drill", "demo/t", code=0)

    def stamp(self, age):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age))

    def test_patterns(self):
        self.look(r'''
  local m = text.match("order ORD_123 failed: E42", [[(?<id>ORD_\d+).*?(E\d+)]])
  assert(m[0] == "ORD_123 failed: E42" and m.id == "ORD_123" and m[1] == "ORD_123" and m[2] == "E42")
  assert(text.match("abc", "x") == nil and #text.matches("a1b22c333", [[\d+]]) == 3 and #text.matches("abc", "x*") == 4)
  assert(text.grep("one\ntwo\nthree\n", "^t")[2] == "three")
  assert(text.replace("a.b.c", [[\.]], "%1") == "a%1b%1c" and text.replace("x1y2", [[\d]], function(m) return "<" .. m[0] .. ">" end) == "x<1>y<2>")
  assert(text.match("\xd6\xd0ERROR", "ERROR")[0] == "ERROR" and text.match("数据库锁死", "数据.")[0] == "数据库")
  local _, err = try(text.match, ("a"):rep(30000), [[(a|aa)+\d]])
  assert(err and err.code == "timeout", err and err.code)
  for i = 1, 300 do assert(text.match("n" .. i, "^n" .. i .. "$")) end''')
        self.assertIn("pattern", self.look('text.match("x", "(")', code=1).out)

    def test_cjson(self):
        self.look(r'''
  assert(cjson.decode([[{"a":[1,2.5,null],"b":"\u4e2d"}]]).b == "中" and cjson.decode("[1]")[1] == 1)
  assert(math.type(cjson.decode("[1]")[1]) == "float" and math.type(json.decode("[1]")[1]) == "integer")
  assert(cjson.decode("[null]")[1] == cjson.null and cjson.null ~= json.null)
  assert(cjson.encode({}) == "{}" and cjson.encode({ 1, 2 }) == "[1,2]" and cjson.encode(json.null) == "null")
  assert(cjson.encode({ p = p }):find('"dir"', 1, true), "frozen tables are seen")
  assert(json.decode("9007199254740993") == 9007199254740993 and cjson.encode(9007199254740993) ~= "9007199254740993")
  local value, why = cjson.safe.decode("{ not json")
  assert(value == nil and why)
  value, why = cjson.safe.decode(("["):rep(100) .. ("]"):rep(100))
  assert(value == nil and why:find("deep") or why:find("nested"), why)
  local deep = {} for _ = 1, 80 do deep = { deep } end
  assert(not cjson.safe.decode("") and cjson.safe.encode({ 1 }) == "[1]")''')
        self.assertIn("function", self.look('cjson.encode(function() end)', code=1).out)
        self.assertIn("Expected", self.look('cjson.decode("{")', code=1).out)

    def test_logs_scan(self):
        self.put("db.log", "".join(f"{self.stamp(age)} {'SQLITE_BUSY' if age % 120 == 0 else 'ok'}\n" for age in range(3600, 0, -60)))
        path = self.put("db.log.1", "".join(f"{self.stamp(age)} SQLITE_BUSY\n" for age in range(7200, 3600, -600)))
        with gzip.open(path + ".gz", "wb") as f:
            f.write(f"{self.stamp(7000)} SQLITE_BUSY old\n".encode())
        self.look(r'''
  local db = p.dir .. "/db.log"
  local a = logs.scan({ db, p.dir .. "/none.log" }, { busy = "SQLITE_(BUSY|LOCKED)" }, { last = "31m" })
  assert(a.matches.busy.count == 15 and a.missing[1] == p.dir .. "/none.log" and a.dated, json.encode(a.matches))
  a = logs.scan(db, "SQLITE_BUSY", { last = "95m" })
  assert(a.matches.match.count == 30 + 3, json.encode(a.matches))
  a = logs.scan(db, "SQLITE_BUSY", { last = "3h" })
  assert(a.matches.match.count == 30 + 6 + 1, json.encode(a.matches))
  local l = logs.silent({ db, p.dir .. "/none.log" }, "1m")
  assert(#l == 1 and l[1].missing)''')

    def test_logs_never_look_back_beyond_a_write(self):
        self.put("dated.log", f"{self.stamp(60)} ERROR\n")
        self.put("plain.log", "ERROR without a time\n")
        self.write('''finding "bad" { title = "bad", key = "path" }
check "it" { title = "t", run = function(p)
  for _, name in ipairs { "dated.log", "plain.log" } do
    local path = p.dir .. "/" .. name
    if logs.scan(path, "ERROR", { last = "10m" }).matches.match.count > 0 then found("bad", { path = path }) end
  end
end }
fix "mend" { when = "bad", batch = true, title = "mend", risk = "low", no_undo = "x", run = function(p) file.write(p.dir .. "/mended", "x") end }
''')
        self.run_it("exec", "demo/t", "--yes", "--no-input", code=0)

    def test_access_logs(self):
        line = '1.2.3.4 - - [%s] "GET /api HTTP/1.1" %d 12 "-" "curl/7"\n'
        now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
        old = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(time.time() - 900))
        self.put("access.log", "".join(line % (old, 500) for _ in range(50)) + "".join(line % (now, s) for s in [200] * 981 + [502] * 19))
        self.look('''
  local a = logs.access(p.dir .. "/access.log", { last = "5m" })
  assert(a.requests == 1000 and a.errors == 19 and a.error_pct == 1.9 and a.by_status["502"] == 19, json.encode(a))
  assert(logs.access(p.dir .. "/none", { last = "5m" }).error_pct == 0)''')

    def test_follow(self):
        path = self.put("app.log", "old\n")
        feeder = subprocess.Popen(["sh", "-c", 'i=0; while [ $i -lt 40 ]; do echo "line $i"; [ $i -ne 20 ] || mv "$1" "$1.1"; '
                                   'i=$((i+1)); sleep 0.05; done >/dev/null; i=0; while [ $i -lt 60 ]; do echo "line $i" >> "$1"; '
                                   '[ $i -ne 30 ] || mv "$1" "$1.1"; i=$((i+1)); sleep 0.05; done', "sh", path])
        self.addCleanup(feeder.wait)
        self.look('''
  local n = 0
  for line, path in logs.follow(p.dir .. "/app.log", { within = "40s", match = "line" }) do
    assert(line == "line " .. n and path == p.dir .. "/app.log", line .. " " .. n)
    n = n + 1
    if n == 60 then break end
  end
  assert(n == 60, n)''')

    def test_which_logs(self):
        self.put("a.log", "x" * 5000, age=8 * 86400)
        self.put("audit.log", "x" * 5000, age=8 * 86400)
        self.put("new.log", "x")
        held = open(self.put("held.log", "x" * 9000, age=8 * 86400), "ab")
        self.addCleanup(held.close)
        os.utime(held.name, (1, 1))
        with open(self.put("bad.gz", b""), "wb") as f:
            f.write(gzip.compress(b"x" * 10000)[:30])
        self.put("good.gz", gzip.compress(b"y"))
        self.put("rotate.conf", '"' + os.path.join(self.dir, "lab") + '/a*.log" {\n  weekly\n}\n')
        self.look('''
  local closed = logs.closed(p.dir, { older = "7d", except = { "audit*" } })
  assert(#closed == 1 and closed[1].path == p.dir .. "/a.log" and closed[1].bytes == 5000, json.encode(closed))
  local bad = logs.damaged(p.dir)
  assert(#bad == 1 and bad[1].path == p.dir .. "/bad.gz", json.encode(bad))
  local wild = logs.unrotated(p.dir, { larger = 10, config = { p.dir .. "/rotate.conf" } })
  assert(#wild == 1 and wild[1].path == p.dir .. "/held.log", json.encode(wild))
  assert(disk.biggest(p.dir, { top = 1 })[1].path == p.dir .. "/held.log" and disk.journal_size() >= 0)
  assert(disk.usage(p.dir).total > 0 and #disk.deleted_open(p.dir) >= 0 and #disk.folders(p.dir) == 0)''')

    def test_changing_logs(self):
        self.put("a.log", "".join(f"line {i}\n" for i in range(1000)))
        self.do('''
  local to = logs.rotate(p.dir .. "/a.log")
  assert(file.stat(p.dir .. "/a.log").size == 0)
  file.gzip(to)
  assert(#logs.damaged(p.dir) == 0)
  file.gunzip(to .. ".gz")
  logs.cut(to, { keep = "100" })
  assert(file.read(to):find("line 999\\n$"))''')

    def test_retention(self):
        self.look(r'''
  local day, now = 86400, now()
  local items = {}
  for i = 0, 400 do items[i + 1] = { path = "b" .. i, mtime = now - i * day + 60 } end
  local r = retention.divide(items, { older = "30d", keep_min = 3 })
  assert(#r.keep == 31 and #r.drop == 370 and r.keep[1].path == "b0", #r.keep)
  r = retention.divide({ { path = "old", mtime = now - 90 * day } }, { older = "30d", keep_min = 3 })
  assert(#r.drop == 0, "the last one stays")
  r = retention.divide(items, { daily = 7, weekly = 4, monthly = 6 })
  assert(#r.keep >= 13 and #r.keep <= 17, #r.keep)
  assert(fmt.time(retention.months_ago(1, 1774915200)) == "2026-02-28 00:00:00Z") -- from 31 March 2026
  assert(fmt.time(retention.months_ago(12, 1709164800)) == "2023-02-28 00:00:00Z") -- from 29 February 2024
  assert(fmt.time(retention.months_ago(6, 1772947800)) == "2025-09-08 05:30:00Z")''')

    def test_backups(self):
        db = self.put("us.sqlite", "")
        os.unlink(db)
        subprocess.run(["sqlite3", db, "CREATE TABLE t(x); INSERT INTO t VALUES (1)"], check=True)
        self.put("conf/.env.prod", "SECRET=canary\n")
        self.do(r'''
  local b = backup.sqlite(p.dir .. "/us.sqlite", p.dir .. "/backups")
  assert(backup.verify(b.path).state == "ok")
  local f = backup.files({ p.dir .. "/conf" }, p.dir .. "/backups", "config")
  assert(backup.verify(f.path).state == "ok" and file.stat(f.path).mode == 384)
  local newest = backup.newest(p.dir .. "/backups", { name = "*.sqlite" })
  assert(newest.path == b.path and newest.manifest.sha256 == b.sha256)
  file.append(b.path, "x")
  assert(backup.verify(b.path).state == "damaged")
  local none, passed = backup.newest(p.dir .. "/backups", { name = "*.sqlite" })
  assert(none == nil and passed[1].path == b.path)
  assert(backup.verify(p.dir .. "/none").state == "missing")
  file.write(p.dir .. "/cut.sql", "INSERT INTO t")
  assert(backup.verify(p.dir .. "/cut.sql").state == "damaged")
  local q = backup.quarantine({ p.dir .. "/us.sqlite", p.dir .. "/us.sqlite-wal" }, p.dir)
  assert(file.stat(p.dir .. "/us.sqlite") == nil and #q.missing == 1)
  backup.bring_back(q.dir)
  assert(file.stat(p.dir .. "/us.sqlite"))''')

    def test_the_last_good_backup_stays(self):
        for age in (40, 50, 60, 70):
            self.put(f"mall_{age}.sql", "-- Dump completed\n" if age != 40 else "cut off", age=age * 86400)
        self.look('''
  local old = backup.expired(p.dir, { older = "30d", keep_min = 2 })
  assert(#old == 2 and old[1].path:find("mall_40", 1, true) and old[2].path:find("mall_70", 1, true), json.encode(old))
  assert(#backup.expired(p.dir, { older = "30d" }) == 1)
  assert(#backup.expired(p.dir, { older = "90d", keep_min = 1 }) == 0)''')

    def test_envfile(self):
        self.put(".env.us", "API_KEY=new_api_key\nJWT_SECRET='short-canary'\nPOOL=10 # size\nPOOL=20\n")
        self.look('''
  local path = p.dir .. "/.env.us"
  local e = envfile.read(path)
  assert(e.API_KEY.placeholder and e.JWT_SECRET.length == 12 and e.JWT_SECRET.value == nil and envfile.get(path, "POOL") == "20")
  local bad = envfile.check(path, { "API_KEY", "JWT_SECRET", "POOL", "NONE" }, { min = 2 })
  assert(#bad == 3 and bad[1].problem == "placeholder" and bad[2].problem == "duplicate" and bad[3].problem == "missing", json.encode(bad))
  assert(envfile.check(path, { "JWT_SECRET" }, { min = 32 })[1].problem == "short" and envfile.read(p.dir .. "/none") == nil)''')
        done = self.do('''
  local path = p.dir .. "/.env.us"
  local before = file.hash(path)
  local answer = envfile.set(path, "JWT_SECRET", "it's new")
  assert(envfile.get(path, "JWT_SECRET") == "it's new")
  envfile.restore(answer)
  assert(file.hash(path) == before)''')
        self.assertNotIn("canary", done.out + done.err)
        with open(os.path.join(self.dir, "state/runbook/journal.db"), "rb") as f:
            self.assertNotIn(b"short-canary", f.read())

    def test_archives(self):
        self.put("etc/nginx/nginx.conf", "new\n")
        good, bad = os.path.join(self.dir, "lab/good.tar.gz"), os.path.join(self.dir, "lab/bad.tar.gz")
        with tarfile.open(good, "w:gz") as t:
            t.add(os.path.join(self.dir, "lab/etc/nginx/nginx.conf"), "etc/nginx/nginx.conf")
        with tarfile.open(bad, "w:gz") as t:
            def add(name, **more):
                info = tarfile.TarInfo(name)
                for key, value in more.items():
                    setattr(info, key, value)
                t.addfile(info)
            add("etc/nginx/ok\nnewline \"quoted\"")
            add("etc/nginx/../passwd")
            add("/etc/shadow")
            add("etc/nginx/link -> x", type=tarfile.SYMTYPE, linkname="../../../tmp")
            add("etc/nginx/inside", type=tarfile.SYMTYPE, linkname="./ok")
            add("etc/nginx/sites-enabled/mall", type=tarfile.SYMTYPE, linkname="../sites-available/mall")
            add("etc/nginx/hard", type=tarfile.LNKTYPE, linkname="etc/shadow")
            add("etc/nginx/dev", type=tarfile.CHRTYPE)
        self.put("live/nginx.conf", "old\n")
        with open(good, "rb") as f:
            self.put("cut.tar.gz", f.read()[:40])
        self.look(r'''
  assert(#archive.outside(p.dir .. "/good.tar.gz", "/etc/nginx") == 0)
  local bad = archive.outside(p.dir .. "/bad.tar.gz", { "/etc/nginx" })
  local why = {}
  for i, one in ipairs(bad) do why[i] = one.why end
  assert(text.match(json.encode(why), "parent.*outside.*link.*link.*kind") and #bad == 5, json.encode(bad))
  assert(archive.list(p.dir .. "/bad.tar.gz")[1].name == "etc/nginx/ok\nnewline \"quoted\"")
  local _, err = try(archive.list, p.dir .. "/cut.tar.gz")
  assert(err.code == "corrupt", err.code)''')
        self.do('''
  local staged = archive.unpack(p.dir .. "/good.tar.gz", p.dir .. "/staged") .. "/etc/nginx/nginx.conf"
  local pairs_of = archive.swap { { p.dir .. "/live/nginx.conf", staged } }
  assert(file.read(p.dir .. "/live/nginx.conf") == "new\\n")
  archive.swap_back(pairs_of)
  assert(file.read(p.dir .. "/live/nginx.conf") == "old\\n")
  local _, err = try(archive.swap, { { p.dir .. "/live/nginx.conf", staged }, { p.dir .. "/none", staged } })
  assert(err.code == "not_found" and file.read(p.dir .. "/live/nginx.conf") == "old\\n")''')

    def test_monitor(self):
        self.look('''
  assert(monitor.level(5, { warning = 5 }) == "ok" and monitor.level(5.1, { warning = 5 }) == "warning")
  assert(monitor.level(4, { critical = 5, below = true }) == "critical" and monitor.level(nil, {}) == "unknown")
  local bad = monitor.judge({ rpc_s = 6, lag = 10 }, { rpc_s = { warning = 5 }, lag = { warning = 10 }, fails = { critical = 2 } })
  assert(#bad == 2 and bad[1].name == "fails" and bad[2].level == "warning")
  assert(monitor.in_a_row(true, 2) == 3 and monitor.in_a_row(true) == 1 and monitor.in_a_row(false, 2) == 0)
  assert(monitor.days_to_full(50e9, 86400, 60e9, 0) == 5 and monitor.days_to_full(60e9, 1, 50e9, 0) == nil)
  assert(monitor.percentile({ 5, 1, 3, 2, 4 }, 95) == 5 and monitor.percentile({}, 50) == nil)
  local cpu = monitor.cpu("200ms")
  assert(cpu.used_pct >= 0 and cpu.used_pct <= 100)''')


if __name__ == "__main__":
    unittest.main()
