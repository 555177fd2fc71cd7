"""Procedures and their rehearsals, and what a drill says of how a run ends."""
import os
import time
import unittest

from lab import Lab

HEAD = '''runbook "demo/steps" { title = "Steps", severity = "P3", target = "s" }
param "dir" { type = "path", title = "folder", required = true }
'''
SENDS = HEAD + '''finding "rejected" { title = "{who} did not take it", key = "who", advice = "call them" }
check "look" { title = "look", run = function(p) file.stat(p.dir) end }
step "send" { title = "send", risk = "medium", no_undo = "-", run = function(p)
  file.write(p.dir .. "/sent", "1")
  found("rejected", { who = "a" })
end }
step "again" { when = "rejected", title = "again", risk = "medium", no_undo = "-", run = function(p) file.write(p.dir .. "/again", "1") end }
'''
READS_BETWEEN = HEAD + '''step "two" { title = "two", risk = "medium", no_undo = "-", run = function(p)
  file.write(p.dir .. "/one", "1")
  if not file.stat(p.dir .. "/one") then fail "it is not there" end
  wait_until(function() return file.read(p.dir .. "/one") == "1" end, { within = "40s" })
  file.write(p.dir .. "/two", "2")
end }
step "watch" { title = "watch", risk = "low", run = function() wait "1s" end }
'''
ENDS = '''runbook "demo/ends" { title = "Ends", severity = "P3", target = "e" }
param "dir" { type = "path", default = "/tmp", title = "folder" }
finding "gone" { title = "gone" }
check "look" { title = "look", run = function(p) if not file.stat(p.dir .. "/x") then found "gone" end end }
fix "first" { when = "gone", title = "first", risk = "medium", no_undo = "-", run = function(p) file.write(p.dir .. "/y", "1") end }
fix "second" { when = "gone", title = "second", risk = "medium", no_undo = "-", run = function(p) shell.run { "sleep", "1.2" } file.write(p.dir .. "/x", "1") end }
'''
DRILLS = '''
local function inject(d) d:set { dir = d.dir } end
drill "first-does-nothing" { inject = inject, expect = { "gone" }, repair = "first", result = "failed", fails_at = "first" }
drill "elsewhere" { inject = inject, expect = { "gone" }, repair = "first", result = "failed", fails_at = "second" }
drill "slow" { inject = inject, expect = { "gone" }, repair = "second", within = "1s" }
drill "soon-enough" { inject = inject, expect = { "gone" }, repair = "second" }
'''


class Steps(Lab):
    def test_what_a_step_found_stands_to_the_end(self):
        self.book("demo/steps", SENDS)
        result = self.json("exec", "demo/steps", f"dir={self.dir}", "--yes", code=3)
        self.assertEqual("found", result["result"])
        self.assertTrue(os.path.exists(self.dir + "/again"), "a step that answers it was not done")
        self.assertIn("a did not take it", self.run_it("show", result["run"], code=0).out)

    def test_a_rehearsal_finds_nothing(self):
        self.book("demo/steps", SENDS)
        self.assertNotIn("did not take it", self.run_it("exec", "demo/steps", f"dir={self.dir}", "-n", code=3).out)

    def test_found_elsewhere_is_a_mistake(self):
        self.book("demo/steps", SENDS.replace('title = "again"', 'title = "again", verify = function() found("rejected", { who = "b" }) end'))
        self.assertIn("found works only in a check or a step", self.run_it("exec", "demo/steps", f"dir={self.dir}", "--yes", code=1).out)

    def test_a_read_after_a_noted_write_hides_nothing(self):
        """What is read there in the rehearsal is not yet as it will be: the rest is open, and is done live."""
        self.book("demo/steps", READS_BETWEEN)
        began = time.monotonic()
        plan = self.json("exec", "demo/steps", f"dir={self.dir}", "-n", code=3)["steps"][0]
        self.assertLess(time.monotonic() - began, 30, "a rehearsal waited for what it does not do")
        self.assertEqual(("will_change", 1), (plan["state"], len(plan["plan"])))
        self.assertEqual("done", self.json("exec", "demo/steps", f"dir={self.dir}", "--yes", code=0)["result"])
        self.assertTrue(os.path.exists(self.dir + "/two"))

    def test_a_failure_before_any_write_stays_one(self):
        self.book("demo/steps", HEAD + '''step "one" { title = "one", risk = "medium", no_undo = "-",
  run = function(p) fail "not today" end }''')
        self.assertIn("not today", self.run_it("exec", "demo/steps", f"dir={self.dir}", "--yes", code=1).out)


class Drills(Lab):
    def test_where_it_ends_and_how_long_it_took(self):
        self.book("demo/ends", ENDS)
        self.book("demo/ends.drills", DRILLS)
        rows = {row["drill"]: row for row in self.json("drill", "demo/ends", code=1)["drills"]}
        self.assertEqual({"first-does-nothing": "passed", "elsewhere": "failed", "slow": "failed", "soon-enough": "passed"},
                         {name: row["result"] for name, row in rows.items()})
        self.assertIn("should end at second, it ended at first", rows["elsewhere"]["why"])
        self.assertIn("allowed were 1", rows["slow"]["why"])

    def test_a_file_that_does_not_load_says_why(self):
        self.book("demo/broken", 'runbook "demo/broken" { title = "B", severity = "P1"\n')
        for name in ("demo/broken", "demo/broken/one"):
            done = self.run_it("drill", name, code=6)
            self.assertRegex(done.err, r"broken\.lua:\d")


if __name__ == "__main__":
    unittest.main()
