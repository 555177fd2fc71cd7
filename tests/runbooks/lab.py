"""A place of its own for each test: a folder, a journal, and foreign programs that use SQLite."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

RUNBOOK = os.environ.get("RUNBOOK") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/runbook")
SOURCE = os.environ.get("SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
ROWS = 1000

CLIENT = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for one in sys.argv[2:]:
    db.execute(one).fetchall()
print("standing", flush=True)
time.sleep(600)
"""


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within %s s" % seconds)
        time.sleep(0.02)


def state_of(pid):
    with open("/proc/%d/stat" % pid) as f:
        return f.read().rpartition(")")[2].split()[0]


class Lab(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="runbook-test-")
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.home = os.path.join(self.dir, "home")
        os.mkdir(self.home)
        self.data = os.path.join(self.dir, "data")
        os.mkdir(self.data)
        self.db = os.path.join(self.data, "us.sqlite")

    def environment(self, home=None):
        home = home or self.home
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "RUNBOOK_", "LC_"))}
        path = os.path.dirname(os.path.abspath(RUNBOOK)) + ":" + keep.get("PATH", "/usr/bin:/bin")
        return dict(keep, HOME=home, XDG_STATE_HOME=home + "/state", XDG_CONFIG_HOME=home + "/config",
                    XDG_DATA_HOME=home + "/data", LANG="C.UTF-8", RUNBOOK_LANG="en", RUNBOOK_LAB="1", PATH=path)

    def run_argv(self, argv, timeout=300, **more):
        return subprocess.run(argv, env=more.pop("env", None) or self.environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)

    def runbook(self, *args, **more):
        return self.run_argv([os.path.abspath(RUNBOOK), *args], **more)

    def exec_json(self, *args, **more):
        """(exit code, the runbook.run/1 object)"""
        done = self.runbook("exec", *args, "--no-input", "-o", "json", **more)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            self.fail("no JSON (exit %d): %r\n%s" % (done.returncode, done.stdout[:500], done.stderr[:3000]))

    def database(self, mode="DELETE", path=None):
        path = path or self.db
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA journal_mode = " + mode)
            db.execute("CREATE TABLE orders(id INTEGER PRIMARY KEY, state TEXT)")
            db.executemany("INSERT INTO orders VALUES (?, 'paid')", ((i,) for i in range(ROWS)))
        db.close()

    def client(self, *statements, path=None):
        """Another program that opens the file, runs the statements, and stays."""
        child = subprocess.Popen([sys.executable, "-c", CLIENT, path or self.db, *statements], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(self.end, child)
        self.assertEqual("standing\n", child.stdout.readline())
        return child

    @staticmethod
    def end(child):
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()

    def count(self, path=None):
        db = sqlite3.connect(path or self.db, timeout=2)
        try:
            return db.execute("SELECT count(*) FROM orders WHERE state = 'paid'").fetchone()[0]
        finally:
            db.close()

    def can_write(self):
        db = sqlite3.connect(self.db, timeout=1)
        try:
            db.execute("INSERT INTO orders(state) VALUES ('new')")
            db.commit()
        finally:
            db.close()


def findings(run):
    return [f for check in run["checks"] for f in check.get("findings", [])]


def found(run, name):
    return [f for f in findings(run) if f["id"] == name]


def pids(run):
    return {f["evidence"]["pid"] for f in findings(run) if "pid" in (f.get("evidence") or {})}
