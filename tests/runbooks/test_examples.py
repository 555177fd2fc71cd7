"""Every example of examples/ is executed, in teaching order, and does what its words say."""
import json
import os
import subprocess
import time
import unittest

from lab import SOURCE, Lab, findings, found

EXAMPLES = os.path.join(SOURCE, "examples")


class Examples(Lab):
    def example(self, name, *args):
        return self.exec_json(name, "--runbooks", EXAMPLES, *args)

    def test_none_is_left_out(self):
        names = sorted(n for n in os.listdir(EXAMPLES) if n.endswith(".lua") and not n.endswith(".drills.lua"))
        self.assertEqual(["01-hello.lua", "02-findings.lua", "03-fix.lua", "04-steps.lua", "05-causes.lua"], names)
        self.assertEqual(0, self.runbook("lint", EXAMPLES).returncode)

    def test_1_a_check(self):
        code, run = self.example("01-hello")
        self.assertEqual((0, "healthy"), (code, run["result"]), run)
        self.assertEqual(["memory"], [c["id"] for c in run["checks"]])

    def test_2_a_parameter_and_a_finding(self):
        code, run = self.example("02-findings")
        self.assertEqual((0, "healthy"), (code, run["result"]), run)
        code, run = self.example("02-findings", "path=" + self.dir, "limit=1")
        self.assertEqual((3, "found"), (code, run["result"]), run)
        self.assertGreater(found(run, "full")[0]["evidence"]["free"], 0)
        self.assertEqual(2, self.runbook("exec", "02-findings", "--runbooks", EXAMPLES, "limit=900").returncode)

    def test_3_a_fix(self):
        flag = os.path.join(self.data, "maintenance.flag")
        for name in ("maintenance.flag", "index.html"):
            with open(os.path.join(self.data, name), "w"):
                pass
        code, run = self.example("03-fix", "dir=" + self.data)
        self.assertEqual((3, "found"), (code, run["result"]), run)
        self.assertTrue(os.path.exists(flag))
        done = self.run_argv(run["next"][0]["argv"])
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("fixed", json.loads(done.stdout)["result"])
        self.assertFalse(os.path.exists(flag))

    def test_3_a_fix_that_does_not_help_is_not_called_fixed(self):
        with open(os.path.join(self.data, "maintenance.flag"), "w"):
            pass
        code, run = self.example("03-fix", "dir=" + self.data, "--yes")
        self.assertEqual((1, "failed"), (code, run["result"]), run)

    def test_4_steps(self):
        log = os.path.join(self.data, "app.log")
        with open(log, "w") as f:
            f.write("old\n")
        code, run = self.example("04-steps", "log=" + log, "--yes")
        self.assertEqual(4, code, run)
        os.rename(log + ".1", log)
        code, run = self.example("04-steps", "log=" + log, "--yes", "--answer", "reopened.how=signal")
        self.assertEqual((0, "done"), (code, run["result"]), run)
        with open(log + ".1") as f:
            self.assertEqual("old\n", f.read())
        self.assertEqual(0, os.path.getsize(log))

    def test_5_causes(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        for job in ("a", "b"):
            with open(os.path.join(self.data, job + ".claim"), "w") as f:
                f.write(str(ended.pid))
            os.utime(f.name, (time.time() - 3600,) * 2)
        with open(os.path.join(self.data, "c.claim"), "w") as f:
            f.write(str(os.getpid()))
        code, run = self.example("05-causes", "queue=" + self.data)
        self.assertEqual((3, "found"), (code, run["result"]), run)
        self.assertEqual(["stuck", "dead-claim", "dead-claim"], [f["id"] for f in findings(run)])
        done = self.run_argv(run["next"][0]["argv"])
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertEqual(["a.claim-released", "b.claim-released", "c.claim"], sorted(os.listdir(self.data)))

    def test_5_its_drills(self):
        done = self.runbook("drill", "05-causes", "--runbooks", EXAMPLES, "-o", "json")
        drills = json.loads(done.stdout)["drills"]
        self.assertEqual(["passed"] * 3, [d["result"] for d in drills], drills)


if __name__ == "__main__":
    unittest.main()
