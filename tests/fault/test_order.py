"""What the kernel saw: every effect comes after a finished sync of its intent, every shown outcome after its own.

Needs no trust in our code: strace writes down the system calls of all our processes, and this file reads them."""
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from lab import RUNBOOK, Lab  # noqa: E402

EFFECTS = 12
BOOK = '''runbook "demo/order" { title = "O", severity = "P3" }
param "dir" { type = "path", required = true, title = "d" }
local function touch(p, n) shell.run { "touch", p.dir .. "/EFFECT-" .. n .. "." } end
step "one" { title = "one", risk = "medium", no_undo = "-", run = function(p)
  touch(p, 1)
  parallel({ 2, 3, 4, 5, 6, 7 }, function(n) touch(p, n) end, { max = 3 })
  file.write(p.dir .. "/EFFECT-8.", "x")
  file.copy(p.dir .. "/EFFECT-8.", p.dir .. "/EFFECT-9.")
end }
step "two" { title = "two", risk = "medium", no_undo = "-", run = function(p)
  touch(p, 10)
  file.write(p.dir .. "/EFFECT-11.", "x")
  touch(p, 12)
end }
'''
SYNCED = re.compile(r"(fdatasync|fsync)\(\d+<[^>]*journal\.db-wal>\) += 0")


class Trace:
    """Lines of strace, an unfinished call at the place where it finished."""

    def __init__(self, text):
        self.lines, begun = [], {}
        for line in text.splitlines():
            pid, rest = line.split(None, 1)
            if rest.endswith("<unfinished ...>"):
                begun[pid] = rest[:-len("<unfinished ...>")].rstrip()
            elif rest.startswith("<... "):
                self.lines.append(begun.pop(pid, "") + rest.split("resumed>", 1)[1])
            else:
                self.lines.append(rest)

    def synced(self, kind, marker):
        """The line where a sync finished that followed the write of such an event; None."""
        event, written = re.compile(kind + r".{0,900}?" + re.escape(marker)), False
        for at, line in enumerate(self.lines):
            if line.startswith("pwrite64") and "journal.db-wal" in line and event.search(line):
                written = True
            elif written and SYNCED.match(line):
                return at
        return None

    def first(self, wanted):
        return next((at for at, line in enumerate(self.lines) if wanted(line)), None)


class Order(Lab):
    def test_intents_before_effects_and_outcomes_before_words(self):
        self.book("demo/order", BOOK)
        out = os.path.join(self.dir, "trace")
        done = subprocess.run(["strace", "-f", "-y", "-s", "16384", "-o", out, "-e",
                               "trace=execve,pwrite64,fdatasync,fsync,openat,write,rename,renameat,renameat2,link,linkat",
                               RUNBOOK, "exec", "demo/order", f"dir={self.dir}", "--yes", "--no-input", "-o", "jsonl"],
                              env={**self.env, "ASAN_OPTIONS": "detect_leaks=0"}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=200)
        self.assertEqual(0, done.returncode, done.stderr)
        with open(out, encoding="utf-8", errors="replace") as f:
            trace = Trace(f.read())
        for n in range(1, EFFECTS + 1):
            marker = f"EFFECT-{n}."
            effect = trace.first(lambda line: marker in line and (
                line.startswith("execve") or ("O_CREAT" in line and line.startswith("openat")) or
                line.startswith(("rename", "link"))))
            shown = trace.first(lambda line: line.startswith("write(1<") and "call.outcome" in line and marker in line)
            intent, outcome = trace.synced("call\\.intent", marker), trace.synced("call\\.outcome", marker)
            self.assertIsNotNone(effect, marker)
            self.assertIsNotNone(intent, marker)
            self.assertLess(intent, effect, f"{marker}: the effect before its intent was on disk")
            self.assertIsNotNone(shown, marker)
            self.assertLess(outcome, shown, f"{marker}: the outcome was shown before it was on disk")
            self.assertTrue(os.path.exists(os.path.join(self.dir, marker)))


if __name__ == "__main__":
    unittest.main()
