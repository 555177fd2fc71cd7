"""The report of a run: what is in it, in three forms and two languages, and that nothing foreign becomes markup."""
import html.parser
import json
import os
import re
import unittest

from lab import Lab
import test_resume

PAYLOADS = ['<script>alert(1)</script>', '"><img src=x onerror=alert(2)>', "' onmouseover='alert(3)", '</title><svg onload=alert(4)>',
            '</style><style>*{display:none}</style>', '<!-- ', ']]>', 'javascript:alert(5)', '&lt;b&gt;', '\u202egnp.exe', '\x1b[31mred',
            '| a | b |', '`code` **bold** [x](http://evil.example/)', '\u2028line', '${x} {{y}} %s%n']
TAGS = set("html head meta title style body header h1 h2 p dl div dt dd section table thead tbody tr th td span svg line rect text".split())
ATTRIBUTES = set("lang charset name content http-equiv class viewbox role aria-label x y x1 x2 y1 y2 width height rx text-anchor".split())

BOOK = '''runbook "demo/payload" { title = "T %(all)s", severity = "P1", target = "t" }
param "dir" { type = "path", title = "folder", required = true }
param "what" { type = "string", title = "w", required = true }
finding "bad" { title = "{what}", key = "what" }
check "look" { title = "L %(all)s", run = function(p)
  note("{n}", { n = p.what })
  shell.read { "printf", "%%s", p.what }
  if not file.stat(p.dir .. "/good") then found("bad", { what = p.what, html = p.what }) end
  return p.what
end }
fix "mend" { when = "bad", title = "M %(all)s", risk = "medium", no_undo = "N %(all)s",
  run = function(p, f) shell.run { "sh", "-c", 'echo "$1" >&2; [ "$2" != 0 ] || echo "$1" > good; exit "$2"', "sh", f.what, %(code)s, cwd = p.dir } end }
'''
TWO = '''runbook "demo/two" { title = { zh = "两个", en = "Two" }, severity = "P2", target = "t" }
param "dir" { type = "path", title = "folder", required = true }
finding "a" { title = { zh = "甲", en = "first" } }
finding "b" { title = { zh = "乙", en = "second" }, advice = { zh = "打电话", en = "call them" } }
check "look" { title = "look", run = function(p)
  if not file.stat(p.dir .. "/good") then found "a" end
  found "b"
end }
fix "mend" { when = "a", title = "mend", risk = "%s", no_undo = "-", run = function(p) file.write(p.dir .. "/good", "x") end }
'''


def lua(text):
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "".join("\\%03d" % b for b in c.encode())
                   for c in text)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.words, self.links = set(), set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attributes)

    def handle_data(self, data):
        self.words.append(data)

    def handle_comment(self, data):
        self.tags.add("a comment")

    @property
    def text(self):
        return "\n".join(self.words)


class Reports(Lab):
    def ran(self, *args, code=0):
        return self.json("exec", *args, code=code)["run"]

    def story(self, run):
        return json.loads(self.run_it("report", run, "-o", "json", code=0).out)

    def test_what_a_story_holds(self):
        self.book("demo/two", TWO % "medium")
        run = self.ran("demo/two", f"dir={self.dir}", "--yes", "--reason", "ticket 7", code=3)
        story = self.story(run)
        self.assertEqual("runbook.report/1", story["schema"])
        self.assertEqual("ticket 7", story["reason"])
        self.assertGreater(story["diagnosed_ms"], 0)
        self.assertNotIn("repaired_ms", story)  # b still stands
        self.assertEqual({"a": "cleared", "b": "standing"}, {f["id"]: f["state"] for f in story["findings"]})
        self.assertEqual([("yes", "flag")], [(d["answer"], d["how"]) for d in story["decisions"]])
        self.assertEqual([("file.write", "done")], [(e["verb"], e["result"]) for e in story["effects"]])
        self.assertEqual(["standing"], [n["why"] for n in story["not_done"] if n.get("id") == "b"][:1])
        self.assertEqual([], story["unknown"])
        self.assertRegex(story["people"][0], r"\S+ @ \S+")
        self.assertRegex(story["record"]["last"]["hash"], r"^[0-9a-f]{64}$")
        self.assertEqual("start", story["timeline"][0]["t"])
        self.assertEqual("end", story["timeline"][-1]["t"])
        self.assertTrue(all(b["from"] <= b["to"] for b in story["bars"]))

    def test_time_to_repair_and_what_nobody_agreed_to(self):
        self.book("demo/two", TWO.replace('  found "b"\n', "") % "high")
        story = self.story(self.ran("demo/two", f"dir={self.dir}", code=3))
        self.assertEqual([("a", "standing")], [(n["id"], n["why"]) for n in story["not_done"]])
        story = self.story(self.ran("demo/two", f"dir={self.dir}", "--dry-run", code=3))
        self.assertEqual([("mend", "dry_run", "file.write")], [(n["fix"], n["why"], n["verb"]) for n in story["not_done"] if "fix" in n])
        self.assertEqual([], story["effects"])
        run = self.ran("demo/two", f"dir={self.dir}", "--fix", "mend", "--confirm", "mend")
        story = self.story(run)
        self.assertEqual("fixed", story["result"])
        self.assertGreaterEqual(story["repaired_ms"], story["diagnosed_ms"])
        self.assertEqual([], story["not_done"])

    def test_both_languages(self):
        self.book("demo/two", TWO % "medium")
        run = self.ran("demo/two", f"dir={self.dir}", "--yes", code=3)
        english, chinese = self.run_it("report", run, code=0).out, self.run_it("report", run, "--lang", "zh", code=0).out
        for word in ("## What was changed", "## Decisions", "time to diagnose", "second"):
            self.assertIn(word, english)
        for word in ("## 做了哪些改动", "## 决定", "诊断用时", "乙"):
            self.assertIn(word, chinese)
        page = Page(self.run_it("report", run, "--lang", "zh", "-o", "html", code=0).out)
        self.assertIn("时间线", page.text)

    def test_nothing_foreign_becomes_markup(self):
        for code, payloads in (("0", PAYLOADS), ("3", PAYLOADS[:2])):
            for payload in payloads:
                if os.path.exists(self.dir + "/good"):
                    os.remove(self.dir + "/good")
                self.book("demo/payload", BOOK % {"all": lua(payload), "code": '"%s"' % code})
                run = self.ran("demo/payload", f"dir={self.dir}", "what=" + payload, "--yes", code=0 if code == "0" else 1)
                text = self.run_it("report", run, "-o", "html", code=0).out
                page = Page(text)
                self.assertLessEqual(page.tags, TAGS, payload)
                self.assertLessEqual(page.attributes, ATTRIBUTES, payload)
                self.assertEqual(1, text.count("<style>"), payload)
                self.assertNotRegex(text, r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
                self.assertNotRegex(re.sub(r"&[#\w]+;", "", text.split("</style>")[1]), r"(?i)<[^>]*\b(href|src|on\w+)\s*=")
                if payload.isascii() and payload.isprintable():
                    self.assertGreater(page.text.count(payload), 5, payload)
                self.assert_plain(self.run_it("report", run, code=0).out, payload)

    def assert_plain(self, markdown, payload):
        """No cell more, no tag but our line breaks, no link, no control byte."""
        ours = markdown.split("<!-- runbook.report/1")[0].replace("<br>", "")
        self.assertNotRegex(ours, r"(?<!\\)<", payload)
        self.assertNotRegex(ours, r"(?<!\\)\]\(", payload)
        self.assertNotRegex(ours, r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", payload)
        for line in ours.splitlines():
            if line.startswith("|"):
                self.assertIn(len(re.findall(r"(?<!\\)\|", line)), (3, 4, 5, 6), line)

    def test_the_page_needs_nothing_from_elsewhere(self):
        self.book("demo/two", TWO % "medium")
        run = self.ran("demo/two", f"dir={self.dir}", "--yes", code=3)
        text = self.run_it("report", run, "-o", "html", code=0).out
        self.assertIn("default-src 'none'", text)
        self.assertNotRegex(text, r"https?://|url\(|@import|<script|<link")
        self.assertIn("prefers-color-scheme:dark", text)
        self.assertIn("@media print", text)
        self.assertIn("<svg", text)

    def test_into_a_file(self):
        self.book("demo/two", TWO % "medium")
        run = self.ran("demo/two", f"dir={self.dir}", "--yes", code=3)
        for name, start in (("r.html", "<!doctype html>"), ("r.md", "# demo/two"), ("r.json", "{")):
            self.assertEqual("", self.run_it("report", run[:6], "--to", name, code=0).out)
            path = os.path.join(self.dir, name)
            with open(path, encoding="utf-8") as f:
                self.assertTrue(f.read().startswith(start), name)
            self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        self.run_it("report", run, "--to", "no/such/place.md", code=2)

    def test_mistakes(self):
        self.run_it("report", code=2)
        self.run_it("report", "r-none", code=2)
        self.run_it("list", "-o", "html", code=2)


class ReportsOfTheKilled(Lab):
    """With the hands of the tests of resume, without their tests."""
    at, put, read, effects, begin = (getattr(test_resume.Killed, n) for n in ("at", "put", "read", "effects", "begin"))
    until, run_id, state, die = (getattr(test_resume.Killed, n) for n in ("until", "run_id", "state", "die"))
    interrupted_at = test_resume.Killed.interrupted_at

    def test_an_unknown_write_and_what_a_person_said(self):
        run = self.interrupted_at("two")
        story = self.json("report", run)
        self.assertEqual("interrupted", story["result"])
        self.assertEqual(["unknown"], [u["result"] for u in story["unknown"]])
        self.assertTrue(any(b["result"] == "unknown" for b in story["bars"]))
        self.assertIn("Unknown", self.run_it("report", run, "-o", "html", code=0).out)
        self.run_it("resume", run, "--yes", code=9)
        self.run_it("resolve", run, "--done", "--reason", "the line is there", code=0)
        self.run_it("resume", run, "--yes", code=0)
        story = self.json("report", run)
        self.assertEqual([], story["unknown"])
        self.assertIn("said_done", [e["result"] for e in story["effects"]])
        self.assertIn("the line is there", [d.get("reason") for d in story["decisions"]])
        self.assertIn("resumed", [e["t"] for e in story["timeline"]])


if __name__ == "__main__":
    unittest.main()
