"""The generated chapters of the manual say what the program says."""
import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["SOURCE"])


class Generated(unittest.TestCase):
    def test_chapters_are_current(self):
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([str(SOURCE / "script/docs"), out], check=True, timeout=60)
            for name in ("blocks.md", "verbs.md"):
                fresh = (pathlib.Path(out) / name).read_text()
                self.assertGreater(len(fresh.splitlines()), 100, name)
                self.assertEqual((SOURCE / "docs" / name).read_text(), fresh, f"docs/{name} is old: run script/docs")


if __name__ == "__main__":
    unittest.main()
