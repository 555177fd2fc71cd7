"""What grows: many runbooks to list and to search, a long journal to verify; and how soon a killed run goes on.

    scale.py RUNBOOK [--quick]

The journal is one real run, copied under other names and chained like all events (parked.py)."""
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from bench import line
from parked import copy_runs

BOOK = '''runbook "bench/r%(n)d" { title = { en = "the queue of service %(n)d is stuck", zh = "服务 %(n)d 队列堵塞" }, severity = "P2",
  symptoms = { "service %(n)d does not answer", "ERR_QUEUE_%(n)d" } }
check "c" { title = "c", run = function() ok("fine") end }
'''
ONE = '''runbook "one" { title = "one", severity = "P4" }
step "true" { title = "true", risk = "low", run = function() shell.run { "/bin/true" } end }
'''
LONG = '''runbook "long" { title = "long", severity = "P4" }
param "mark" { type = "path", required = true, title = "m" }
step "wait" { title = "wait", risk = "low", idempotent = true, run = function(p)
  shell.run { "sh", "-c", 'echo >> "$1"; [ $(wc -l < "$1") -gt 1 ] || sleep 60', "-", p.mark } end }
'''


class Scale:
    def __init__(self, runbook):
        self.runbook, self.dir = os.path.abspath(runbook), tempfile.mkdtemp(prefix="runbook-bench-")
        self.env = dict(os.environ, HOME=self.dir, RUNBOOK_STATE=self.dir + "/state", XDG_CACHE_HOME=self.dir + "/cache", RUNBOOK_LANG="en")
        self.books = self.folder("own", {"one": ONE, "long": LONG})

    def folder(self, name, files):
        path = os.path.join(self.dir, name)
        for file, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(path, file)), exist_ok=True)
            with open(os.path.join(path, file + ".lua"), "w") as f:
                f.write(text)
        return path

    def call(self, folder, *args, codes=(0,)):
        """Milliseconds and what it printed."""
        started = time.perf_counter()
        done = subprocess.run([self.runbook, "--runbooks", folder, *args], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        took = (time.perf_counter() - started) * 1000
        if done.returncode not in codes:
            sys.exit("%s: exit %d\n%s" % (" ".join(args), done.returncode, done.stderr))
        return took, done.stdout

    def catalogue(self, count, search):
        """Listed (and, of the larger, searched) twice: the first time finds nothing prepared, the second what the first left."""
        books = self.folder("books-%d" % count, {"bench/r%d" % n: BOOK % {"n": n} for n in range(count)})
        what = ["find", "ERR_QUEUE_%d" % (count // 2)] if search else ["list"]
        cold, said = self.call(books, *what)
        if "bench/r%d" % (count // 2) not in said:
            sys.exit("%s does not show the runbook" % what)
        again, _ = self.call(books, *what)
        name = "search over %d runbooks" % count if search else "loading %d runbooks" % count
        line(name + ", first", "%.0f ms" % cold, "", "", "<= 50 ms" if search else "<= 1 s")
        line(name + ", again", "%.0f ms" % again, "", "", "<= 50 ms")

    def verify(self, events):
        """Events a second of audit verify, without what verify of a journal of one run takes."""
        self.call(self.books, "exec", "one", "--no-input", "--yes", "-q")
        alone = min(self.call(self.books, "audit", "verify")[0] for _ in range(3))
        journal = self.dir + "/state/journal.db"
        db = sqlite3.connect(journal)
        each = db.execute("SELECT count(*) FROM events").fetchone()[0]
        db.close()
        copy_runs(journal, events // each)
        took, said = [], ""
        for _ in range(3):
            ms, said = self.call(self.books, "audit", "verify", "-o", "json", codes=(0, 1))
            took.append(ms)
        count = json.loads(said).get("events", 0)
        line("audit verify of %d events" % count, "%.0f/s" % (count * 1000 / max(statistics.median(took) - alone, 0.1)), "", "", ">= 700,000/s")

    def first_call(self):
        """What the clock of a run shows when its runner first asks: the file is loaded, locks are held, the run is recorded."""
        took = []
        for _ in range(9):
            _, said = self.call(self.books, "exec", "one", "--no-input", "--yes", "-o", "json")
            _, log = self.call(self.books, "logs", json.loads(said)["run"], "-o", "jsonl")
            asked = [e["body"]["ok"] for e in map(json.loads, log.splitlines()) if e["t"] == "input" and e["body"]["verb"] == "time.mono"]
            took.append(asked[0] * 1000)
        line("first call after a run's start", "%.2f ms" % statistics.median(took), "", "", "<= 1.5 ms")

    def killed(self):
        """The host of a run is killed in the middle of an idempotent write; resume is called at once."""
        took = []
        for n in range(3):
            mark = os.path.join(self.dir, "mark-%d" % n)
            child = subprocess.Popen([self.runbook, "--runbooks", self.books, "exec", "long", "mark=" + mark, "--yes", "--no-input", "-o", "jsonl"],
                                     env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            run = ""
            while not os.path.exists(mark):
                if child.poll() is not None:
                    sys.exit("it did not wait: exit %d" % child.returncode)
                time.sleep(0.01)
            os.kill(child.pid, signal.SIGKILL)
            started = time.perf_counter()
            child.wait()
            run = json.loads(child.stdout.readline())["run"]
            self.call(self.books, "resume", run, "--yes", "--no-input", "-q")
            took.append((time.perf_counter() - started) * 1000)
        line("from kill -9 to resumed and done", "%.0f ms" % statistics.median(took), "", "", "")


def main():
    scale, quick = Scale(sys.argv[1]), "--quick" in sys.argv
    try:
        line("measure", "ours", "beside it", "ratio", "goal")
        scale.first_call()
        scale.killed()
        shutil.rmtree(scale.dir + "/state")
        scale.verify(100000 if quick else 1000000)
        scale.catalogue(1000, False)
        scale.catalogue(2000 if quick else 10000, True)
    finally:
        shutil.rmtree(scale.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
