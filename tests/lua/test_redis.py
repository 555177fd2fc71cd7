"""redis as runbooks write it, against a real server. About 5 s."""
import os
import socket
import subprocess
import time
import unittest

from looks import Looks
from ports import free_port


class Redis(Looks):
    def setUp(self):
        super().setUp()
        self.port = free_port()
        server = subprocess.Popen(["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.dir],
                                  stdout=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        for _ in range(1200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            time.sleep(0.05)

    def lua(self, body):
        return f'local r = redis("redis://127.0.0.1:{self.port}/0", {{ timeout = "5s" }})\n{body}'

    def test_everything(self):
        self.step(self.lua('''r:call("SET", "key", "\\214\\208\\0 two words")
          r:call("MSET", "app:cache:1", 1, "app:cache:2", 2, "app:cache:lock:1", 1, "stock:lock:1", 1)
          r:call("EXPIRE", "app:cache:1", 100)'''))
        seen = self.look(self.lua('''local keys, complete = r:scan { match = "app:*" }
          table.sort(keys)
          local _, busy = try(r.ask, r, "LRANGE", "key", 0, 1)
          answer { same = r:ask("GET", "key") == "\\214\\208\\0 two words", none = r:ask("GET", "no") == nil, ttl = r:ask("TTL", "app:cache:1"),
            keys = keys, complete = complete, policy = r:config("maxmemory*")["maxmemory-policy"], memory = r:info("memory").used_memory,
            version = r:info().redis_version, clients = r:clients(), slow = r:slowlog(5), ratio = r:hit_ratio(), code = busy.code }'''))
        self.assertTrue(seen["same"] and seen["none"] and seen["complete"])
        self.assertEqual(["app:cache:1", "app:cache:2", "app:cache:lock:1"], seen["keys"])
        self.assertEqual(("noeviction", "status", 0.75), (seen["policy"], seen["code"], seen["ratio"]))
        self.assertGreater(seen["memory"], 100000)
        self.assertRegex(seen["version"], r"^\d+\.\d+\.\d+$")
        self.assertEqual(1, len(seen["clients"]))
        self.assertRegex(seen["clients"][0]["addr"], r"^127\.0\.0\.1:\d+$")
        run = self.step(self.lua('''local done = r:unlink { match = "app:cache:*", protect = { "app:cache:lock:*" } }
          assert(done.removed == 2 and done.kept == 1) assert(r:probe())'''))
        self.assertEqual("done", run["result"])

    def test_doctor_looks_at_it(self):
        folder = os.path.join(self.env["XDG_CONFIG_HOME"], "runbook")
        os.makedirs(folder, 0o700, exist_ok=True)
        with open(os.path.join(folder, "config.lua"), "w", encoding="utf-8") as f:
            f.write(f'connection "cache" {{ url = "redis://127.0.0.1:{self.port}/0" }}\n')
        self.assertRegex(self.run_it("doctor").out, r"(?m)^ok +connection cache |^✓ connection cache ")

    def test_a_check_only_reads(self):
        for body in ('r:ask("SET", "a", 1)', 'r:call("SET", "a", 1)', 'r:unlink { match = "app:*" }', "r:probe()", 'r:ask("KEYS", "*")'):
            self.assertEqual("forbidden", self.check(self.lua(body))["code"], body)
        self.assertIn("word 2 is nil", self.check(self.lua('r:ask("GET", nil)'))["error"])


if __name__ == "__main__":
    unittest.main()
