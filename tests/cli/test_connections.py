"""Verbs that belong to a connection, as a runbook writes them."""
import json
import os
import sqlite3
import unittest

from lab import Lab

BOOK = '''runbook "demo/connection" { title = "connection", severity = "P2" }
param "db" { type = "path", title = "db", required = true }
check "look" { title = "look", run = function(p)
%s
end }
'''


class Connections(Lab):
    def look(self, body):
        db = os.path.join(self.dir, "c.sqlite")
        if not os.path.exists(db):
            with sqlite3.connect(db) as c:
                c.execute("CREATE TABLE t (a, b)")
                c.execute("INSERT INTO t VALUES (1, NULL), (2, 'x')")
        self.book("demo/connection", BOOK % body)
        done = self.run_it("exec", "demo/connection", f"db={db}", "--diagnose", "-o", "json")
        return json.loads(done.out)["checks"][0]

    def test_values_options_and_null(self):
        check = self.look('''
  local c = sql(p.db, { max_rows = 5 })
  assert(c:value("SELECT b FROM t WHERE a = ?", 2) == "x")
  assert(#c:rows("SELECT * FROM t WHERE b IS ? AND a = ?", nil, 1) == 1)
  assert(#c:rows("SELECT * FROM t") == 2)
  local one = sql(p.db, { max_rows = 1 })
  local rows, err = try(one.rows, one, "SELECT * FROM t")
  assert(not rows and err.code == "too_large", err and err.message)
  return c:row("SELECT count(*) AS n FROM t").n''')
        self.assertEqual("ok", check["result"], check)

    def test_misuse_is_told_at_its_line(self):
        for body, words in (
                ('local c = sql(p.db)\nc.rows("SELECT 1")', 'with a colon'),
                ('sql(p.db, "5s")', "options are a table"),
                ('sql(p.db, { max_row = 5 })', 'no option \\"max_row\\"; it has max_rows'),
                ('sql(p.db):integrity("a", "b", "c")', "takes")):
            check = self.look(body)
            self.assertEqual("failed", check["result"], body)
            self.assertIn(words, json.dumps(check), body)
            self.assertEqual(f"demo/connection.lua:{4 + body.count(chr(10))}", check["at"], body)


if __name__ == "__main__":
    unittest.main()
