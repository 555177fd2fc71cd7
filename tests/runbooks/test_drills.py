"""The drills of all shipped runbooks that need no heavy server; script/drills runs the others too. About 12 minutes, most of them waiting."""
import json
import unittest

from lab import Lab

HEAVY = "initdb,mariadbd,dockerd,anvil,pm2"


class Drills(Lab):
    def test_all_pass(self):
        done = self.runbook("drill", "--all", "--without", HEAVY, "-o", "json", timeout=1500)
        drills = json.loads(done.stdout)["drills"]
        self.assertEqual([], [(d["runbook"], d["drill"], d["why"]) for d in drills if d["result"] == "failed"])
        self.assertEqual(0, done.returncode, done.stderr)
        for id in sorted({d["runbook"] for d in drills}):
            meta = json.loads(self.runbook("show", id, "-o", "json").stdout)["meta"]
            self.assertTrue(any(not d["expect"] for d in meta["drills"]), id + " has no healthy control")


if __name__ == "__main__":
    unittest.main()
