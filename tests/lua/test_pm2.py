"""pm2 against a real daemon, installed once by npm below the user's cache. About 15 s, at the first time 30 more."""
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

from looks import Looks

CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "runbook-tests", "pm2-7")
PM2 = os.path.join(CACHE, "node_modules", ".bin", "pm2")


def install():
    if not os.path.exists(PM2):
        os.makedirs(CACHE, exist_ok=True)
        subprocess.run(["npm", "install", "--prefix", CACHE, "--no-audit", "--no-fund", "pm2@7.0.4"], check=True, capture_output=True,
                       timeout=240)


class Pm2(Looks):
    @classmethod
    def setUpClass(cls):
        install()
        cls.home = tempfile.mkdtemp(prefix="rb-pm2-")
        with open(cls.home + "/app.js", "w") as f:
            f.write("console.log('started ' + process.env.PORT); console.error('oops'); setInterval(() => {}, 1000)\n")
        with open(cls.home + "/once.js", "w") as f:
            f.write("process.exit(3)\n")
        cls.pm2("start", cls.home + "/app.js", "--name", "web", env={"DB_PASSWORD": "hunter2", "PORT": "8000"})
        cls.pm2("start", cls.home + "/app.js", "--name", "other")
        cls.pm2("start", cls.home + "/once.js", "--name", "once", "--no-autorestart")
        cls.wait(lambda: "stopped" in [p["pm2_env"]["status"] for p in json.loads(cls.pm2("jlist")) if p["name"] == "once"])
        for log, words in (("web-out.log", "started 8000"), ("web-error.log", "oops")):
            cls.wait(lambda: words in cls.read(cls.home + "/logs/" + log))

    @staticmethod
    def wait(condition):
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "pm2 is not as it should be"
            time.sleep(0.1)

    @staticmethod
    def read(path):
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as f:
            return f.read()

    @classmethod
    def pm2(cls, *words, env=None):
        return subprocess.run([PM2, *words], env={**os.environ, **(env or {}), "PM2_HOME": cls.home}, check=True, capture_output=True,
                              text=True, timeout=180).stdout

    @classmethod
    def tearDownClass(cls):
        cls.pm2("kill")
        shutil.rmtree(cls.home, ignore_errors=True)

    def lua(self, body):
        return f'local o = {{ home = "{self.home}", bin = "{PM2}" }}\n{body}'

    def test_reading(self):
        seen = self.look(self.lua('''answer { list = pm2.list(o), web = pm2.state("web", o), once = pm2.state("once", o),
          none = pm2.state("no", o) }'''))
        self.assertEqual(("online", "stopped", "missing"), (seen["web"], seen["once"], seen["none"]))
        web = next(p for p in seen["list"] if p["name"] == "web")
        self.assertEqual((self.home + "/app.js", 0, "root" if os.geteuid() == 0 else web["user"]), (web["script"], web["restarts"], web["user"]))
        os.kill(web["pid"], 0)
        self.assertGreater(web["memory"], 1 << 20)
        self.assertLess(abs(web["started_at"] - time.time()), 600)
        self.assertEqual(3, next(p for p in seen["list"] if p["name"] == "once")["exit_code"])
        self.assertNotIn("hunter2", self.recorded(), "the environment is in the record")
        self.assertNotIn("hunter2", str(seen))

    def test_logs(self):
        seen = self.look(self.lua('answer(pm2.logs("web", o))'))
        self.assertIn({"text": "started 8000", "stream": "out"}, seen)
        self.assertIn({"text": "oops", "stream": "err"}, seen)

    def test_no_daemon_is_started_by_looking(self):
        empty = os.path.join(self.dir, "empty")
        os.mkdir(empty)
        seen = self.look(f'''local list, err = try(pm2.list, {{ home = "{empty}" }}) answer {{ code = err.code, words = err.message }}''')
        self.assertEqual("not_running", seen["code"])
        self.assertIn(empty, seen["words"])
        self.look(f'answer(shell.read {{ "{PM2}", "jlist", env = {{ PM2_HOME = "{empty}" }}, timeout = "20s" }})')
        self.assertEqual([], os.listdir(empty))
        self.assertEqual("", subprocess.run(["pgrep", "-f", f"God Daemon \\({empty}"], capture_output=True, text=True).stdout)

    def test_writing(self):
        before = {p["name"]: p for p in self.look(self.lua("answer(pm2.list(o))"))}
        self.step(self.lua('pm2.restart("web", o)'))
        after = {p["name"]: p for p in self.look(self.lua("answer(pm2.list(o))"))}
        self.assertEqual(before["web"]["restarts"] + 1, after["web"]["restarts"])
        self.assertNotEqual(before["web"]["pid"], after["web"]["pid"])
        self.assertEqual(before["other"]["pid"], after["other"]["pid"])
        for name in ("all", "0", "--all", "/etc"):
            self.step(self.lua(f'pm2.stop("{name}", o)'), code=1)
        self.assertEqual("forbidden", self.check(self.lua('pm2.restart("web", o)'))["code"])

    def peer(self, answer):
        """A socket in pm2's place that says something else, once."""
        home = os.path.join(self.dir, "peer")
        shutil.rmtree(home, ignore_errors=True)
        os.mkdir(home)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(home + "/rpc.sock")
        listener.listen(1)

        def serve():
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(answer)
            peer.close()
            listener.close()
        threading.Thread(target=serve, daemon=True).start()
        return home

    def test_strange_peers(self):
        def part(data):
            return struct.pack(">I", len(data)) + data
        for answer, code in ((b"", "reset"), (b"HTTP/1.1 400\r\n\r\n", "status"), (b"\x12" + part(b"s:x") + part(b"s:1"), "status"),
                             (b"\x11" + part(b"j:{"), "status"), (b"\x11" + part(b'j:{"error":"no"}'), "status"),
                             (b"\x11" + struct.pack(">I", 4000000000) + b"x", "reset"), (b"\x10", "status")):
            home = self.peer(answer)
            seen = self.look(f'local _, err = try(pm2.list, {{ home = "{home}", timeout = "5s" }}) answer(err.code)')
            self.assertEqual(code, seen, answer)


if __name__ == "__main__":
    unittest.main()
