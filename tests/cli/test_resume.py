"""A run whose host is killed: what is in the record is not done again, what may have happened is not done twice."""
import json
import os
import sqlite3
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab

HEAD = '''runbook "demo/long" { title = "Long", severity = "P3", target = "x", locks = { "shared" } }
param "dir" { type = "path", title = "folder", required = true }
'''
# Each effect is one line in a file of its own; a step that finds "wait" there stays until it is gone.
STEPS = HEAD + '''
local function act(name)
  return function(p)
    shell.run { sh = 'echo "$1" >> effects; while [ -e "wait-$1" ]; do sleep 0.05; done', args = { name }, cwd = p.dir }
  end
end
step "one" { title = "one", risk = "low", run = act "one" }
step "two" { title = "two", risk = "medium", no_undo = "-", run = act "two"%s }
step "three" { title = "three", risk = "medium", no_undo = "-", run = act "three" }
'''
LOOKS = HEAD + '''
check "first" { title = "first", run = function(p)
  return shell.read({ sh = "cat count 2>/dev/null || true", cwd = p.dir }).out
end }
check "second" { title = "second", run = function(p, r)
  shell.read { sh = 'while [ -e wait-look ]; do sleep 0.05; done', cwd = p.dir }
  note("first saw {x}", { x = r.first })
end }
'''


class Killed(Lab):
    def at(self, name):
        return os.path.join(self.dir, name)

    def put(self, name, text=""):
        with open(self.at(name), "w") as f:
            f.write(text)

    def read(self, name):
        try:
            with open(self.at(name)) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def effects(self):
        return self.read("effects")

    @staticmethod
    def runs(pid):
        """One that nobody has collected is dead."""
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def begin(self, *args):
        child = subprocess.Popen([RUNBOOK, "exec", "demo/long", f"dir={self.dir}", "--no-input", *args], env=self.env,
                                 cwd=self.dir, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def until(self, seen, seconds=60):
        end = time.monotonic() + seconds
        while not seen():
            self.assertLess(time.monotonic(), end, "it never came")
            time.sleep(0.02)

    def run_id(self):
        return self.json("history", "--limit", "1")["runs"][0]["run"]

    def state(self):
        return self.json("history", "--limit", "1")["runs"][0]["result"]

    def die(self, child):
        child.kill()
        child.wait()
        return self.run_id()

    def interrupted_at(self, step, text=STEPS % "", *args):
        self.book("demo/long", text)
        self.put("wait-" + step)
        child = self.begin("--yes", *args)
        self.until(lambda: step in self.effects())
        run = self.die(child)
        os.unlink(self.at("wait-" + step))
        self.assertEqual("interrupted", self.state())
        return run

    def test_a_look_is_taken_again_and_the_earlier_ones_are_not(self):
        self.book("demo/long", LOOKS)
        self.put("count", "1")
        self.put("wait-look")
        child = self.begin()
        self.until(lambda: self.json("history")["runs"])
        self.until(lambda: "second" in self.run_it("logs", self.run_id(), "-o", "jsonl").out)
        run = self.die(child)
        self.put("count", "2")
        os.unlink(self.at("wait-look"))
        result = self.json("resume", run, code=0)
        self.assertEqual("healthy", result["result"])
        self.assertEqual("first saw 1", result["notes"][0]["text"])
        self.assertEqual(result, {**result, **{"run": run}})
        self.assertEqual([], [e for e in self.effects()])
        self.assertEqual(0, self.run_it("audit", "verify").returncode)

    def test_what_does_not_do_what_the_record_says_stops(self):
        run = self.interrupted_at("two")
        with sqlite3.connect(os.path.join(self.dir, "state", "runbook", "journal.db")) as db:
            db.execute("UPDATE events SET body = replace(body, '\"done\"', '\"failed\"') WHERE kind = 'step.ended'")
        db.close()
        result = self.json("resume", run, "--yes", code=1)
        self.assertIn("step.ended", result["error"])
        self.assertEqual(["one", "two"], self.effects())

    def test_a_write_under_way_is_unknown_and_only_a_person_says(self):
        run = self.interrupted_at("two")
        busy = self.run_it("exec", "demo/long", f"dir={self.dir}", "--yes", code=8)
        self.assertIn("resume " + run, busy.err)
        result = self.json("resume", run, "--yes", code=9)
        self.assertEqual("unknown", result["result"])
        self.assertRegex(json.dumps(result), r"its process \d+ ended with it")
        self.assertEqual(["one", "two"], self.effects())
        self.run_it("exec", "demo/long", f"dir={self.dir}", "--yes", code=8)
        self.run_it("resume", run, "--yes", code=9)
        self.run_it("resolve", run, "--done", code=2)
        self.run_it("resolve", run, "--done", "--reason", "seen it", code=0)
        self.assertEqual("interrupted", self.state())
        result = self.json("resume", run, "--yes", code=0)
        self.assertEqual(["one", "two", "three"], self.effects())
        self.assertEqual(["done", "done", "done"], [s["result"] for s in result["steps"]])
        self.run_it("resolve", run, "--done", "--reason", "again", code=2)
        self.run_it("audit", "verify", code=0)

    def test_not_done_is_done_again_with_new_consent(self):
        run = self.interrupted_at("two")
        self.run_it("resume", run, code=9)
        self.run_it("resolve", run, "--not-done", "--reason", "nothing there", code=0)
        waiting = self.json("resume", run, "--no-input", code=4)
        self.assertEqual(["one", "two"], self.effects())
        self.assertEqual("interrupted", self.state())
        done = subprocess.run(waiting["next"][0]["argv"], env=self.env, cwd="/", capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(["one", "two", "two", "three"], self.effects())

    def test_a_verify_that_holds_settles_it(self):
        run = self.interrupted_at("two", STEPS % ''', verify = function(p)
          return shell.read({ sh = "grep -c two effects", cwd = p.dir }).out == "1\\n" end''')
        self.assertEqual("done", self.json("resume", run, "--yes", code=0)["result"])
        self.assertEqual(["one", "two", "three"], self.effects())

    def test_a_verify_that_does_not_hold_leaves_it_unknown(self):
        run = self.interrupted_at("two", STEPS % ", verify = function() return false end")
        self.run_it("resume", run, "--yes", code=9)
        self.assertEqual(["one", "two"], self.effects())

    def test_idempotent_goes_on_by_itself(self):
        run = self.interrupted_at("two", STEPS % ", idempotent = true")
        self.assertEqual("done", self.json("resume", run, "--yes", code=0)["result"])
        self.assertEqual(["one", "two", "two", "three"], self.effects())

    def test_the_bytes_and_the_parameters_are_those_of_then(self):
        run = self.interrupted_at("two", STEPS % ", idempotent = true")
        self.book("demo/long", STEPS.replace("echo", "echo changed") % "")
        self.json("resume", run, "--yes", code=0)
        self.assertEqual(["one", "two", "two", "three"], self.effects())

    def test_a_run_that_ended_is_left_alone(self):
        self.book("demo/long", STEPS % "")
        self.run_it("exec", "demo/long", f"dir={self.dir}", "--yes", code=0)
        self.run_it("resume", self.run_id(), "--yes", code=0)
        self.assertEqual(["one", "two", "three"], self.effects())

    def test_abort_ends_it_and_frees_the_target(self):
        self.book("demo/long", LOOKS)
        self.put("wait-look")
        child = self.begin()
        self.until(lambda: self.json("history")["runs"])
        run = self.die(child)
        os.unlink(self.at("wait-look"))
        again = self.run_it("exec", "demo/long", f"dir={self.dir}", code=0)
        self.assertIn("resume " + run, again.err)
        self.run_it("abort", run, "--reason", "not needed", code=0)
        self.run_it("resume", run, code=130)

    def test_a_run_that_works_is_neither_resumed_nor_resolved_but_stopped(self):
        self.book("demo/long", STEPS % "")
        self.put("wait-two")
        self.begin("--yes")
        self.until(lambda: "two" in self.effects())
        run = self.run_id()
        busy = self.run_it("exec", "demo/long", f"dir={self.dir}", "--yes", code=8)
        self.assertIn(run, busy.err)
        self.assertIn("step two", busy.err)
        self.run_it("resume", run, code=8)
        self.run_it("resolve", run, "--done", "--reason", "x", code=8)
        self.run_it("stop", run, code=0)
        self.assertEqual("unknown", self.state())  # the command was cut off: nobody knows
        self.run_it("stop", run, code=2)
        self.run_it("resolve", run, "--not-done", "--reason", "the disk says so", code=0)
        audit = self.run_it("audit", "--run", run, code=0).out
        self.assertIn("run.stop", audit)  # by whom is in its column
        self.assertRegex(audit, r"call\.resolved.*not done, a person says  the disk says so")
        self.assertIn("asked to stop", self.run_it("report", run, code=0).out)

    def test_a_named_lock_excludes_another_runbook(self):
        self.book("demo/other", LOOKS.replace("demo/long", "demo/other").replace('target = "x"', 'target = "y"'))
        self.book("demo/long", STEPS % "")
        self.put("wait-two")
        self.begin("--yes")
        self.until(lambda: "two" in self.effects())
        self.assertIn("shared", self.run_it("exec", "demo/other", f"dir={self.dir}", code=8).err)
        self.run_it("stop", self.run_id(), code=0)

    def test_no_descendant_survives_the_host(self):
        self.book("demo/long", HEAD + '''step "spawn" { title = "s", risk = "low", run = function(p)
          shell.run { sh = [[ (trap '' TERM HUP INT; setsid sh -c 'echo $$ > pid; exec sleep 1000' & ) ; exec sleep 1000 ]],
            cwd = p.dir }
        end }''')
        child = self.begin("--yes")
        self.until(lambda: self.read("pid"))
        pid = self.read("pid")[0]
        self.die(child)
        self.until(lambda: not self.runs(pid))


if __name__ == "__main__":
    unittest.main()
