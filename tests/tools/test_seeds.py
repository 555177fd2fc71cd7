"""Each bug of script/seeds can still be put in: its text is in its file, once, and its tests are there."""
import importlib.machinery
import importlib.util
import os
import unittest

SOURCE = os.environ["SOURCE"]


def seeds():
    loader = importlib.machinery.SourceFileLoader("seeds", os.path.join(SOURCE, "script", "seeds"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("seeds", loader))
    loader.exec_module(module)
    return module.SEEDS


class Seeds(unittest.TestCase):
    def test_there_are_twenty_at_least(self):
        self.assertGreaterEqual(len(seeds()), 20)

    def test_each_applies(self):
        for name, path, text, bug, tests in seeds():
            with self.subTest(name), open(os.path.join(SOURCE, path), encoding="utf-8") as f:
                self.assertEqual(1, f.read().count(text), path)
                self.assertNotEqual(text, bug)
                self.assertTrue(tests)


if __name__ == "__main__":
    unittest.main()
