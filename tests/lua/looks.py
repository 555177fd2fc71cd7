"""Lua of a check or a step, run by the program; what it says with ok(json.encode(…)) comes back as Python."""
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import lab  # noqa: E402
from lab import Lab  # noqa: E402

CHECK = '''runbook "demo/look" { title = "look", severity = "P2" }
check "look" { title = "look", timeout = "50s", run = function(p)
  local function answer(value) ok("{x}", { x = json.encode(value) }) end
%s
end }
'''
STEP = '''runbook "demo/step" { title = "step", severity = "P2" }
step "act" { title = "act", risk = "low", run = function(p)
%s
end }
'''


class Looks(Lab):
    def check(self, body):
        """The check as the run reports it."""
        self.book("demo/look", CHECK % body)
        done = self.run_it("exec", "demo/look", "--diagnose", "-o", "json")
        return json.loads(done.out)["checks"][0]

    def look(self, body):
        """What the body gave to answer(…)."""
        check = self.check(body)
        self.assertEqual("ok", check["result"], check)
        return json.loads(check["text"])

    def step(self, body, code=0):
        """Runs the body as a step, with consent."""
        self.book("demo/step", STEP % body)
        done = self.run_it("exec", "demo/step", "--yes", "--no-input", "-o", "json")
        self.assertEqual(code, done.returncode, done.out + done.err)
        return json.loads(done.out)

    def recorded(self):
        """All that this test's runs left in the journal, as one text."""
        for folder, _, names in os.walk(os.path.join(self.dir, "state")):
            for name in names:
                if name.endswith((".db", ".sqlite")):
                    with sqlite3.connect(os.path.join(folder, name)) as db:
                        return "\n".join(str(row) for row in db.execute("SELECT * FROM events"))
        self.fail("no journal")
