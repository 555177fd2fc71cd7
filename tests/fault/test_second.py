"""A second journal, in a folder on another disk, has the record when the first cannot be written: with the same promises.
On real disks that are full or read-only, each in a mount namespace of the test's own."""
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from test_unwritable import MOUNTS, Disks, InNamespace

SLOW = '''runbook "t/slow" { title = "slow", severity = "P2", target = "slow" }
param "dir" { type = "path", required = true, title = "folder" }
step "one" { title = "one", risk = "medium", no_undo = "-",
  run = function(p) shell.run { "sh", "-c", "echo one >> effects; while test -e slow; do sleep 0.05; done", cwd = p.dir } end }
step "two" { title = "two", risk = "medium", no_undo = "-",
  run = function(p) shell.run { "sh", "-c", "echo two >> effects", cwd = p.dir } end }
'''
AGREED = '''runbook "t/agreed" { title = "agreed", severity = "P2", target = "agreed" }
param "dir" { type = "path", required = true, title = "folder" }
step "one" { title = "one", risk = "medium", approvals = 1, no_undo = "-",
  run = function(p) shell.run { "sh", "-c", "echo one >> effects", cwd = p.dir } end }
'''


class Second(Disks):
    def setUp(self):
        super().setUp()
        self.far = self.dir + "/far"
        os.mkdir(self.far)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", self.far], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.far], stderr=subprocess.DEVNULL)
        self.record = self.far + "/record"
        os.mkdir(self.record, 0o700)
        self.env["RUNBOOK_RECORD"] = self.record
        self.work = self.dir + "/work"
        os.mkdir(self.work)
        for name, text in (("slow", SLOW), ("agreed", AGREED)):
            with open("%s/books/t/%s.lua" % (self.dir, name), "w") as f:
                f.write(text)

    # ---- helpers ----

    def mount_readonly(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)
        self.remount("ro")

    def remount(self, how):
        subprocess.run(["mount", "-o", "remount," + how, self.disk], check=True)

    def events(self, folder):
        path = folder + "/journal.db"
        if not os.path.exists(path):
            return []
        db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
        rows = db.execute("SELECT run, kind FROM events ORDER BY id").fetchall()
        db.close()
        return rows

    def runs(self, folder):
        return [run for run, kind in self.events(folder) if kind == "run.started"]

    def effects(self):
        if not os.path.exists(self.work + "/effects"):
            return []
        with open(self.work + "/effects") as f:
            return f.read().split()

    def do(self, *args):
        done = self.call(*args)
        return done.returncode, done.stdout + done.stderr

    def slow(self, *flags):
        return self.do("exec", "t/slow", "dir=" + self.work, "--yes", *flags)

    def assert_both_whole(self):
        done = self.call("audit", "verify")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertTrue(json.loads(done.stdout)["second"]["ok"])
        for path in (self.journal, self.record + "/journal.db"):
            db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
            self.assertEqual("ok", db.execute("PRAGMA integrity_check").fetchone()[0])
            db.close()

    def start_slow(self):
        """A write is under way when this returns."""
        open(self.work + "/slow", "w").close()
        host = subprocess.Popen([os.environ["RUNBOOK"], "exec", "t/slow", "dir=" + self.work, "--yes", "--no-input", "-o", "json"],
                                env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(host.wait)
        self.addCleanup(host.kill)
        end = time.monotonic() + 60
        while not self.effects() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(["one"], self.effects())
        return host

    def kill_slow(self):
        host = self.start_slow()
        host.send_signal(signal.SIGKILL)
        host.wait()
        os.remove(self.work + "/slow")

    # ---- which of the two ----

    def test_the_first_is_used_while_it_can_be(self):
        self.mount()
        self.assertEqual(0, self.slow()[0])
        self.assertEqual([], self.runs(self.record))
        self.assertEqual(1, len(self.runs(self.disk + "/runbook")))

    def test_a_read_only_disk_and_back(self):
        self.mount_readonly()
        done = self.call("exec", "t/slow", "dir=" + self.work, "--yes")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        run = json.loads(done.stdout)
        self.assertEqual(self.record + "/journal.db", run["journal"])
        self.assertIn(self.journal, run["instead"])
        self.assertNotIn("recorded", run)
        self.assertEqual(["one", "two"], self.effects())
        self.assertEqual([run["run"]], self.runs(self.record))
        for _ in range(2):  # what is in the second is seen while the first is unwritable, and after it is back
            history = json.loads(self.call("history").stdout)["runs"]
            self.assertEqual(["t/slow", "t/full"], [one["runbook"] for one in history])
            report = subprocess.run([os.environ["RUNBOOK"], "report", run["run"], "--lang", "en"], env=self.env,
                                    capture_output=True, text=True, timeout=60)
            self.assertEqual(0, report.returncode)
            self.assertIn("because the usual journal could not be written: ", report.stdout)
            self.assertEqual(0, self.do("show", run["run"][:6])[0])
            audit = json.loads(self.call("audit").stdout)["events"]
            self.assertEqual(2, len([e for e in audit if e["t"] == "run.started"]))
            self.assert_both_whole()
            self.remount("rw")
        self.assertEqual(0, self.slow()[0])
        self.assertEqual(1, len(self.runs(self.record)), "the first is back, and used again")

    def test_a_full_disk_without_its_reserve(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)
        os.remove(self.journal + ".reserve")
        self.fill()
        done = self.exec("--yes")
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual("fixed", json.loads(done.stdout)["result"])
        self.assertEqual(1, len(self.runs(self.record)))
        self.assert_both_whole()

    def test_a_full_disk_without_a_journal(self):
        self.mount()
        self.fill()
        self.assertEqual(0, self.exec("--yes").returncode)
        self.assertEqual(1, len(self.runs(self.record)))

    def test_the_reserve_comes_first(self):
        self.mount()
        self.assertEqual(0, self.exec("--diagnose").returncode)
        self.fill()
        self.assertEqual(0, self.exec("--yes").returncode)
        self.assertEqual([], self.runs(self.record))

    def test_neither(self):
        self.mount_readonly()
        subprocess.run(["mount", "-o", "remount,ro", self.far], check=True)
        done = self.call("exec", "t/slow", "dir=" + self.work, "--yes")
        self.assertEqual(10, done.returncode, done.stdout + done.stderr)
        self.assertEqual([], self.effects())

    def test_a_disk_that_is_not_mounted_is_never_written_below(self):
        self.mount_readonly()
        subprocess.run(["umount", self.far], check=True)
        code, text = self.slow()
        self.assertEqual(10, code, text)
        self.assertIn("Read-only", text)
        self.assertIn("there is no folder " + self.record, text)
        self.assertEqual([], os.listdir(self.far))
        self.remount("rw")
        self.assertEqual(0, self.slow()[0], "the first is enough")
        self.assertEqual([], os.listdir(self.far))

    def test_what_cannot_say_when_it_is_on_disk_is_refused(self):
        for place in ("syslog", "far/record"):
            self.env["RUNBOOK_RECORD"] = place
            code, text = self.slow()
            self.assertEqual(2, code, text)
            self.assertIn(place, text)
        self.assertEqual([], self.effects())

    def test_doctor_tries_it(self):
        self.mount()
        items = {item["name"]: item for item in json.loads(self.call("doctor").stdout)["items"]}
        self.assertEqual("ok", items["record"]["state"])
        subprocess.run(["mount", "-o", "remount,ro", self.far], check=True)
        items = {item["name"]: item for item in json.loads(self.call("doctor").stdout)["items"]}
        self.assertEqual("error", items["record"]["state"])

    # ---- what a run left behind ----

    def assert_unknown(self, folder):
        run = self.runs(folder)[-1]
        kinds = [kind for r, kind in self.events(folder) if r == run]
        self.assertIn("call.intent", kinds)
        self.assertNotIn("call.outcome", kinds)
        self.assertEqual(8, self.slow()[0], "nobody starts over it")
        return run

    def settle(self, run):
        self.assertEqual(9, self.do("resume", run, "--yes")[0])
        self.assertEqual(8, self.slow()[0])
        code, text = self.do("resolve", run, "--done", "--reason", "looked")
        self.assertEqual(0, code, text)
        code, text = self.do("resume", run, "--yes")
        self.assertEqual(0, code, text)
        self.assertEqual(["one", "two"], self.effects())

    def test_killed_in_the_second_and_settled_there(self):
        self.mount_readonly()
        self.kill_slow()
        self.settle(self.assert_unknown(self.record))
        self.assertEqual(0, self.slow()[0])
        self.assert_both_whole()

    def test_killed_in_the_second_and_settled_when_the_first_is_back(self):
        self.mount_readonly()
        self.kill_slow()
        self.remount("rw")
        run = self.assert_unknown(self.record)
        self.settle(run)
        self.assertNotIn(run, [r for r, _ in self.events(self.disk + "/runbook")], "a run is in one of the two")
        self.assert_both_whole()

    def test_unknown_in_the_first_is_seen_from_the_second(self):
        self.mount()
        self.kill_slow()
        self.remount("ro")
        run = self.assert_unknown(self.disk + "/runbook")
        self.assertEqual(10, self.do("resolve", run, "--done", "--reason", "looked")[0], "its own record cannot be written")
        self.assertEqual(10, self.do("resume", run, "--yes")[0])
        self.remount("rw")
        self.settle(run)

    def test_a_first_that_cannot_be_read_hides_nothing(self):
        self.mount()
        self.kill_slow()
        os.rename(self.journal, self.journal + ".away")
        os.mkdir(self.journal)
        code, text = self.slow()
        self.assertEqual(8, code, text)
        self.assertEqual(["one"], self.effects())
        os.rmdir(self.journal)
        os.rename(self.journal + ".away", self.journal)
        self.settle(self.runs(self.disk + "/runbook")[-1])

    def test_one_that_died_before_it_was_anything_is_in_nobodys_way(self):
        os.makedirs(self.journal)  # the first cannot be read, either
        self.assertEqual(0, self.slow()[0])
        locks = self.record + "/locks/"
        name = os.listdir(locks)[0]
        for journal, code in ((self.record + "/journal.db", 0), (self.journal, 8)):
            with open(locks + name, "w") as f:
                json.dump({"run": "r-0000000000", "journal": journal, "pid": 1}, f)
            self.assertEqual(code, self.slow()[0], journal)

    def test_a_run_that_began_in_time_excludes_one_in_the_second(self):
        self.mount()
        host = self.start_slow()
        subprocess.run(["mount", "-o", "remount,rw", self.disk], check=True)
        os.rename(self.journal, self.journal + ".away")
        os.mkdir(self.journal)
        self.assertEqual(8, self.slow()[0])
        self.assertEqual(["one"], self.effects())
        os.rmdir(self.journal)
        os.rename(self.journal + ".away", self.journal)
        os.remove(self.work + "/slow")
        self.assertEqual(0, host.wait())

    def test_a_run_in_the_second_excludes_one_in_the_first(self):
        self.mount_readonly()
        host = self.start_slow()
        self.remount("rw")
        self.assertEqual(8, self.slow()[0])
        os.remove(self.work + "/slow")
        self.assertEqual(0, host.wait())
        self.assertEqual(["one", "two"], self.effects())

    def test_parked_in_the_second(self):
        """Asked for, answered and used where the run is, whatever has become of the first meanwhile."""
        self.mount_readonly()
        self.assertEqual(4, self.do("exec", "t/agreed", "dir=" + self.work, "--yes", "--wait")[0])
        run = self.runs(self.record)[-1]
        self.remount("rw")
        waiting = json.loads(self.call("approvals").stdout)["approvals"]
        self.assertEqual([run], [one["run"] for one in waiting])
        code, text = self.do("reject", waiting[0]["id"], "--reason", "not now")
        self.assertEqual(0, code, text)
        self.assertEqual(4, self.do("resume", run)[0])
        self.assertEqual([], self.effects())
        self.assertEqual("run.ended", self.events(self.record)[-1][1])
        self.assert_both_whole()

    def test_a_plan_is_used_where_it_was_made(self):
        self.mount_readonly()
        done = self.call("exec", "t/slow", "dir=" + self.work, "--dry-run")
        plan = json.loads(done.stdout)["plan"]["id"]
        self.remount("rw")
        code, text = self.do("exec", "--plan", plan, "--yes")
        self.assertEqual(0, code, text)
        self.assertEqual(["one", "two"], self.effects())
        self.assertEqual(4, self.do("exec", "--plan", plan, "--yes")[0], "once")
        self.assertEqual(["one", "two"], self.effects())


class SecondInNamespace(InNamespace):
    module = "test_second"


def load_tests(loader, tests, pattern):
    return loader.loadTestsFromTestCase(Second if MOUNTS in os.environ else SecondInNamespace)


if __name__ == "__main__":
    unittest.main()
