"""What a drill's d makes: real servers that answer, faults in them, and nothing left. About 60 s, more at the first time."""
import glob
import json
import os
import subprocess
import unittest
import xml.etree.ElementTree as xml

from lab import SOURCE, Lab

HEAD = '''runbook "demo/lab" { title = "lab", severity = "P3" }
param "url" { type = "string", default = "x", title = "x" }
check "look" { title = "look", run = function() end }
'''


def npm(*packages):
    """Puts the programs of npm packages into PATH."""
    folder = subprocess.run([os.path.join(SOURCE, "tests", "npm"), *packages], check=True, capture_output=True, text=True).stdout.strip()
    return ":".join([folder + "/node_modules/.bin", *glob.glob(folder + "/node_modules/@foundry-rs/anvil-linux-*/bin")])


class Servers(Lab):
    def drill(self, body, needs="", path="", code=0, **more):
        os.makedirs(self.dir + "/books/demo", exist_ok=True)
        with open(self.dir + "/books/demo/lab.lua", "w") as f:
            f.write(HEAD)
        with open(self.dir + "/books/demo/lab.drills.lua", "w") as f:
            f.write('drill "one" { needs = { %s }, expect = {}, inject = function(d)\n%s\nend }\n' % (needs, body))
        temporary = self.dir + "/tmp"
        os.makedirs(temporary, exist_ok=True)
        env = dict(self.environment(), TMPDIR=temporary)
        env["PATH"] = path + ":" + env["PATH"] if path else env["PATH"]
        done = self.run_argv([os.environ["RUNBOOK"], "--runbooks", self.dir + "/books", "drill", "demo/lab", "-o", "json", *more.get("args", ())],
                             env=env, timeout=600)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        self.nothing_left(temporary)
        return json.loads(done.stdout)["drills"][0] if done.stdout else done.stderr

    def nothing_left(self, temporary):
        self.assertEqual([], os.listdir(temporary), "files are left")
        with open("/proc/self/mounts") as f:
            self.assertNotIn(temporary, f.read(), "a mount is left")
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    self.assertNotIn(temporary.encode(), f.read(), "a process is left")
            except (FileNotFoundError, ProcessLookupError):
                pass

    def test_redis(self):
        self.drill('''
  local s = d:redis { password = "secret pw", settings = { maxmemory = "3mb" } }
  s:cli("SET", "a", "1")
  assert(redis(s.connection):ask("GET", "a") == "1")
  local first = s:process().pid
  s:restart()
  assert(s:process().pid ~= first, "it was not restarted")
  s:pause() s:resume() s:kill()
  assert(not s:process(), "it was not killed")
  assert(keeper.state("init:" .. s.service).state == "stopped")
  keeper.start("init:" .. s.service)
  assert(keeper.state("init:" .. s.service).pid == s:process().pid)''')

    def test_postgres(self):
        self.drill('''
  local s = d:postgres { settings = { max_connections = 8 } }
  assert(postgres.ping(s.connection) and postgres.slots(s.admin).max == 8)
  s:session("BEGIN; SELECT 1;")
  assert(postgres.sessions(s.admin)[1].state == "idle in transaction")
  local _, why = postgres.ping(s:connection_with("w", { password = "wrong" }))
  assert(why.state == "28P01", why.message)
  s:restart()''')

    def test_mysql(self):
        self.drill('''
  local s = d:mysql { settings = { max_connections = 12 } }
  assert(mysql.ping(s.connection) and mysql.slots(s.admin).max == 12)
  s:session("BEGIN; SELECT 1;")
  assert(#mysql.sessions(s.admin) >= 1)''')

    def test_web(self):
        self.drill('''
  local s = d:http { routes = { ["/a"] = { status = 503, body = { x = 1 } } } }
  local answer = http.get(s.url .. "/a")
  assert(answer.status == 503 and answer.json.x == 1)
  s:routes { ["*"] = { body = "hi" } }
  local n = d:nginx { http = "server { listen 127.0.0.1:@PORT@; location / { proxy_pass " .. s.url .. "; } }" }
  assert(http.get(n.url .. "/b").body == "hi" and #s:requests() == 2)
  local w = d:websocket { mood = { greet = { "hello" } } }
  assert(#ws.read(w.url, { receive = 1 }).messages == 1)
  d:smtp {}''')

    def test_disk_and_net(self):
        self.drill('''
  local t = d:tmpfs("2MB")
  d:fill(t .. "/big", "5MB")
  assert(system.disk(t).free == 0 and not file.probe(t).ok)
  local n = d:netns()
  local s = d:redis { netns = n }
  n:run { "iptables", "-A", "INPUT", "-p", "tcp", "--dport", tostring(s.port), "-j", "DROP" }
  local open, code = net.reachable(s.host, s.port, { timeout = "2s" })
  assert(not open and code == "timeout", code)''', needs='"root"')

    def test_what_fails_half_way_leaves_nothing(self):
        one = self.drill('d:tmpfs("2MB") d:http {} d:netns() assert(false, "half way")', needs='"root"', code=1)
        self.assertIn("demo/lab.drills.lua:2: half way", one["why"])

    def test_chain_and_pm2(self):
        self.drill('''
  local s = d:evm {}
  assert(evm.paused(s.url, s.contract) == false)
  local p = d:pm2 {}
  file.write(d.dir .. "/app.js", "setInterval(() => {}, 1000)")
  p:pm2("start", d.dir .. "/app.js", "--name", "web")
  assert(pm2.state("web", { home = p.home }) == "online")''', path=npm("@foundry-rs/anvil@1.7.1", "pm2@7.0.4"))

    def test_containers(self):
        self.drill('''
  local s = d:dockerd {}
  s:image("lab/redis:1", { "redis-server" })
  s:compose("shop", [[
version: "2.4"
services:
  cache: { image: "lab/redis:1", network_mode: host, command: ["/usr/bin/redis-server", "--port", "0", "--unixsocket", "/tmp/r.sock"] }
]])
  local word = "compose:shop/cache@" .. s.socket
  wait_until(function() return keeper.state(word).state == "running" end, { within = "60s" })
  assert(keeper.logs(word):find("Redis", 1, true))''', needs='"root"')

    def test_missing_program_is_red(self):
        one = self.drill("", needs='"no-such-program"', code=1)
        self.assertEqual("failed", one["result"])
        self.assertIn("no-such-program", one["why"])

    def test_left_out(self):
        one = self.drill("", needs='"no-such-program", "sh"', args=("--without", "docker,sh", "--junit", self.dir + "/junit.xml"))
        self.assertEqual("skipped", one["result"])
        suite = xml.parse(self.dir + "/junit.xml").getroot()[0]
        self.assertEqual(("1", "1"), (suite.get("tests"), suite.get("skipped")))

    def test_only_in_a_lab(self):
        env = dict(self.environment(), RUNBOOK_LAB="0")
        done = self.run_argv([os.environ["RUNBOOK"], "drill", "db-locked/healthy"], env=env)
        self.assertEqual(2, done.returncode)
        self.assertIn("RUNBOOK_LAB", done.stderr)
        done = self.run_argv([os.environ["RUNBOOK"], "drill", "db-locked/healthy", "--force"], env=env)
        self.assertEqual(0, done.returncode, done.stderr)


if __name__ == "__main__":
    unittest.main()
