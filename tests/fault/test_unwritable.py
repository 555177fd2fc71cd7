"""A record that cannot be written: nothing is changed, looks go on and are marked. On real disks that are full, read-only
or locked, each in a mount namespace of the test's own."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

RUNBOOK = os.environ.get("RUNBOOK", "")
MOUNTS = "RUNBOOK_TEST_MOUNTS"  # set where a test may mount
TIMES = 20  # the runbook on a full disk

BOOK = '''runbook "t/full" { title = "The disk is full", severity = "P1", target = "t" }
param "dir" { type = "path", required = true, title = "folder" }
finding "full" { title = "{dir} is full", key = "dir" }
check "space" { title = "space", run = function(p)
  if file.stat(p.dir .. "/big") then found("full", { dir = p.dir }) end end }
fix "clear" { when = "full", title = "remove the big file", risk = "medium", no_undo = "-",
  run = function(p) file.remove(p.dir .. "/big") end }
'''


class Disks(unittest.TestCase):
    """A disk of its own for the journal, and a runbook about it."""

    def setUp(self):
        self.assertTrue(RUNBOOK, "RUNBOOK names no program")
        self.dir = tempfile.mkdtemp(prefix="rb-full-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.disk = self.dir + "/disk"
        os.mkdir(self.disk)
        os.makedirs(self.dir + "/books/t")
        with open(self.dir + "/books/t/full.lua", "w") as f:
            f.write(BOOK)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "LANG": "C.UTF-8", "RUNBOOK_PATH": self.dir + "/books",
                    "XDG_STATE_HOME": self.disk, "XDG_CONFIG_HOME": self.dir + "/config",
                    "XDG_CACHE_HOME": self.dir + "/cache"}
        self.journal = self.disk + "/runbook/journal.db"

    def mount(self, size="8m"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "none", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk])

    def fill(self):
        """To the last byte: the rest of a page, too, is taken."""
        with open(self.disk + "/big", "wb", buffering=0) as f:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError:
                    pass
        self.assertEqual(0, os.statvfs(self.disk).f_bavail)

    def call(self, *args):
        return subprocess.run([RUNBOOK, *args, "--no-input", "-o", "json"], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)

    def exec(self, *flags):
        return self.call("exec", "t/full", "dir=" + self.disk, *flags)

    def put_big(self):
        with open(self.disk + "/big", "w") as f:
            f.write("x")

    def assert_whole(self):
        db = sqlite3.connect("file:%s?mode=ro" % self.journal, uri=True)
        self.assertEqual("ok", db.execute("PRAGMA integrity_check").fetchone()[0])
        db.close()
        done = self.call("audit", "verify")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)


class Unwritable(Disks):
    def assert_only_looked(self, done):
        self.assertEqual(10, done.returncode, done.stdout + done.stderr)
        run = json.loads(done.stdout)
        self.assertIs(False, run["recorded"])
        self.assertEqual("full", run["checks"][0]["findings"][0]["id"])
        self.assertIn("journal", run["error"])
        self.assertEqual([], run["next"])
        self.assertTrue(os.path.exists(self.disk + "/big"), "something was changed without a record")

    def test_the_runbook_of_a_full_disk_runs_on_a_full_disk(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)  # leaves the reserve
        for n in range(TIMES):
            self.fill()
            done = self.exec("--yes")
            self.assertEqual(0, done.returncode, "%d: %s%s" % (n, done.stdout, done.stderr))
            self.assertEqual("fixed", json.loads(done.stdout)["result"])
            self.assertFalse(os.path.exists(self.disk + "/big"))
        self.assert_whole()

    def test_a_full_disk_without_a_reserve(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)
        os.remove(self.journal + ".reserve")
        self.fill()
        self.assert_only_looked(self.exec("--yes"))
        os.remove(self.disk + "/big")
        self.assert_whole()

    def test_a_full_disk_without_a_journal(self):
        self.mount()
        self.fill()
        self.assert_only_looked(self.exec("--yes"))

    def test_a_read_only_disk(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)
        self.put_big()
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        self.assert_only_looked(self.exec("--yes"))
        subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        self.assert_whole()
        self.assertEqual(0, self.exec("--yes").returncode)

    def test_a_journal_that_another_process_locks(self):
        self.assertEqual(0, self.exec("--diagnose").returncode)
        self.put_big()
        db = sqlite3.connect(self.journal, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        self.assert_only_looked(self.exec("--yes"))
        db.execute("ROLLBACK")
        db.close()
        self.assert_whole()
        self.assertEqual(0, self.exec("--yes").returncode)


class InNamespace(unittest.TestCase):
    """The tests above, where mounting harms nobody and needs no root."""
    module = "test_unwritable"

    def runTest(self):
        command = ["unshare", "--mount", "--map-root-user", sys.executable, "-m", "unittest", "-q", self.module]
        done = subprocess.run(command, env={**os.environ, MOUNTS: "1"}, cwd=os.path.dirname(os.path.abspath(__file__)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(0, done.returncode, done.stdout)


def load_tests(loader, tests, pattern):
    return loader.loadTestsFromTestCase(Unwritable if MOUNTS in os.environ else InNamespace)


if __name__ == "__main__":
    unittest.main()
