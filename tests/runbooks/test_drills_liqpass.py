"""LiqPass: about 9 minutes, most of them waiting."""
import unittest

import drills


class LiqPass(drills.Drills):
    def test_all_pass(self):
        self.all_pass(lambda id: id.startswith("liqpass/"))


if __name__ == "__main__":
    unittest.main()
