"""The drills of shipped runbooks that need no heavy server; script/drills runs the others too. They wait most of the time, so
their tests are two programs that run beside each other and all else."""
import json

from lab import Lab

HEAVY = "initdb,mariadbd,dockerd,anvil,pm2"


class Drills(Lab):
    def all_pass(self, ours):
        """ours: of which runbooks, by their id."""
        ids = [r["id"] for r in json.loads(self.runbook("list", "-o", "json").stdout)["runbooks"] if ours(r["id"])]
        self.assertGreater(len(ids), 5)
        done = self.runbook("drill", *ids, "--without", HEAVY, "-o", "json", timeout=2300)
        drills = json.loads(done.stdout)["drills"]
        self.assertEqual([], [(d["runbook"], d["drill"], d["why"]) for d in drills if d["result"] == "failed"])
        self.assertEqual(0, done.returncode, done.stderr)
        for id in ids:
            meta = json.loads(self.runbook("show", id, "-o", "json").stdout)["meta"]
            self.assertTrue(any(not d["expect"] for d in meta["drills"]), id + " has no healthy control")
