"""Daily maintenance as the service does it: a real database that is written to, real logs that are written to."""
import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

import lab

DAY = 86400
LOGGER = """
import sys, time
log = open(sys.argv[1], "a")
while True:
    log.write("a line\\n"); log.flush(); time.sleep(0.05)
"""
CONFIG = """
profile "liqpass" { home = "%(home)s", db = "%(db)s", log_dir = "%(logs)s" }
policy "nights" { unattended = "medium", runbooks = { "liqpass/*" } }
schedule "liqpass/db-maintenance/nightly" { cron = "* * * * *", jitter = "0s" }
schedule "liqpass/log-maintenance/nightly" { cron = "* * * * *", jitter = "0s" }
"""


class Maintenance(lab.Lab):
    def setUp(self):
        super().setUp()
        self.logs = os.path.join(self.dir, "logs")
        os.mkdir(self.logs)
        self.backups = self.db + "-backups"
        folder = os.path.join(self.home, "config", "runbook")
        os.makedirs(folder)
        with open(os.path.join(folder, "config.lua"), "w", encoding="utf-8") as f:
            f.write(CONFIG % {"home": self.home, "db": self.db, "logs": self.logs})

    def age(self, path, days):
        then = time.time() - days * DAY
        os.utime(path, (then, then))

    def log(self, name, days=0, packed=False):
        path = os.path.join(self.logs, name)
        with (gzip.open if packed else open)(path, "wt", encoding="utf-8") as f:
            f.write("an old line\n" * 500)
        self.age(path, days)
        return path

    def start(self, *argv):
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(self.end, child)
        return child

    def ended(self, path):
        with open(path, encoding="utf-8") as f:
            facts = [json.loads(line) for line in f if line.startswith("{") and line.endswith("\n")]
        first = {}  # on a slow machine the next minute comes before both have ended
        for f in facts:
            if f["t"] == "run.ended" and "-maintenance/" in f["schedule"]:
                first.setdefault(f["schedule"].split("/")[1], f)
        return first

    def test_a_night_of_the_service(self):
        self.database("WAL")
        self.client("PRAGMA wal_autocheckpoint = 0", "INSERT INTO orders(state) VALUES ('paid')")
        for n, days in enumerate((1, 3, 5, 6)):
            copy = sqlite3.connect(os.path.join(self.data, "us.sqlite.backup.%d" % n))
            copy.execute("CREATE TABLE t(a)")
            copy.close()
            self.age(os.path.join(self.data, "us.sqlite.backup.%d" % n), days)
        live = os.path.join(self.logs, "live.log")
        writer = self.start(sys.executable, "-c", LOGGER, live)
        old, fresh, temp = self.log("app.log.1", 2), self.log("today.log", 0.5), self.log("upload.tmp", 2)
        gone, audit = self.log("app.log.9.gz", 40, True), self.log("audit.log.gz", 400, True)
        for n in range(5):
            self.log("kept%d.log.gz" % n, 10 + n, True)

        out = os.path.join(self.dir, "serve.log")
        with open(out, "w", encoding="utf-8") as f:
            service = subprocess.Popen([os.path.abspath(lab.RUNBOOK), "serve", "-o", "jsonl"], stdin=subprocess.DEVNULL,
                                       stdout=f, stderr=subprocess.STDOUT, env=self.environment())
        self.addCleanup(lambda: service.poll() is None and service.kill())
        lab.wait_for(lambda: len(self.ended(out)) == 2, 150)
        service.send_signal(signal.SIGTERM)
        self.assertEqual(0, service.wait(60))

        for name, fact in self.ended(out).items():
            self.assertEqual("fixed", fact["result"], fact)
        made = [name for name in os.listdir(self.backups) if name.endswith(".sqlite")]
        self.assertEqual(1, len(made))
        self.assertEqual(lab.ROWS + 1, self.count(os.path.join(self.backups, made[0])), "what is in the WAL is missing")
        self.assertTrue(os.path.exists(os.path.join(self.backups, made[0] + ".manifest.json")))
        self.assertTrue(os.path.exists(old + ".gz") and not os.path.exists(old))
        self.assertTrue(os.path.exists(fresh) and os.path.exists(live) and os.path.exists(audit))
        self.assertFalse(os.path.exists(temp) or os.path.exists(gone))
        self.assertIsNone(writer.poll())
        size = os.path.getsize(live)
        lab.wait_for(lambda: os.path.getsize(live) > size)
        with gzip.open(old + ".gz", "rt") as f:
            self.assertEqual(500, len(f.readlines()))

        again = self.runbook("schedule", "run", "liqpass/db-maintenance/nightly", "-o", "json")
        self.assertEqual("healthy", json.loads(again.stdout)["result"], again.stdout + again.stderr)
        trend = json.loads(self.runbook("history", "--trend", "-o", "json").stdout)["runbooks"]
        self.assertEqual([1, 1], [trend["liqpass/db-maintenance"]["fixed"], trend["liqpass/db-maintenance"]["good"]])
        self.assertTrue(json.loads(self.runbook("audit", "verify", "-o", "json").stdout)["ok"])


if __name__ == "__main__":
    unittest.main()
