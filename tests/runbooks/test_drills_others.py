"""Coze, AICOIN, Mall and whatever comes: about 6 minutes, most of them waiting."""
import unittest

import drills


class Others(drills.Drills):
    def test_all_pass(self):
        self.all_pass(lambda id: not id.startswith("liqpass/"))


if __name__ == "__main__":
    unittest.main()
