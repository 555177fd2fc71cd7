"""The form of the C code is clang-format's, as .clang-format says: nobody has to talk about it."""
import os
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

SOURCE = os.environ["SOURCE"]
FOLDERS = ("engine", "bindings", "tests")


def c_files():
    for folder in FOLDERS:
        for at, _, names in os.walk(os.path.join(SOURCE, folder)):
            yield from (os.path.join(at, name) for name in names if name.endswith((".c", ".h")))


def complaints(files, text=None):
    """The lines that clang-format would change; text: of the one file, instead of what is on disk."""
    child = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=1", *files], cwd=SOURCE, check=True, input=text,
                           stderr=subprocess.PIPE, text=True, timeout=300)
    return [line for line in child.stderr.splitlines() if "-Wclang-format-violations" in line]


class Form(unittest.TestCase):
    def test_every_file_has_it(self):
        files = sorted(c_files())
        self.assertGreater(len(files), 100, "the sources were not found")
        parts = [files[i:i + 40] for i in range(0, len(files), 40)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            wrong = [line for part in pool.map(complaints, parts) for line in part]
        self.assertEqual([], wrong, "clang-format -i FILE mends it")

    def test_another_form_is_seen(self):
        name = "--assume-filename=" + os.path.join(SOURCE, "engine", "main.c")
        self.assertEqual([], complaints([name], "int a(void)\n{\n    return 1;\n}\n"))
        self.assertEqual(1, len(complaints([name], "int  a( void )\n{ return 1; }\n")))


if __name__ == "__main__":
    unittest.main()
