"""Dry runs and their plans: what is said of each fix, what a plan is made of, and what makes it refused."""
import os
import re
import sqlite3
import subprocess
import unittest

from lab import RUNBOOK, Lab

FIXES = '''runbook "demo/plan" { title = "Plan", severity = "P2", target = "t" }
param "dir" { type = "path", title = "folder", required = true }
param "word" { type = "string", default = "hello", title = "word" }
finding "missing" { title = "no file {path}", key = "path" }
finding "other" { title = "other" }
check "look" { title = "look", run = function(p)
  for _, name in ipairs { "a", "b" } do
    if file.stat(p.dir .. "/want-" .. name) and not file.stat(p.dir .. "/" .. name) then
      found("missing", { path = p.dir .. "/" .. name, at = now() })
    end
  end
  if file.stat(p.dir .. "/want-other") then found "other" end
end }
%s
fix "write" { when = "missing", title = "write it", risk = "high", no_undo = "-",
  run = function(p, f) file.write(f.path, p.word .. "\\n") end }
fix "again" { when = "missing", title = "write it again", risk = "medium", no_undo = "-",
  run = function(p, f) file.write(f.path, "again\\n") end }
fix "other" { when = "other", title = "other", risk = "medium", no_undo = "-", run = function(p) file.remove(p.dir .. "/want-other") end }
'''
STEPS = '''runbook "demo/steps" { title = "Steps", severity = "P2", target = "s" }
param "dir" { type = "path", title = "folder", required = true }
step "none" { title = "none", risk = "low", run = function(p) file.stat(p.dir) end }
step "one" { title = "one", risk = "medium", no_undo = "-", run = function(p) file.write(p.dir .. "/one", "1") return { n = 1 } end }
step "two" { title = "two", risk = "medium", no_undo = "-", run = function(p, r) file.write(p.dir .. "/two", tostring(r.one.n)) end }
step "three" { title = "three", risk = "low", run = function(p) if not file.stat(p.dir .. "/one") then return end end }
step "after" { title = "after", risk = "low", when = function(p, r) return r.one.n == 1 end, run = function(p) end }
step "hand" { title = "by hand", by_hand = "do it" }
'''


class Plan(Lab):
    def setUp(self):
        super().setUp()
        self.book("demo/plan", FIXES % "")
        self.want("a")

    def at(self, name):
        return os.path.join(self.dir, name)

    def want(self, name):
        open(self.at("want-" + name), "w").close()

    def dry(self, *more):
        return self.json("exec", "demo/plan", f"dir={self.dir}", "--dry-run", *more, code=3)

    def plan(self, *more):
        return self.dry(*more)["plan"]["id"]

    def refused(self, plan, why, *more):
        done = self.run_it("exec", "--plan", plan, "--no-input", *more, code=4)
        self.assertIn(why, done.err)
        self.assertFalse(os.path.exists(self.at("a")))
        self.assertEqual("rejected", self.json("history", "--limit", "1")["runs"][0]["result"])

    def test_each_fix_has_a_state(self):
        result = self.dry()
        states = {f["id"]: f["state"] for f in result["fixes"]}
        self.assertEqual({"write": "will_change", "again": "unknown", "other": "no_change"}, states)
        self.assertEqual("file.write", result["fixes"][0]["plan"][0]["verb"])
        text = self.run_it("exec", "demo/plan", f"dir={self.dir}", "-n", code=3).out
        self.assertRegex(text, r"(?m)^unknown from here again=.*not enough")
        self.assertRegex(text, r"(?m)^no change other ")
        self.assertRegex(text, r"(?m)^plan p-\w+ ")
        text = self.run_it("exec", "demo/plan", f"dir={self.dir}", "-n", "--lang", "zh", code=3).out
        self.assertRegex(text, r"(?m)^现在无法判断 again=")

    def test_a_check_that_could_not_look_leaves_nothing_sure(self):
        for body in ('skip "not here"', 'fail "broken"'):
            self.book("demo/plan", FIXES % ('check "second" { title = "second", run = function() %s end }' % body))
            done = self.run_it("exec", "demo/plan", f"dir={self.dir}", "-n", "-o", "json", "--no-input")
            self.assertNotEqual(0, done.returncode)
            self.assertIn('"other"', done.out)
            self.assertRegex(self.run_it("exec", "demo/plan", f"dir={self.dir}", "-n").out, r"(?m)^unknown from here other ")

    def test_steps(self):
        self.book("demo/steps", STEPS)
        result = self.json("exec", "demo/steps", f"dir={self.dir}", "-n", code=3)
        self.assertEqual([("none", "no_change"), ("one", "will_change"), ("two", "unknown"), ("three", "unknown"),
                          ("after", "unknown"), ("hand", "by_hand")], [(s["id"], s["state"]) for s in result["steps"]])
        self.assertFalse(os.path.exists(self.at("one")))
        argv = result["next"][0]["argv"]
        self.assertEqual("--plan", argv[-2])
        done = subprocess.run([*argv, "--no-input"], env=self.env, capture_output=True, timeout=60)
        self.assertEqual(4, done.returncode, done.stderr)  # what was unknown is not agreed to
        self.assertEqual((True, False), (os.path.exists(self.at("one")), os.path.exists(self.at("two"))))

    def test_nothing_to_do_is_0(self):
        self.book("demo/steps", STEPS.split('step "one"')[0])
        result = self.json("exec", "demo/steps", f"dir={self.dir}", "-n", code=0)
        self.assertEqual(("healthy", []), (result["result"], result["next"]))

    def test_it_is_applied_exactly_and_once(self):
        plan = self.plan()
        self.assertEqual(plan, self.json("show", plan)["plan"])
        self.assertIn("file.write", self.run_it("show", plan, code=0).out)
        result = self.json("exec", "--plan", plan, "--no-input", code=0)
        self.assertEqual(("fixed", plan), (result["result"], result["plan"]["id"]))
        self.assertEqual("plan", result["fixes"][0]["confirmed"]["how"])
        os.unlink(self.at("a"))
        self.refused(plan, "was used already by run")
        self.run_it("audit", "verify", code=0)

    def test_the_id_is_of_what_it_is_made_of(self):
        def of(body):
            return {k: v for k, v in body.items() if k in ("runbook", "files", "params", "target", "items")}
        one, two = (self.json("show", self.plan("word=" + w)) for w in ("x", "y"))
        self.assertNotEqual(one["plan"], two["plan"])
        self.assertNotEqual(of(one), of(two))

    def test_an_edited_runbook(self):
        plan = self.plan()
        self.book("demo/plan", FIXES % "-- changed")
        self.refused(plan, "the text of demo/plan.lua has changed")

    def test_a_changed_parameter_or_another_runbook(self):
        plan = self.plan()
        self.refused(plan, "parameter word has another value", "word=x")
        self.book("demo/steps", STEPS)
        done = self.run_it("exec", "demo/steps", "--plan", plan, "--no-input", code=4)
        self.assertIn("not a plan of demo/steps", done.err)

    def test_other_findings(self):
        plan = self.plan()
        self.want("b")
        self.refused(plan, "missing/" + self.at("b") + " was not there then")
        plan = self.plan()
        os.unlink(self.at("want-b"))
        self.refused(plan, "missing/" + self.at("b") + " stood then and does not now")
        plan = self.plan()
        os.unlink(self.at("want-a"))
        self.assertEqual("healthy", self.json("exec", "--plan", plan, "--no-input", code=0)["result"])

    def test_other_writes(self):
        body = FIXES.replace('p.word .. "\\n"', 'file.read(p.dir .. "/text")')
        self.book("demo/plan", body % "")
        with open(self.at("text"), "w") as f:
            f.write("then")
        plan = self.plan()
        with open(self.at("text"), "w") as f:
            f.write("now!")
        self.refused(plan, "write would do something else")

    def test_it_goes_on_after_a_refusal_with_the_printed_command(self):
        plan = self.plan()
        self.want("b")
        result = self.json("exec", "--plan", plan, "--no-input", code=4)
        again = subprocess.run(result["next"][0]["argv"], env=self.env, capture_output=True, timeout=60)
        self.assertEqual(3, again.returncode, again.stderr)

    def test_only_the_plan_and_nothing_else(self):
        plan = self.plan("--fix", "write")
        result = self.json("exec", "--plan", plan, "--yes", "--no-input", code=0)
        self.assertEqual(["write"], [f["id"] for f in result["fixes"]])
        self.run_it("exec", "--plan", plan, "-n", code=2)
        self.run_it("exec", "--plan", "p-nothing", code=2)
        self.run_it("exec", "--plan", "", code=2)

    def test_two_at_once_apply_it_once(self):
        plan = self.plan()
        both = [subprocess.Popen([RUNBOOK, "exec", "--plan", plan, "--no-input"], env=self.env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
        codes = sorted(p.wait(60) for p in both)
        with sqlite3.connect(os.path.join(self.dir, "state", "runbook", "journal.db")) as db:
            self.assertEqual(1, db.execute("SELECT count(*) FROM events WHERE kind = 'call.intent'").fetchone()[0], codes)
        db.close()


if __name__ == "__main__":
    unittest.main()
