"""Commands that look: list, find, show, lint, history, logs, audit, doctor."""
import json
import os
import sqlite3
import unittest

from lab import SOURCE, Lab, greeting

BROKEN = 'runbook "demo/broken" { title = "Broken", severity = "P1" }\nfix "a" {\n'
EVIL = '''runbook "demo/evil" { title = "nice\\27]0;owned\\7\\27[2J\\nresult fixed", severity = "P3" }
finding "bad" { title = "bad\\27[31m {word}" }
check "c" { title = "c\\27[1m", run = function() found("bad", { word = "x\\27[2J\\n\\8\\127", key = "\\27]8;;" }) end }
'''


class List(Lab):
    def test_keys(self):
        self.book("demo/greeting", greeting())
        [one] = [r for r in self.json("list")["runbooks"] if r["id"] == "demo/greeting"]
        for key in ("id", "alias", "title", "severity", "status", "source", "last_run", "last_drill"):
            self.assertIn(key, one)
        self.assertEqual(("P2", "ok", None), (one["severity"], one["status"], one["last_run"]))
        self.assertIn("hello-gone", one["alias"])

    def test_a_broken_file_hides_nobody(self):
        self.book("demo/greeting", greeting())
        self.book("demo/broken", BROKEN)
        done = self.run_it("list", code=0)
        self.assertIn("demo/greeting", done.out)
        self.assertIn("demo/broken", done.err)
        self.assertRegex(done.err, r"broken\.lua:\d+")
        states = {r["id"]: r["status"] for r in self.json("list")["runbooks"]}
        self.assertEqual(("ok", "broken"), (states["demo/greeting"], states["demo/broken"]))

    def test_words_filter(self):
        self.book("demo/greeting", greeting())
        def ids(*words):
            return [r["id"] for r in self.json("list", *words)["runbooks"] if r["id"].startswith("demo/")]
        for word in ("P2", "demo", "hello-gone", "greet", "gone", "不见", "ok"):
            self.assertEqual(["demo/greeting"], ids(word), word)
        self.assertEqual([], ids("P2", "P1"))

    def test_one_line_a_runbook(self):
        self.book("demo/greeting", greeting())
        lines = self.run_it("list", "demo/", code=0).out.splitlines()
        self.assertEqual(2, len(lines), lines)
        self.assertIn("medium", lines[1])


class Remembered(Lab):
    def kept(self):
        folder = os.path.join(self.env["XDG_CACHE_HOME"], "runbook")
        return [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("catalogue-")]

    def title(self):
        return [r["title"]["en"] for r in self.json("list")["runbooks"] if r["id"] == "demo/greeting"][0]

    def test_lists_say_the_same_and_see_a_change(self):
        self.book("demo/greeting", greeting())
        for args in (["list"], ["show", "greeting"], ["find", "DEMO-001"]):
            self.assertEqual(self.json(*args), self.json(*args))
        [path] = self.kept()
        self.assertEqual(0o600, os.stat(path).st_mode & 0o7777)
        before = self.title()
        self.book("demo/greeting", greeting().replace(before, before.upper()))
        self.assertEqual(before.upper(), self.title())
        self.book("demo/greeting", BROKEN)
        self.assertIn("broken", [r["status"] for r in self.json("list")["runbooks"] if r["id"] == "demo/greeting"])

    def test_nothing_is_said_when_nothing_can_be_kept(self):
        self.book("demo/greeting", greeting())
        nowhere, well = self.run_it("list", code=0, env={"XDG_CACHE_HOME": "/dev/null/none"}), self.run_it("list", code=0)
        self.assertEqual((well.out, well.err), (nowhere.out, nowhere.err))
        [path] = self.kept()
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) // 2)
        half = self.run_it("list", code=0)
        self.assertEqual((well.out, well.err), (half.out, half.err))

    def test_what_decides_does_not_use_it(self):
        self.book("demo/greeting", greeting())
        self.run_it("lint", code=0)
        self.run_it("schedule", "list", code=0)
        self.run_it("exec", "hello-gone", "--diagnose", "--no-input")
        self.assertFalse(os.path.exists(os.path.join(self.env["XDG_CACHE_HOME"], "runbook")))


class Find(Lab):
    def first(self, text):
        return self.json("find", text)["runbooks"][0]["id"]

    def test_words_codes_and_chinese(self):
        self.book("demo/greeting", greeting())
        self.assertEqual("demo/greeting", self.first("greeting is missing"))
        self.assertEqual("demo/greeting", self.first("DEMO-001"))
        self.assertEqual("demo/greeting", self.first("问候"))
        self.assertEqual("demo/greeting", self.first("2026-01-01 12:00:00 ERROR worker 7: greeting is missing (retry 3)"))

    def test_text_says_why_and_what_next(self):
        self.book("demo/greeting", greeting())
        done = self.run_it("find", "DEMO-001", code=0)
        self.assertIn("code  DEMO-001", done.out)
        self.assertIn("exec demo/greeting --diagnose", done.err)

    def test_nothing(self):
        done = self.run_it("find", "zzzqqqxxyyzz", code=1)
        self.assertEqual("", done.out)


class Show(Lab):
    def test_a_runbook(self):
        self.book("demo/greeting", greeting("high"))
        out = self.run_it("show", "greeting", code=0).out
        for word in ("P2", "DEMO-001", "dir", "path", "required", "plain", "look at the file", "explains missing",
                     "write-it", "for missing", "risk high", "no undo", "greeting.lua", "hello-gone"):
            self.assertIn(word, out)
        zh = self.run_it("show", "hello-gone", "--lang", "zh", code=0).out
        self.assertIn("文件 hello 不见了", zh)
        self.assertIn("写一个新的", zh)

    def test_foreign_bytes_never_reach_the_terminal(self):
        self.book("demo/evil", EVIL)
        runs = [self.run_it("list"), self.run_it("show", "evil"), self.run_it("find", "nice"), self.run_it("help", "evil"),
                self.run_it("exec", "evil", code=3), self.run_it("exec", "evil", "-n", code=3), self.run_it("lint", "evil"),
                self.run_it("exec", "evil", "-o", "md", code=3), self.run_it("exec", "evil", "-o", "jsonl", code=3),
                self.run_it("exec", "evil", "-o", "json", code=3), self.run_it("__complete", "--", "exec", "demo/e")]
        run = json.loads(runs[-2].out)["run"]
        runs += [self.run_it("show", run, code=0), self.run_it("show", run, "-o", "md", code=0),
                 self.run_it("logs", run, code=0), self.run_it("audit", "-v", code=0), self.run_it("history", code=0)]
        for done in runs:
            for text in (done.out, done.err):
                self.assertEqual(set(), set(text) & set("\x1b\x07\x08\x7f\x9b"), (done.args, text))
                self.assertFalse([l for l in text.splitlines() if l.startswith("result fixed")], done.args)
        self.assertIn("\\x1b", runs[1].out)


class Lint(Lab):
    def test_errors_have_a_place_and_the_code_is_one(self):
        self.book("demo/greeting", greeting().replace("risk =", "rsik ="))
        done = self.run_it("lint", "demo/greeting", code=1)
        self.assertRegex(done.out, r"(?m)greeting\.lua:\d+: .*rsik.*risk")
        self.assertRegex(done.out, r"(?m)^[1-9]\d* errors, 1 warning in 1 file$")

    def test_a_path(self):
        good = self.book("demo/greeting", greeting())
        bad = self.book("demo/broken", BROKEN)
        self.run_it("lint", good, code=0)
        self.run_it("lint", bad, code=1)
        self.run_it("lint", self.books, code=1)

    def test_json_tap_and_junit(self):
        self.book("demo/greeting", greeting())
        bad = self.book("demo/broken", BROKEN)
        found = self.json("lint", bad, code=1)
        self.assertEqual((False, 1), (found["ok"], found["files"]))
        self.assertTrue({"file", "line", "level", "text"} <= set(found["problems"][0]))
        tap = self.run_it("lint", self.books, "-o", "tap", code=1).out
        self.assertTrue(tap.startswith("TAP version 14\n1..2\n"), tap)
        self.assertEqual(1, tap.count("\nnot ok "))
        import xml.etree.ElementTree as xml
        suite = xml.fromstring(self.run_it("lint", self.books, "-o", "junit", code=1).out.encode())[0]
        self.assertEqual(("2", "1"), (suite.get("tests"), suite.get("failures")))

    def test_the_shipped_runbooks_are_clean(self):
        done = self.run_it("lint", os.path.join(SOURCE, "runbooks"), code=0)
        self.assertIn("0 errors", done.out)


class Past(Lab):
    def setUp(self):
        super().setUp()
        self.book("demo/greeting", greeting())

    def one(self, *args, code=3):
        return self.json("exec", "greeting", f"dir={self.dir}", *args, code=code)["run"]

    def test_history_newest_first(self):
        self.assertEqual([], self.json("history")["runs"])
        first, second = self.one("--diagnose"), self.one("--yes", code=0)
        runs = self.json("history")["runs"]
        self.assertEqual([second, first], [r["run"] for r in runs])
        self.assertEqual(["fixed", "found"], [r["result"] for r in runs])
        for key in ("run", "runbook", "result", "started", "ended", "actor"):
            self.assertIn(key, runs[0])
        self.assertEqual("demo/greeting", runs[0]["runbook"])
        self.assertEqual([first], [r["run"] for r in self.json("history", "--status", "failed,found")["runs"]])
        self.assertEqual([second], [r["run"] for r in self.json("history", "--limit", "1")["runs"]])
        self.assertEqual([], self.json("history", "other/thing")["runs"])
        self.assertEqual(2, len(self.json("history", "greeting", "--last", "1h")["runs"]))
        text = self.run_it("history", code=0).out
        self.assertIn("write-it", text)
        [listed] = [r for r in self.json("list")["runbooks"] if r["id"] == "demo/greeting"]
        self.assertEqual((second, "fixed"), (listed["last_run"]["run"], listed["last_run"]["result"]))

    def test_show_a_run_by_prefix(self):
        whole = self.json("exec", "greeting", f"dir={self.dir}", "--diagnose", code=3)
        again = self.json("show", whole["run"][:8])
        for key in ("schema", "run", "runbook", "result", "exit", "checks", "params"):
            self.assertEqual(whole[key], again[key], key)
        text = self.run_it("show", whole["run"], code=0).out
        self.assertIn("no file", text)
        self.assertIn("(exit 3)", text)
        md = self.run_it("show", whole["run"], "-o", "md", code=0).out
        self.assertTrue(md.startswith("# demo/greeting"), md)
        self.run_it("show", "r-zzzzz", code=2)

    def test_logs(self):
        run = self.one("--yes", code=0)
        lines = [json.loads(l) for l in self.run_it("logs", run, "-o", "jsonl", code=0).out.splitlines()]
        kinds = [l["t"] for l in lines]
        self.assertEqual(("run.started", "run.ended"), (kinds[0], kinds[-1]))
        writes = [k["t"] for k in lines if k["t"] == "call.intent" or k["body"].get("effect") == "write"]
        self.assertEqual(["call.intent", "call.outcome"], writes)
        self.assertEqual(list(range(1, len(lines) + 1)), [l["seq"] for l in lines])
        self.assertEqual(len(lines), len(self.run_it("logs", run, code=0).out.splitlines()))
        self.assertEqual(len(lines), len(self.run_it("logs", run, "-f", code=0).out.splitlines()))

    def test_audit_says_who_agreed_and_what_was_written(self):
        run = self.one("--yes", code=0)
        out = self.run_it("audit", "--run", run, code=0).out
        self.assertRegex(out, r"confirm\.answered\s+write-it.*yes \(by a flag\)")
        self.assertRegex(out, r"call\.intent\s+file\.write")
        self.assertTrue(all(e["run"] == run for e in self.json("audit")["events"]))

    def test_verify_finds_a_changed_event(self):
        self.assertEqual(0, self.json("audit", "verify")["events"])
        run = self.one("--yes", code=0)
        good = self.json("audit", "verify")
        self.assertTrue(good["ok"])
        self.assertRegex(good["last"], r"^sha256:[0-9a-f]{64}$")
        path = os.path.join(self.dir, "state", "runbook", "journal.db")
        with sqlite3.connect(path) as db:
            tables = [t for (t,) in db.execute("select name from sqlite_master where type = 'trigger'")]
            for trigger in tables:
                db.execute(f'drop trigger "{trigger}"')
            [(table,)] = db.execute("select name from sqlite_master where type = 'table' and sql like '%hash%' limit 1")
            [(id, body)] = db.execute(f"select id, body from {table} where kind = 'confirm.answered'")
            changed = body.replace("yes", "no ") if isinstance(body, str) else body.replace(b"yes", b"no ")
            db.execute(f"update {table} set body = ? where id = ?", (changed, id))
        db.close()
        bad = self.json("audit", "verify", code=1)
        self.assertEqual((False, run), (bad["ok"], bad["event"]["run"]))
        self.assertGreater(bad["event"]["seq"], 0)
        self.assertTrue(bad["why"])
        text = self.run_it("audit", "verify", code=1).out
        self.assertIn(run, text)
        self.assertIn("✗", text)
        self.run_it("audit", "verify", "--journal", "/nowhere/journal.db", code=2)

    def test_verify_finds_what_was_removed(self):
        """The whole journal, or its seals with their key: an empty record must not look like one that never was."""
        state = os.path.join(self.dir, "state", "runbook")
        self.one("--yes", code=0)
        for name in ("journal.db.seals", "journal.db.seal-key"):
            os.rename(os.path.join(state, name), os.path.join(self.dir, name))
        os.unlink(os.path.join(self.dir, "hello"))
        self.one("--yes", code=0)
        self.assertEqual(1, self.json("audit", "verify")["early"])
        self.assertIn("before the first seal", self.run_it("audit", "verify", code=0).out)
        for name in os.listdir(state):
            if name.startswith("journal.db") and not name.startswith("journal.db.seal"):
                os.unlink(os.path.join(state, name))
        self.assertFalse(self.json("audit", "verify", code=1)["ok"])
        self.assertIn("existed", self.run_it("audit", "verify", code=1).out)


class Doctor(Lab):
    def test_says_where_everything_is(self):
        self.book("demo/greeting", greeting())
        out = self.run_it("doctor", code=0).out
        for word in ("journal.db", self.books, "SQLite", "libuv", "Lua 5.4"):
            self.assertIn(word, out)
        items = self.json("doctor")["items"]
        self.assertTrue({"journal", "kernel", "pidfd", "clock", "language"} <= {i["name"] for i in items})

    def test_a_journal_that_cannot_be_is_an_error(self):
        os.makedirs(os.path.join(self.dir, "state"))
        with open(os.path.join(self.dir, "state", "runbook"), "w") as f:
            f.write("in the way")
        self.run_it("doctor", code=1)


if __name__ == "__main__":
    unittest.main()
