"""The verifier without our code: its published vectors, and one mind with `audit verify` on journals the program made."""
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SOURCE"])
RUNBOOK = os.environ["RUNBOOK"]


def load():
    loader = importlib.machinery.SourceFileLoader("verifier", str(SOURCE / "verifier" / "runbook-verify"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("verifier", loader))
    loader.exec_module(module)
    return module


verifier = load()


class Vectors(unittest.TestCase):
    def setUp(self):
        self.vectors = json.loads((SOURCE / "verifier" / "vectors.json").read_text())

    def test_rfc8032(self):
        for one in self.vectors["ed25519"]:
            key, message, signature = (bytes.fromhex(one[name]) for name in ("key", "message", "signature"))
            self.assertTrue(verifier.signed(key, message, signature))
            for at in (0, 31, 32, 63):
                bad = bytearray(signature)
                bad[at] ^= 1
                self.assertFalse(verifier.signed(key, message, bytes(bad)))

    def test_chain(self):
        previous = b"\0" * 32
        for e in self.vectors["events"]:
            e["digest"] = bytes.fromhex(e["digest"])
            self.assertEqual(e["digest"], verifier.sha256(e["body"].encode()))
            previous = verifier.link(previous, e)
            self.assertEqual(e["hash"], previous.hex())

    def test_seals(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "seals")
            with open(path, "w", newline="\n") as f:
                f.writelines(line + "\n" for line in self.vectors["seals"])
            self.assertEqual([1, 2, 3], [s["n"] for s in verifier.seals(path, self.vectors["seals"][0].split()[6])])
            with open(path, "w", newline="\n") as f:
                f.writelines(line + "\n" for line in self.vectors["seals"][1:])
            self.assertRaises(verifier.Broken, list, verifier.seals(path, None))


class Journals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="runbook-verifier-")
        cls.env = dict(os.environ, XDG_STATE_HOME=cls.dir, XDG_CONFIG_HOME=cls.dir + "/config", RUNBOOK_LANG="en")
        db = os.path.join(cls.dir, "us.sqlite")
        sqlite3.connect(db).execute("create table t(a)").connection.close()
        for _ in range(2):
            subprocess.run([RUNBOOK, "exec", "db-locked", "db=" + db, "--no-input", "-q"], env=cls.env, check=True, timeout=60,
                           stdout=subprocess.DEVNULL)
        cls.journal = os.path.join(cls.dir, "runbook", "journal.db")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def both(self, *args):
        """(exit code, text) of the program and of the verifier; they must agree."""
        ours = subprocess.run([RUNBOOK, "audit", "verify", "--journal", self.journal, "-o", "json", *args], env=self.env, timeout=60,
                              capture_output=True, text=True)
        theirs = subprocess.run([str(SOURCE / "verifier" / "runbook-verify"), self.journal, *args], timeout=60, capture_output=True,
                                text=True)
        self.assertEqual(ours.returncode, theirs.returncode, ours.stdout + ours.stderr + theirs.stdout + theirs.stderr)
        return json.loads(ours.stdout), theirs.stdout

    def test_one_mind(self):
        ours, theirs = self.both()
        self.assertTrue(ours["ok"])
        self.assertEqual(2, ours["seals"])
        self.assertEqual(ours["events"], ours["sealed"])
        self.assertIn(f"whole: {ours['events']} events, last {ours['last']}, sealed up to event {ours['sealed']}", theirs)
        self.both("--key", ours["key"])
        with open(self.journal + ".seals") as f:
            lines = f.readlines()
        changes = [
            ("UPDATE events SET kind = 'x' WHERE id = 5", 5), ("DELETE FROM events WHERE id = 7", 8),
            ("UPDATE events SET body = '{}' WHERE id = 9", 9), ("DELETE FROM events WHERE id > %d" % (ours["events"] - 3), None),
        ]
        with sqlite3.connect(self.journal) as db:
            db.execute("PRAGMA journal_mode = DELETE")  # one file, so that a copy is whole
        db.close()
        with open(self.journal, "rb") as f:
            whole = f.read()
        for sql, event in changes:
            with sqlite3.connect(self.journal) as db:
                db.execute(sql)
            db.close()
            bad, said = self.both()
            self.assertFalse(bad["ok"])
            if event:
                self.assertEqual(event, bad["event"]["id"])
                self.assertIn(f"broken at event {event},", said)
            with open(self.journal, "wb") as f:
                f.write(whole)
        self.assertFalse(self.both("--key", "0" * 64)[0]["ok"])
        short = os.path.join(self.dir, "short")
        with open(short, "w") as f:
            f.write(lines[0])
        self.assertEqual(ours["events"] // 2, self.both("--seals", short)[0]["sealed"])

    def test_export(self):
        path = os.path.join(self.dir, "export.jsonl")
        with open(path, "w") as f:
            subprocess.run([RUNBOOK, "audit", "export", "--journal", self.journal], env=self.env, check=True, timeout=60, stdout=f)
        done = subprocess.run([str(SOURCE / "verifier" / "runbook-verify"), path, "--seals", self.journal + ".seals"], timeout=60,
                              capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        with open(path) as f:
            lines = f.readlines()
        with open(path, "w") as f:
            f.writelines(lines[:3] + lines[4:])
        done = subprocess.run([str(SOURCE / "verifier" / "runbook-verify"), path], timeout=60, capture_output=True, text=True)
        self.assertEqual(1, done.returncode)


if __name__ == "__main__":
    unittest.main()
