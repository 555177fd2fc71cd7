"""Durable steps: how many writes a second go through the record, each with its intent and its outcome synced before the
run goes on, when 1, 100 and 1,000 runs of one service make them at once.

    durable.py RUNBOOK [--quick]

The write is as little as a write can be: one command to a Redis server on a UNIX socket, without a disk of its own. All
runs wait at a barrier until the last has come. Beside one run stand single commits of a row of the same size, by SQLite
in the same minute (WAL, FULL). Runs are answered by another login, so this needs root."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

from bench import line
from parked import Bench

BOOK = '''runbook "bench/parked" { title = "p", severity = "P4", target = "{name}" }
param "name" { type = "string", required = true, title = "n" }
param "dir" { type = "path", required = true, title = "d" }
step "steps" { title = "s", risk = "medium", no_undo = "-", approvals = 1, timeout = "1h", run = function(p)
  local server = redis("redis://127.0.0.1/0?socket=" .. p.dir .. "/redis.sock")
  local n = server:call("INCR", "here")
  if n < 1 then fail "no" end
  repeat wait "500ms" until server:ask("GET", "go")
  for _ = 1, %d do server:call("INCR", "done") end
end }
'''
SIZES = ((1, 2000), (100, 300), (1000, 60))  # runs, steps of each
GOALS = {1: ">= 0.45", 100: ">= 15000/s", 1000: ">= 25000/s"}


class Redis:
    def __init__(self, folder):
        self.socket = folder + "/redis.sock"
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--appendonly", "no",
                                         "--dir", folder], stdout=subprocess.DEVNULL)
        while self.ask("PING") != "PONG":
            time.sleep(0.05)

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-s", self.socket, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def single_commits(folder, seconds=2):
    """Rows of an event's size a second, each by a commit of its own."""
    db = sqlite3.connect(folder + "/floor.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, body TEXT, hash BLOB)")
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        db.execute("INSERT INTO events (body, hash) VALUES (?, ?)", ("x" * 500, b"h" * 64))
        count += 1
    db.close()
    return count / (time.perf_counter() - started)


def steps_a_second(folder, runs, steps):
    """From the record: of the writes after the barrier."""
    db = sqlite3.connect(folder + "/state/journal.db")
    first, last, made = db.execute("SELECT min(mono), max(mono), count(*) FROM events WHERE kind = 'call.outcome'"
                                   " AND body LIKE '%INCR done\"%'").fetchone()
    db.close()
    if made != runs * steps:
        sys.exit("%d of %d steps are in the record" % (made, runs * steps))
    return made / ((last - first) / 1e9)


def measure(runbook, runs, steps):
    b = Bench(runbook, BOOK % steps)
    redis = Redis(b.dir)
    try:
        names = [b.park("own-%d" % n) for n in range(runs)]
        b.answer(names)
        service, _ = b.serve(runs)
        while redis.ask("GET", "here") != str(runs):
            time.sleep(0.2)
        time.sleep(2)
        before = single_commits(b.dir)
        redis.ask("SET", "go", "1")
        while int(redis.ask("GET", "done") or 0) < runs * steps:
            time.sleep(0.2)
        time.sleep(2)
        after = single_commits(b.dir)
        service.terminate()
        service.wait()
        return steps_a_second(b.dir, runs, steps), (before + after) / 2
    finally:
        redis.stop()
        shutil.rmtree(b.dir, ignore_errors=True)


def main():
    for runs, steps in SIZES[:2] if "--quick" in sys.argv else SIZES:
        rate, floor = measure(os.path.abspath(sys.argv[1]), runs, steps)
        line("durable steps, %d runs at once" % runs, "%.0f/s" % rate, "single commits %.0f/s" % floor, "%.2f" % (rate / floor), GOALS[runs])


if __name__ == "__main__":
    main()
