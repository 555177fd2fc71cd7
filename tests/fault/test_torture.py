"""A sample of script/torture: other points each day, and always some of every mode."""
import datetime
import os
import subprocess
import sys
import unittest

RUNBOOK = os.environ.get("RUNBOOK", "")
HERE = os.path.dirname(os.path.abspath(__file__))
SECONDS = "20"


class Torture(unittest.TestCase):
    def test_whatever_dies_the_record_is_true(self):
        if not RUNBOOK:
            self.skipTest("RUNBOOK names no program")
        seed = str(datetime.date.today().toordinal())
        done = subprocess.run([sys.executable, os.path.join(HERE, "torture.py"), RUNBOOK, "--quick", SECONDS, "--seed", seed],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=800)
        self.assertEqual(0, done.returncode, done.stdout)
        self.assertRegex(done.stdout, r"points +[1-9]")


if __name__ == "__main__":
    unittest.main()
