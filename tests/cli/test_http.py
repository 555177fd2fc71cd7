"""http from a runbook to the wire and back: deadlines, hostile peers, a thousand probes, proxies, and writes that are cut off."""
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from lab import RUNBOOK, SOURCE, Lab

PROBE = """
runbook "probe" { title = "probe", severity = "P4" }
param "url" { type = "string", required = true }
param "times" { type = "int", default = 1 }
param "max" { type = "int", default = 8 }
param "timeout" { type = "duration", default = "30s" }
param "redirects" { type = "int", default = 0 }
finding "seen" { title = "{code} {message}" }
check "ask" { title = "ask", timeout = "2m", run = function(p)
  local list = {}
  for i = 1, p.times do list[i] = i end
  local codes, message = {}, ""
  parallel(list, function()
    local answer, err = try(http.get, p.url, { timeout = p.timeout, redirects = p.redirects })
    local code = err and err.code or tostring(answer.status)
    codes[code] = (codes[code] or 0) + 1
    message = err and err.message or answer.body
  end, { max = p.max })
  for code, count in pairs(codes) do found("seen", { code = code, count = count, message = message }) end
end }
"""
SEND = """
runbook "send" { title = "send", severity = "P4" }
param "url" { type = "string", required = true }
param "timeout" { type = "duration", default = "3s" }
step "post" { title = "post", risk = "low", run = function(p) http.post(p.url, { json = { a = 1 }, timeout = p.timeout }) end }
"""


def start(script, folder, **env):
    child = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/bindings", script), folder], stdout=subprocess.PIPE,
                             env={**os.environ, **env})
    assert child.stdout.readline() == b"ready\n"
    return child


def stop(child):
    child.kill()
    child.wait()
    child.stdout.close()


class Http(Lab):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rb-peers-")
        cls.servers = [start("peers.py", cls.folder), start("dns.py", cls.folder)]
        with open(cls.folder + "/ports.json", encoding="utf-8") as f:
            cls.ports = json.load(f)
        with open(cls.folder + "/dns", encoding="ascii") as f:
            cls.dns = "127.0.0.1:" + f.read()

    @classmethod
    def tearDownClass(cls):
        for server in cls.servers:
            stop(server)
        shutil.rmtree(cls.folder)

    def setUp(self):
        super().setUp()
        self.env["RUNBOOK_NAMESERVERS"] = self.dns
        self.book("probe", PROBE)
        self.book("send", SEND)

    def url(self, peer, path="/", host="127.0.0.1"):
        return "http://%s:%d%s" % (host, self.ports[peer], path)

    def probe(self, url, env=None, **params):
        """{code: count} and the last message."""
        args = ["%s=%s" % pair for pair in params.items()]
        report = self.json("exec", "probe", "url=" + url, *args, code=3, env=env)
        seen = [one["evidence"] for check in report["checks"] for one in check["findings"]]
        return {one["code"]: one["count"] for one in seen}, seen[-1]["message"]

    def test_an_answer_and_no_answer(self):
        self.assertEqual({"200": 1}, self.probe(self.url("echo"))[0])
        self.assertEqual({"503": 1}, self.probe(self.url("echo", "/status/503"))[0])
        codes, message = self.probe(self.url("closed"))
        self.assertEqual({"refused": 1}, codes)
        self.assertIn("nobody listens", message)

    def test_a_redirect_from_elsewhere_does_not_lead_here(self):
        class Lead(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                self.send_response(302 if self.path != "/end" else 200)
                self.send_header("Location", self.path[1:])
                self.send_header("Content-Length", "0")
                self.end_headers()
        with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Lead) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            outside, end = f"http://{self.own_address()}:{server.server_port}/", f"127.0.0.1:{server.server_port}/end"
            inside = f"http://127.0.0.1:{server.server_port}/"
            self.assertEqual({"200": 1}, self.probe(inside + "http://" + end, redirects=1)[0])
            self.assertEqual({"200": 1}, self.probe(inside + outside + "end", redirects=1)[0])
            for to in ("http://" + end, end.replace("127.0.0.1", "http://localhost"), "http://[::1]:1/", "http://169.254.169.254/latest",
                       "http://0.0.0.0:1/", "http://[::ffff:127.0.0.1]:1/", "http://2130706433:1/", outside + "http://" + end):
                codes, message = self.probe(outside + to, redirects=3)
                self.assertEqual({"denied": 1}, codes, to)
                self.assertIn("not followed", message)
            server.shutdown()

    def own_address(self):
        """One that is not of this machine alone."""
        for address in subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split():
            if ":" not in address and not address.startswith(("127.", "169.254.")):
                return address
        subprocess.run(["ip", "addr", "add", "192.0.2.77/32", "dev", "lo"], check=True)
        self.addCleanup(subprocess.run, ["ip", "addr", "del", "192.0.2.77/32", "dev", "lo"], check=True)
        return "192.0.2.77"

    def test_deadlines_are_kept(self):
        """All twenty at once, five seconds each: together far less than in a row, and each says how far it came."""
        says = {"deaf": "no connection", "silent": "no answer", "drip": "not whole|no answer", "drip_body": "not whole", "half_status": "no answer|not whole"}
        for peer, words in says.items():
            since = time.monotonic()
            codes, message = self.probe(self.url(peer), times=20, max=20, timeout="5s")
            self.assertEqual({"timeout": 20}, codes, peer)
            self.assertRegex(message, words, peer)
            self.assertLess(time.monotonic() - since, 50, peer)

    def test_names(self):
        for name, code in (("plain.test", "200"), ("alias.test", "200"), ("slow.test", "200"), ("half.test", "200"),
                           ("gone.test", "dns"), ("broken.test", "dns"), ("empty.test", "dns")):
            self.assertEqual({code: 1}, self.probe(self.url("echo", host=name), timeout="30s")[0], name)
        since = time.monotonic()
        codes, message = self.probe(self.url("echo", host="silent.test"), times=20, max=20, timeout="5s")
        self.assertEqual({"timeout": 20}, codes)
        self.assertIn("name servers", message)
        self.assertLess(time.monotonic() - since, 50)

    def test_a_bomb_costs_no_memory(self):
        since = self.peak()
        for peer in ("bomb", "endless_body", "endless_chunks", "endless_headers"):
            self.assertEqual({"too_large": 8}, self.probe(self.url(peer), times=8, timeout="60s")[0], peer)
        self.assertLess(self.peak(), max(since, 64) + 500)

    @staticmethod
    def peak():
        import resource
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024

    def test_a_thousand_at_once_without_threads(self):
        child = subprocess.Popen([RUNBOOK, "exec", "probe", "url=" + self.url("echo", "/slow?s=0.3"), "times=1000", "max=1000",
                                  "timeout=100s", "-o", "json"], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        threads = []

        def sample():
            while child.poll() is None:
                try:
                    threads.append(len(os.listdir("/proc/%d/task" % child.pid)))
                except OSError:
                    return
                time.sleep(0.02)
        watcher = threading.Thread(target=sample)
        watcher.start()
        out, err = child.communicate(timeout=200)
        watcher.join()
        self.assertEqual(3, child.returncode, err)
        seen = [one["evidence"] for check in json.loads(out)["checks"] for one in check["findings"]]
        self.assertEqual([("200", 1000)], [(one["code"], one["count"]) for one in seen])
        self.assertGreater(len(threads), 3)
        self.assertLessEqual(max(threads), 5, "threads of the host; libuv may have four for files")

    def test_a_write_that_was_sent_is_unknown(self):
        self.run_it("exec", "send", "url=" + self.url("echo"), "timeout=30s", "--yes", code=0)
        self.run_it("exec", "send", "url=" + self.url("echo", "/status/500"), "timeout=30s", "--yes", code=1)
        for peer in ("silent", "reset", "nothing", "short_body", "drip_body"):
            done = self.run_it("exec", "send", "url=" + self.url(peer), "--yes", "-o", "json", code=9)
            run = json.loads(done.out)
            self.assertEqual("unknown", run["result"], peer)
            # It keeps its lock until a person says what happened.
            self.run_it("resolve", run["run"], "--not-done", "--reason", "the peer is ours", code=None)

    def test_a_write_that_was_not_sent_did_not_happen(self):
        for url in (self.url("closed"), self.url("deaf"), self.url("echo", host="gone.test"), self.url("echo", host="silent.test"),
                    "https://127.0.0.1:%d/" % self.ports["garbage"]):
            done = self.run_it("exec", "send", "url=" + url, "--yes", code=1)
            self.assertNotIn("not known", done.out + done.err, url)

    def test_a_server_that_is_killed(self):
        for book, code, words in (("probe", 3, "reset"), ("send", 9, "not known")):
            folder = tempfile.mkdtemp(dir=self.dir)
            server = start("peers.py", folder)
            with open(folder + "/ports.json", encoding="utf-8") as f:
                port = json.load(f)["echo"]
            more = ["timeout=50s"] + ([] if book == "probe" else ["--yes"])
            child = subprocess.Popen([RUNBOOK, "exec", book, "url=http://127.0.0.1:%d/slow?s=60" % port, *more], env=self.env, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
            self.wait_for(folder + "/count", child)
            server.send_signal(signal.SIGKILL)
            out, _ = child.communicate(timeout=100)
            stop(server)
            self.assertEqual(code, child.returncode, out)
            self.assertIn(words, out.decode())

    def wait_for(self, path, child):
        for _ in range(6000):
            if os.path.exists(path):
                return
            self.assertIsNone(child.poll())
            time.sleep(0.01)
        self.fail("the request never came")

    def test_proxies(self):
        proxy = {"http_proxy": self.url("echo")}
        codes, body = self.probe("http://somewhere.invalid/x", env=proxy)  # the proxy resolves names
        self.assertEqual({"200": 1}, codes)
        self.assertEqual("http://somewhere.invalid/x", json.loads(body)["target"])
        self.assertEqual({"200": 1}, self.probe("http://somewhere.invalid/x", env={"HTTP_PROXY": self.url("echo")})[0])
        for exempt in ("somewhere.invalid", ".invalid", "a.b,invalid", "*"):
            self.assertEqual({"dns": 1}, self.probe("http://gone.somewhere.invalid/", env={**proxy, "no_proxy": exempt, "RUNBOOK_NAMESERVERS": "127.0.0.1:1"})[0], exempt)
        self.assertEqual("/here", json.loads(self.probe(self.url("echo", "/here"), env={"http_proxy": self.url("closed")})[1])["target"])
        codes, message = self.probe("http://somewhere.invalid/", env={"http_proxy": "http://us:secretpw@127.0.0.1:%d" % self.ports["closed"]})
        self.assertEqual({"refused": 1}, codes)
        self.assertNotIn("secretpw", message)

    def test_net(self):
        self.book("net", """
runbook "net" { title = "net", severity = "P4" }
param "open" { type = "int", required = true }
param "closed" { type = "int", required = true }
finding "seen" { title = "seen" }
check "look" { title = "look", run = function(p)
  local up = net.reachable("plain.test", p.open)
  local down, code = net.reachable("127.0.0.1", p.closed)
  local _, no_name = net.reachable("gone.test", 1)
  local certificates = net.certificates { "127.0.0.1:" .. p.closed, "localhost:" .. p.closed }
  found("seen", { up = up, down = down, code = code, no_name = no_name, addresses = net.resolve("plain.test").addresses,
    listener = net.listener(p.open) ~= nil, none = net.listener(p.closed) == nil, count = #certificates,
    problem = certificates[1].code, hosts = #net.hosts_entries("localhost") })
end }
""")
        report = self.json("exec", "net", "open=%d" % self.ports["echo"], "closed=%d" % self.ports["closed"], code=3)
        evidence = report["checks"][0]["findings"][0]["evidence"]
        self.assertEqual({"up": True, "down": False, "code": "refused", "no_name": "dns", "addresses": ["127.0.0.1"], "listener": True,
                          "none": True, "count": 2, "problem": "refused"}, {k: v for k, v in evidence.items() if k != "hosts"})
        self.assertGreaterEqual(evidence["hosts"], 1)


if __name__ == "__main__":
    unittest.main()
