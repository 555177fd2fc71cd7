"""db-locked judged from outside: foreign programs take real locks, nothing of the product helps to judge."""
import json
import os
import shutil
import signal
import unittest

from lab import ROWS, RUNBOOK, SOURCE, Lab, findings, found, pids, state_of, wait_for


def listing(folder):
    """Names, sizes and times: what a look must leave as it was."""
    return sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(folder))


class Judge(Lab):
    def diagnose(self, *more):
        return self.exec_json("db-locked", "db=" + self.db, *more)

    def follow(self, run, code, goes=4):
        """Does what the run says comes next, as a script would."""
        for _ in range(goes):
            if code not in (1, 3):
                break
            self.assertTrue(run["next"], "nothing to go on with: %s" % json.dumps(run)[:2000])
            done = self.run_argv(run["next"][0]["argv"])
            code = done.returncode
            self.assertTrue(done.stdout, done.stderr[:2000])
            run = json.loads(done.stdout)
        return code, run

    def beside(self):
        """Two programs that must not be touched: an idle opener of this file, a holder of another one."""
        other = os.path.join(self.data, "other.sqlite")
        self.database(path=other)
        return self.client("SELECT 1"), self.client("BEGIN EXCLUSIVE", path=other)

    def judge(self, holder, others, kind):
        code, run = self.diagnose()
        self.assertEqual(3, code, json.dumps(run)[:3000])
        self.assertEqual("liqpass/db-locked", run["runbook"])
        self.assertEqual("found", run["result"])
        self.assertEqual(1, len(found(run, "locked")))
        self.assertEqual({holder.pid}, pids(run))
        self.assertEqual(1, len(found(run, kind)), findings(run))
        self.assertIsNone(holder.poll(), "a mere diagnosis ended the holder")
        code, run = self.follow(run, code)
        self.assertEqual(0, code, json.dumps(run)[:3000])
        self.assertEqual("fixed", run["result"])
        self.can_write()
        self.assertEqual(ROWS, self.count())
        for one in others:
            self.assertIsNone(one.poll(), "a process that held no lock here was stopped")

    def test_exclusive(self):
        self.database()
        others = self.beside()
        self.judge(self.client("BEGIN EXCLUSIVE", "UPDATE orders SET state = 'lost'"), others, "process")

    def test_rollback_writer_is_backed_up_first(self):
        self.database()
        others = self.beside()
        self.judge(self.client("BEGIN IMMEDIATE"), others, "process")
        kept = os.listdir(self.db + "-backups")
        self.assertEqual(1, len(kept), kept)
        self.assertEqual(ROWS, self.count(os.path.join(self.db + "-backups", kept[0])))

    def test_wal_writer(self):
        self.database("WAL")
        others = self.beside()
        self.judge(self.client("BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost'"), others, "process")

    def test_suspended(self):
        self.database()
        others = self.beside()
        holder = self.client("BEGIN EXCLUSIVE")
        holder.send_signal(signal.SIGSTOP)
        wait_for(lambda: state_of(holder.pid) == "T")
        self.judge(holder, others, "suspended")

    def test_old_reader(self):
        self.database("WAL")
        reader = self.client("BEGIN", "SELECT count(*) FROM orders")
        self.can_write()
        code, run = self.diagnose("wal_warn=0")
        self.assertEqual(3, code)
        self.assertEqual(1, len(found(run, "wal-big")))
        self.assertEqual([reader.pid], [f["evidence"]["pid"] for f in found(run, "reader")])
        code, run = self.follow(run, code)
        self.assertEqual(0, code, json.dumps(run)[:3000])
        self.assertEqual(ROWS, self.count())

    def test_wrong_key_stops_nobody(self):
        self.database()
        holder = self.client("BEGIN EXCLUSIVE")
        code, run = self.diagnose("--fix", "stop-process", "--confirm", "1")
        self.assertNotEqual(0, code)
        code, run = self.diagnose("--yes")
        self.assertEqual(3, code, json.dumps(run)[:2000])
        self.assertIsNone(holder.poll(), "--yes stopped a process")

    def healthy(self):
        before = listing(self.data)
        code, run = self.diagnose()
        self.assertEqual((0, "healthy"), (code, run["result"]), json.dumps(run)[:3000])
        self.assertEqual([], findings(run))
        self.assertEqual(before, listing(self.data))

    def test_healthy_rollback(self):
        self.database()
        self.healthy()

    def test_healthy_wal_closed(self):
        self.database("WAL")
        self.assertEqual(["us.sqlite"], os.listdir(self.data))
        self.healthy()

    def test_healthy_wal_open(self):
        self.database("WAL")
        client = self.client("INSERT INTO orders(state) VALUES ('new')")
        self.healthy()
        self.assertIsNone(client.poll())

    def test_missing_file_stays_missing(self):
        code, run = self.diagnose()
        self.assertEqual((1, "failed"), (code, run["result"]))
        self.assertEqual([], os.listdir(self.data))

    def test_garbage_is_corrupt_and_nobody_is_stopped(self):
        self.database()
        idle = self.client("SELECT 1")
        with open(self.db, "r+b") as f:
            f.write(b"\xff" * 100)
        code, run = self.diagnose("--yes")
        self.assertEqual((3, "found"), (code, run["result"]), json.dumps(run)[:3000])
        self.assertEqual(["corrupt"], [f["id"] for f in findings(run)])
        self.assertEqual([], run["next"])
        self.assertIsNone(idle.poll())

    def as_nobody(self):
        """The same command as a user without rights: the exit code and the result."""
        binary = os.path.join(self.dir, "runbook")
        home = os.path.join(self.dir, "nobody")
        if not os.path.exists(binary):
            shutil.copy(RUNBOOK, binary)
            shutil.copytree(os.path.join(SOURCE, "runbooks"), os.path.join(self.dir, "runbooks"))
            os.mkdir(home)
            os.chown(home, 65534, 65534)
        done = self.run_argv(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "--runbooks",
             os.path.join(self.dir, "runbooks"), "exec", "db-locked", "db=" + self.db, "--no-input", "-o", "json"],
            env=self.environment(home))
        return done.returncode, json.loads(done.stdout)

    @unittest.skipUnless(os.getuid() == 0, "needs root to become somebody else")
    def test_somebody_without_rights_never_says_healthy(self):
        self.database()
        self.client("BEGIN EXCLUSIVE")
        for mode in (0o644, 0o600):
            os.chmod(self.db, mode)
            code, run = self.as_nobody()
            self.assertNotEqual(0, code, json.dumps(run)[:2000])
            self.assertNotEqual("healthy", run["result"])

    @unittest.skipUnless(os.getuid() == 0, "needs root to become somebody else")
    def test_wal_index_that_cannot_be_read_is_not_healthy(self):
        self.database("WAL")
        self.client("BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost'")
        os.chmod(self.db + "-shm", 0o600)
        code, run = self.as_nobody()
        self.assertNotEqual(0, code, json.dumps(run)[:2000])
        self.assertNotEqual("healthy", run["result"])

    def test_wal_writer_behind_a_link(self):
        self.database("WAL")
        others = self.beside()
        holder = self.client("BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost'")
        self.use_link()
        self.judge(holder, others, "process")

    def test_hot_journal_behind_a_link(self):
        self.database()
        holder = self.client("PRAGMA cache_size = 1", "BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost-and-gone-for-ever'")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        self.assertTrue(os.path.getsize(self.db + "-journal"))
        self.use_link()
        code, run = self.diagnose()
        self.assertEqual(3, code, json.dumps(run)[:2000])
        self.assertEqual(1, len(found(run, "hot-journal")), findings(run))
        code, run = self.follow(run, code)
        self.assertEqual((0, ROWS), (code, self.count()), json.dumps(run)[:2000])

    def use_link(self):
        """From here on the database is known by a link in another folder; SQLite puts -wal beside the real file."""
        link = os.path.join(self.dir, "link.sqlite")
        os.symlink(self.db, link)
        self.db = link

    def test_chinese(self):
        self.database()
        self.client("BEGIN EXCLUSIVE")
        done = self.runbook("exec", "db-locked", "db=" + self.db, "--no-input", "--lang", "zh")
        self.assertEqual(3, done.returncode, done.stderr)
        self.assertIn("占着锁", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
