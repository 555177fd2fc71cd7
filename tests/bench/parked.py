"""Ten thousand runs that wait for the consent of others: what a service costs beside them, how soon it is ready again,
what it takes when two hundred were answered while it was down and go on at once, and whether every answered one, and no
other, goes on.

    parked.py RUNBOOK [PARKED] [EXECUTING]

Those that will be answered are parked for real, each on a target of its own; of the rest one is, and its record is copied
under other names, chained like all events. Answers come from another login, so this needs root; without it nothing is
answered, and the report says so."""
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

from bench import family

OTHER = 60002
MORE = 20  # answered while the service is up
BOOK = '''runbook "bench/parked" { title = "p", severity = "P4", target = "{name}" }
param "name" { type = "string", required = true, title = "n" }
param "dir" { type = "path", required = true, title = "d" }
step "write" { title = "w", risk = "medium", no_undo = "-", approvals = 1,
  run = function(p) shell.run { "sh", "-c", "sleep 10; echo x >> done", cwd = p.dir } end }
'''


def row_hash(previous, event_id, run, seq, utc, mono, kind, actor, digest):
    run, kind, actor = run.encode(), kind.encode(), actor.encode()
    row = struct.pack("<4q", event_id, seq, utc, mono) + digest + struct.pack("<3I", len(run), len(kind), len(actor))
    return hashlib.sha256(b"\0" + previous + hashlib.sha256(row + run + kind + actor).digest()).digest()


def copy_runs(path, count):
    """The one run of the journal, count times more."""
    db = sqlite3.connect(path)
    rows = db.execute("SELECT run, seq, utc, mono, kind, actor, body FROM events ORDER BY id").fetchall()
    last, previous = db.execute("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1").fetchone()
    run = rows[0][0]
    request = next((json.loads(r[6])["id"] for r in rows if r[4] == "approval.asked"), run)
    for n in range(count):
        for _, seq, utc, mono, kind, actor, body in rows:
            body = body.replace(run, "r-%010d" % n).replace(request, "a-%010d" % n)
            last += 1
            digest = hashlib.sha256(body.encode()).digest()
            previous = row_hash(previous, last, "r-%010d" % n, seq, utc, mono, kind, actor, digest)
            db.execute("INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?)",
                       (last, "r-%010d" % n, seq, utc, mono, kind, actor, body, digest, previous))
    db.commit()
    db.close()


def memory(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def memory_of_all(pids):
    total = 0
    for pid in pids:
        try:
            total += memory(pid)
        except OSError:
            continue  # it ended meanwhile
    return total


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """A place of its own for a service and for runs of bench/parked."""

    def __init__(self, runbook, book=BOOK):
        self.runbook, self.dir = runbook, tempfile.mkdtemp(prefix="runbook-bench-")
        os.chmod(self.dir, 0o755)
        os.makedirs(self.dir + "/books/bench")
        with open(self.dir + "/books/bench/parked.lua", "w") as f:
            f.write(book)
        self.share()
        self.env = dict(os.environ, HOME=self.dir, RUNBOOK_STATE=self.dir + "/state", RUNBOOK_PATH=self.dir + "/books", RUNBOOK_LANG="en")

    def share(self):
        os.mkdir(self.dir + "/state")
        os.chmod(self.dir + "/state", 0o2770)

    def call(self, *args, **more):
        return subprocess.run([self.runbook, *args], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, **more)

    def serve(self, runs=1):
        """The service and how long until it is ready."""
        log = open(self.dir + "/log", "w")
        started = time.perf_counter()
        service = subprocess.Popen([self.runbook, "serve", "--runs", str(runs), "-o", "jsonl"], stdout=log, stderr=log, env=self.env)
        while "service.started" not in open(self.dir + "/log").read():
            if service.poll() is not None or time.perf_counter() - started > 120:
                sys.exit(open(self.dir + "/log").read())
            time.sleep(0.02)
        return service, time.perf_counter() - started

    def done(self):
        path = self.dir + "/done"
        return len(open(path).read().split()) if os.path.exists(path) else 0

    def park(self, name):
        """One that waits; its name."""
        done = self.call("exec", "bench/parked", "dir=" + self.dir, "name=" + name, "--yes", "--wait", "--no-input", "-o", "json")
        if done.returncode != 4:
            sys.exit(done.stdout + done.stderr)
        return json.loads(done.stdout)["run"]

    def answer(self, runs):
        for run in runs:
            self.call("approve", run, "--reason", "bench", "--no-input", user=OTHER, group=os.getgid(), extra_groups=[])

    def wait_for(self, count, service, seconds=600):
        """The most processes and memory (MiB) that were there on the way."""
        end, most, mib = time.perf_counter() + seconds, 0, 0
        while self.done() < count and time.perf_counter() < end:
            pids = family(service.pid)
            most, mib = max(most, len(pids)), max(mib, memory_of_all(pids))
            time.sleep(0.5)
        time.sleep(1.5)  # one more would be one too many
        return most, mib


def main():
    runbook, parked = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10000
    answered = int(sys.argv[3]) if len(sys.argv) > 3 else 200
    answered = answered if os.geteuid() == 0 else 0
    b = Bench(runbook)
    try:
        empty, _ = b.serve()
        alone = memory(empty.pid)
        empty.terminate()
        empty.wait()
        shutil.rmtree(b.dir + "/state")  # its events are no run's
        b.share()
        later = MORE if answered else 0
        b.park("copied")
        copy_runs(b.dir + "/state/journal.db", parked - 1 - answered - later)
        names = [b.park("own-%d" % n) for n in range(answered + later)]
        size = os.path.getsize(b.dir + "/state/journal.db")
        started = time.perf_counter()
        listed = len(json.loads(b.call("approvals", "-o", "json").stdout)["approvals"])
        listing = time.perf_counter() - started
        service, ready = b.serve()
        time.sleep(3)
        used, since = cpu(service.pid), time.perf_counter()
        time.sleep(5)
        idle = (cpu(service.pid) - used) / (time.perf_counter() - since)
        size_with = memory(service.pid)
        service.terminate()
        service.wait()
        b.answer(names[:answered])  # while it is down …
        service, again = b.serve(max(answered, 1))
        most, mib = b.wait_for(answered, service)
        b.answer(names[answered:])  # … and while it is up
        b.wait_for(answered + later, service)
        executed, answered = answered, answered + later
        done = b.done()
        service.terminate()
        service.wait()
        verify = b.call("audit", "verify")
        waiting = len(json.loads(b.call("approvals", "-o", "json").stdout)["approvals"])
        for what, value in (("parked runs", "%d" % listed), ("journal", "%.1f MiB, %.1f KiB a run" % (size / 2**20, size / 1024 / parked)),
                            ("runbook approvals", "%.2f s" % listing), ("service alone", "%.1f MiB" % alone),
                            ("service beside them", "%.1f MiB, %.2f KiB a run" % (size_with, (size_with - alone) * 1024 / parked)),
                            ("ready", "%.2f s; with %d answered while it was down %.2f s" % (ready, executed, again)),
                            ("%d executing" % executed, "%d processes, %.0f MiB in all" % (most, mib)),
                            ("idle", "%.1f %% of a processor" % (100 * idle)),
                            ("answered / went on", "%d / %d" % (answered, done)), ("lost", "%d" % (answered - done)),
                            ("still waiting", "%d of %d" % (waiting, parked - answered)),
                            ("chain", "intact" if verify.returncode == 0 else verify.stdout)):
            print("%-22s %s" % (what, value))
        if answered == 0:
            print("NOT ROOT: another login is needed to answer; nothing was answered")
        sys.exit(0 if done == answered and waiting == parked - answered and listed == parked and verify.returncode == 0 else 1)
    finally:
        shutil.rmtree(b.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
