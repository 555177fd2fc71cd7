"""runbook test and exec --replay: a run whose answers come from a test, or from the record of an earlier one."""
import os
import unittest

from lab import Lab, greeting

DRILLS = '''
test "gone" { with = { dir = "/x" }, given = { ["file.stat"] = function(a) return nil end }, expect = { "missing" } }
test "there" { with = { dir = "/x" }, given = { ["file.stat"] = { size = 1 } }, expect = {} }
test "wrong" { with = { dir = "/x" }, given = { ["file.stat"] = { size = 1 } }, expect = { "missing" } }
test "unanswered" { with = { dir = "/x" }, given = {}, expect = {} }
test "repaired" { with = { dir = "/x" }, expect = { "missing" }, result = "fixed", given = (function()
  local written
  return { ["file.stat"] = function() return written and { size = 6 } or nil end,
    ["file.write"] = function() written = true return {} end }
end)() }
'''


class Given(Lab):
    def setUp(self):
        super().setUp()
        self.hello = os.path.join(self.dir, "hello")
        self.book("demo/greeting", greeting())

    def test_tests_pass_and_fail(self):
        with open(os.path.join(self.books, "demo/greeting.drills.lua"), "w") as f:
            f.write(DRILLS)
        tests = {t["test"]: t for t in self.json("test", "demo/greeting", code=1)["tests"]}
        self.assertEqual({"gone": "passed", "there": "passed", "wrong": "failed", "unanswered": "failed",
                          "repaired": "passed"}, {name: t["result"] for name, t in tests.items()}, tests)
        self.assertIn("file.stat", tests["unanswered"]["why"])
        self.assertIn("missing", tests["wrong"]["why"])
        self.run_it("test", "demo/greeting/there", code=0)
        self.run_it("test", "demo/greeting/none", code=2)
        self.run_it("test", code=2)
        self.assertEqual([], self.json("history")["runs"])  # a test leaves nothing

    def fixed_run(self):
        self.run_it("exec", "greeting", f"dir={self.dir}", "--yes", code=0)
        return self.json("history", "--limit", "1")["runs"][0]["run"]

    def test_a_replay_shows_the_same_and_does_nothing(self):
        run = self.fixed_run()
        os.unlink(self.hello)
        then, again = self.json("show", run), self.json("exec", "--replay", run)
        self.assertFalse(os.path.exists(self.hello))
        self.assertEqual(("fixed", 0), (again["result"], again["exit"]))
        for one, other in zip(then["checks"] + then["fixes"], again["checks"] + again["fixes"]):
            self.assertEqual((one["id"], one["result"]), (other["id"], other["result"]))
        self.assertEqual(1, len(self.json("history")["runs"]))
        self.assertIn("REPLAY", self.run_it("exec", "--replay", run, code=0).out)

    def test_a_run_becomes_a_test(self):
        run = self.fixed_run()
        text = self.run_it("test", "--from-run", run, code=0).out
        with open(os.path.join(self.books, "demo/greeting.drills.lua"), "w") as f:
            f.write(text)
        self.run_it("test", "demo/greeting/" + run, code=0)
        with open(os.path.join(self.books, "demo/greeting.drills.lua"), "w") as f:
            f.write(text.replace('"missing"', '"moved"'))
        self.run_it("test", "demo/greeting/" + run, code=1)


if __name__ == "__main__":
    unittest.main()
