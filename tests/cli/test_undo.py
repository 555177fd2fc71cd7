"""runbook undo: what a run did is taken back, the last first, once; and what cannot be told is refused."""
import os
import signal
import sqlite3
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab

STEPS = '''runbook "demo/steps" { title = "Steps", severity = "P3", target = "t" }
param "dir" { type = "path", title = "folder", required = true }
local function say(word) return function(p) shell.run { sh = 'echo "$1" >> log', args = { word }, cwd = p.dir } end end
local function last(word) return function(p) return shell.read { sh = "tail -n 1 log", cwd = p.dir }.out == word .. "\\n" end end
step "one" { title = "one", risk = "medium", run = function(p) say "one"(p) return { was = "old" } end,
  undo = function(p, r) say("undo-one-" .. r.one.was)(p) end }
step "two" { title = "two", risk = "medium", no_undo = "words cannot be taken back", run = say "two" }
step "three" { title = "three", risk = "%s", key = "dir", run = say "three", undo = say "undo-three"%s }
'''
FIXES = '''runbook "demo/fixes" { title = "Fixes", severity = "P3", target = "f" }
param "dir" { type = "path", title = "folder", required = true }
finding "flag" { title = "flag {path}", key = "path" }
check "look" { title = "look", run = function(p)
  for _, name in ipairs { "a", "b" } do
    if file.stat(p.dir .. "/" .. name) then found("flag", { path = p.dir .. "/" .. name }) end
  end
end }
fix "aside" { when = "flag", title = "set {path} aside", risk = "medium",
  run = function(p, f) file.move(f.path, f.path .. ".aside") return { from = f.path } end,
  undo = function(p, f, r) file.move(f.path .. ".aside", f.path) note("{from}", { from = r.aside.from }) end,
  verify = function(p, f) return file.stat(f.path .. ".aside") ~= nil end }
'''


class Undo(Lab):
    def at(self, name):
        return os.path.join(self.dir, name)

    def log(self):
        with open(self.at("log")) as f:
            return f.read().split()

    def exec(self, book, *more, code=0):
        return self.json("exec", book, f"dir={self.dir}", "--yes", "--no-input", *more, code=code)["run"]

    def steps(self, risk="medium", more=""):
        self.book("demo/steps", STEPS % (risk, more))
        return self.exec("demo/steps", *(["--confirm", self.dir] if risk == "high" else []))

    def test_the_last_first_and_only_what_can_be(self):
        run = self.steps()
        result = self.json("undo", run, "--yes", "--no-input")
        self.assertEqual(["one", "two", "three", "undo-three", "undo-one-old"], self.log())
        self.assertEqual(("done", "undo", run), (result["result"], result["mode"], result["undoes"]))
        self.assertEqual([("three", "done"), ("two", "no_undo"), ("one", "done")], [(u["id"], u["result"]) for u in result["undone"]])
        self.assertIn(run, self.run_it("logs", result["run"], "-o", "jsonl").out)
        self.run_it("audit", "verify", code=0)

    def test_the_report_of_what_was_taken_back_says_so(self):
        run = self.steps()
        self.assertNotIn("took it back", self.run_it("report", run, code=0).out)
        undo = self.json("undo", run, "--yes", "--no-input")["run"]
        story = self.json("report", run)
        self.assertEqual([("undo", undo, "done")], [(one["how"], one["run"], one["result"]) for one in story["later"]])
        self.assertIn(f"run {undo} took it back", self.run_it("report", run, code=0).out)
        self.assertIn(f"由运行 {undo} 撤销", self.run_it("--lang", "zh", "report", run, "-o", "html", code=0).out)
        self.assertEqual([], self.json("report", undo)["later"])

    def test_it_says_that_it_takes_back(self):
        done = self.run_it("undo", self.steps(), "--yes", "--no-input", code=0)
        self.assertIn("Will undo three", done.out)
        self.assertNotIn("can be undone", done.out)

    def test_once(self):
        run = self.steps()
        first = self.json("undo", run, "--yes", "--no-input")["run"]
        done = self.run_it("undo", run, "--yes", "--no-input", code=4)
        self.assertIn(f"undone already by {first}", done.err)
        self.run_it("undo", first, "--yes", code=2)  # an undo is not undone
        self.assertEqual(5, len(self.log()))

    def test_each_is_agreed_to(self):
        run = self.steps("high")
        result = self.json("undo", run, "--no-input", code=4)
        self.assertEqual("waiting", result["result"])
        self.assertEqual(["one", "two", "three"], self.log())
        argv = result["next"][0]["argv"]
        self.assertEqual(["undo", run, "--confirm", self.dir], argv[-4:])
        self.json("undo", run, "--yes", "--no-input", code=4)  # yes is not the word of high risk
        done = subprocess.run([*argv, "--yes"], env=self.env, capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("undo-one-old", self.log()[-1])

    def test_what_was_agreed_to_so_far_is_not_done_twice(self):
        run = self.steps("medium", "")
        text = STEPS % ("medium", "")
        self.assertEqual("done", self.json("undo", run, "--yes", "--no-input")["result"])
        self.book("demo/steps", text.replace('risk = "medium", run = function(p) say "one"', 'risk = "high", key = "dir", run = function(p) say "one"'))
        os.unlink(self.at("log"))
        run = self.exec("demo/steps", "--confirm", self.dir)
        self.json("undo", run, "--yes", "--no-input", code=4)
        self.assertEqual("undo-three", self.log()[-1])
        self.json("undo", run, "--confirm", self.dir, "--no-input")
        self.assertEqual(["undo-three", "undo-one-old"], self.log()[-2:])

    def test_with_the_evidence_and_results_of_then(self):
        self.book("demo/fixes", FIXES)
        for name in "ab":
            open(self.at(name), "w").close()
        run = self.exec("demo/fixes")
        self.book("demo/fixes", FIXES.replace(".aside", ".other"))  # the bytes are those of then
        result = self.json("undo", run, "--yes", "--no-input")
        self.assertEqual([self.at("b"), self.at("a")], [u["key"] for u in result["undone"]])
        self.assertTrue(os.path.exists(self.at("a")) and os.path.exists(self.at("b")))
        self.assertIn(self.at("b"), str(result["notes"]))

    def test_what_is_no_longer_as_it_was_left_is_refused(self):
        self.book("demo/fixes", FIXES)
        open(self.at("a"), "w").close()
        run = self.exec("demo/fixes")
        os.unlink(self.at("a.aside"))
        result = self.json("undo", run, "--yes", "--no-input", code=4)
        self.assertEqual(("rejected", "diverged"), (result["result"], result["undone"][0]["result"]))
        self.assertIn("not as that run left it", self.run_it("undo", run, "--yes", "--no-input", code=4).out)

    def test_an_undo_that_reaches_nothing_is_not_verified(self):
        self.book("demo/fixes", FIXES.replace('file.move(f.path .. ".aside", f.path) note', 'file.write(f.path, "x") note'))
        open(self.at("a"), "w").close()
        run = self.exec("demo/fixes")
        result = self.json("undo", run, "--yes", "--no-input", code=1)
        self.assertEqual("not_verified", result["undone"][0]["result"])

    def test_a_later_run_stands_on_it(self):
        first = self.steps()
        second = self.exec("demo/steps")
        self.assertIn(second, self.run_it("undo", first, "--yes", code=4).err)
        self.json("undo", second, "--yes", "--no-input")
        self.json("undo", first, "--yes", "--no-input")

    def test_what_cannot_be_taken_back_at_all(self):
        self.book("demo/steps", STEPS.replace(', undo = say "undo-three"', ', no_undo = "-"').replace(',\n  undo = function(p, r) say("undo-one-" .. r.one.was)(p) end', ', no_undo = "-"') % ("medium", ""))
        run = self.exec("demo/steps")
        self.assertEqual("rejected", self.json("undo", run, "--yes", "--no-input", code=4)["result"])

    def test_what_changed_nothing_has_nothing_to_undo(self):
        self.book("demo/steps", STEPS % ("medium", ""))
        run = self.json("exec", "demo/steps", f"dir={self.dir}", "--dry-run", code=3)["run"]
        self.run_it("undo", run, code=2)
        self.run_it("undo", code=2)
        self.run_it("undo", "r-nothing", code=2)

    def test_a_failed_verify_offers_it(self):
        self.book("demo/steps", STEPS % ("medium", ', verify = function() return false end'))
        done = self.run_it("exec", "demo/steps", f"dir={self.dir}", "--yes", "--no-input", "-o", "json", code=1)
        import json
        result = json.loads(done.out)
        self.assertEqual(["undo", result["run"]], result["next"][-1]["argv"][-2:])

    def test_unknown_and_unfinished_are_refused(self):
        self.book("demo/steps", STEPS % ("medium", ""))
        self.book("demo/slow", STEPS.replace("demo/steps", "demo/slow").replace('"t"', '"slow"').replace(
            'run = say "three"', "run = function(p) shell.run { sh = 'echo three >> log; exec sleep 100', cwd = p.dir } end") % ("medium", ""))
        child = subprocess.Popen([RUNBOOK, "exec", "demo/slow", f"dir={self.dir}", "--yes", "--no-input"], env=self.env,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        end = time.monotonic() + 60
        while not os.path.exists(self.at("log")) or "three" not in self.log():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)
        run = self.json("history", "--limit", "1")["runs"][0]["run"]
        self.run_it("undo", run, "--yes", code=8)
        child.kill()
        child.wait()
        self.run_it("undo", run, "--yes", code=9)
        self.run_it("resume", run, "--yes", "--no-input", code=9)
        self.assertIn("resolve " + run, self.run_it("undo", run, "--yes", code=9).err)

    def test_two_at_once_take_it_back_once(self):
        run = self.steps()
        both = [subprocess.Popen([RUNBOOK, "undo", run, "--yes", "--no-input"], env=self.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(3)]
        codes = [p.wait(60) for p in both]
        self.assertIn(0, codes)
        self.assertEqual(["undo-three", "undo-one-old"], self.log()[3:])


if __name__ == "__main__":
    unittest.main()
