"""The gate, seen from outside: who only looks changes nothing, and a repair does what was shown, or nothing."""
import os
import unittest

from lab import Lab

HEAD = '''runbook "demo/gate" { title = "Gate", severity = "P3", target = "g" }
param "dir" { type = "path", title = "folder", required = true }
finding "gone" { title = "gone"%s }
'''
LOOK = '''check "look" { title = "look", run = function(p) if not file.stat(p.dir .. "/x") then found "gone" end end }
'''
FIX = '''fix "mend" { when = "gone", title = "mend", risk = "medium", no_undo = "-"%s, run = function(p) %s end }
'''
COUNTED = "local lives = 0\n"  # the rehearsal is the first life of a fix, the repair its second


class Gate(Lab):
    def written(self):
        return sorted(name for name in os.listdir(self.dir) if len(name) == 1)

    def refused(self, text, message, code=1):
        self.book("demo/gate", text)
        self.assertIn(message, self.run_it("exec", "demo/gate", f"dir={self.dir}", "--yes", code=code).out)

    def test_a_check_writes_nothing(self):
        for write in ('file.write(p.dir .. "/x", "1")', 'shell.run { "touch", p.dir .. "/x" }', 'sql(p.dir .. "/x"):exec "CREATE TABLE t(i)"'):
            with self.subTest(write):
                self.refused(HEAD % "" + 'check "look" { title = "look", run = function(p) %s end }\n' % write, "a check (look) may only read")
                self.assertEqual([], self.written())

    def test_a_check_takes_no_lock(self):
        self.refused(HEAD % "" + 'check "look" { title = "look", run = function(p) sqlite.probe(p.dir .. "/x") end }\n', "a check (look) may only")
        self.assertEqual([], self.written())

    def test_a_verify_and_a_guard_write_nothing(self):
        writes = ' = function(p) file.write(p.dir .. "/v", "1") return true end'
        mend = 'file.write(p.dir .. "/x", "1")'
        self.refused(HEAD % (", verify" + writes) + LOOK + FIX % ("", mend), "may only read")
        self.assertNotIn("v", self.written())
        os.remove(self.dir + "/x")
        self.refused(HEAD % "" + LOOK + FIX % (", guard" + writes, mend), "may only read", code=3)
        self.assertEqual([], self.written())

    def test_another_write_than_was_shown_is_refused(self):
        other = 'lives = lives + 1 file.write(p.dir .. "/" .. (lives == 1 and "x" or "y"), "1")'
        self.refused(COUNTED + HEAD % "" + LOOK + FIX % ("", other), "this write was not shown when consent was given")
        self.assertEqual([], self.written())

    def test_one_write_more_than_was_shown_is_refused(self):
        more = 'lives = lives + 1 file.write(p.dir .. "/x", "1") if lives > 1 then file.write(p.dir .. "/y", "1") end'
        self.refused(COUNTED + HEAD % "" + LOOK + FIX % ("", more), "this write was not shown when consent was given")
        self.assertEqual(["x"], self.written())

    def test_other_words_in_a_write_are_another_write(self):
        other = 'lives = lives + 1 file.write(p.dir .. "/x", "life " .. lives)'
        self.refused(COUNTED + HEAD % "" + LOOK + FIX % ("", other), "this write was not shown when consent was given")
        self.assertEqual([], self.written())


if __name__ == "__main__":
    unittest.main()
