"""The clock is set while a service runs: each firing happens once, or is recorded as missed."""
import json
import os
import signal
import struct
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab

HOUR = 3600
BOOK = '''runbook "demo/t" { title = "t", severity = "P4" }
check "c" { title = "c", run = function() ok("fine") end }
schedule "often" { every = "2s" }
schedule "hourly" { cron = "0 * * * *", tz = "UTC", missed = "skip" }
'''


def move_clock(folder, offset):
    """Seconds that the clock of those programs is ahead."""
    path = os.path.join(folder, "clock")
    with open(path, "r+b" if os.path.exists(path) else "wb") as f:
        f.write(struct.pack("q", offset))


def set_clock(folder):
    """The variables of a program whose clock move_clock sets."""
    move_clock(folder, 0)
    return {"SET_CLOCK": os.path.join(folder, "clock"), "LD_PRELOAD": os.path.join(os.path.dirname(RUNBOOK), "tests", "set_clock.so"),
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class ClockSet(Lab):
    def setUp(self):
        super().setUp()
        self.book("demo/t", BOOK)
        self.log = os.path.join(self.dir, "serve.log")
        env = {**self.env, **set_clock(self.dir)}
        with open(self.log, "w", encoding="utf-8") as log:
            self.service = subprocess.Popen([RUNBOOK, "serve", "-o", "jsonl"], stdout=log, stderr=subprocess.STDOUT, env=env,
                                            cwd=self.dir)
        self.addCleanup(self.end, signal.SIGKILL)
        self.wait(lambda: len(self.runs()) >= 3)

    def end(self, sig):
        if self.service.poll() is None:
            self.service.send_signal(sig)
        return self.service.wait(60)

    def facts(self, kind, **more):
        with open(self.log, encoding="utf-8") as f:
            found = [json.loads(line) for line in f if line.startswith("{") and line.endswith("\n")]
        return [f for f in found if f["t"] == kind and all(f.get(k) == v for k, v in more.items())]

    def runs(self):
        return [f["at"] for f in self.facts("run.started", schedule="demo/t/often")]

    def wait(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                with open(self.log, encoding="utf-8") as f:
                    self.fail(f.read()[-4000:])
            time.sleep(0.05)

    def moved(self, offset):
        """The clock is set; how many runs had begun when the service heard of it."""
        heard = len(self.facts("clock.set"))
        move_clock(self.dir, offset)
        self.wait(lambda: len(self.facts("clock.set")) > heard)
        return len(self.runs())

    def quiet(self):
        """How many runs have begun, once none is under way and none that waited for its turn begins."""
        since = time.monotonic()
        while time.monotonic() - since < 2:
            before = len(self.facts("run.started"))
            time.sleep(0.1)
            if before != len(self.facts("run.started")) or before != len(self.facts("run.ended")):
                since = time.monotonic()
        return len(self.runs())

    def each_once(self):
        self.assertEqual(0, self.end(signal.SIGTERM))
        runs = self.runs()
        self.assertEqual(len(runs), len(set(runs)), runs)
        shown = self.json("schedule", "explain", "demo/t/often", "--from", min(runs), "--to", max(runs))["firings"]
        self.assertEqual(len(shown), len({f["at"] for f in shown}))
        self.assertTrue(self.json("audit", "verify")["ok"])

    def test_back_a_little_is_waited_for(self):
        self.moved(-60)
        before = self.quiet()
        time.sleep(5)
        self.assertEqual(before, len(self.runs()), "what was past fired again")
        before = self.moved(0)
        self.wait(lambda: len(self.runs()) >= before + 2)
        self.each_once()

    def test_far_back_goes_on_from_there_and_far_ahead_too(self):
        first = min(self.runs())
        self.moved(-30 * HOUR)
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.wait(lambda: len([at for at in self.runs() if at < first]) >= 2)
        self.assertLessEqual(max(self.runs()), then, "it goes on in the past, and nowhere else")
        self.moved(0)
        after = self.moved(2 * HOUR)
        self.wait(lambda: len(self.runs()) >= after + 2)
        missed = self.facts("schedule.missed", schedule="demo/t/hourly")
        self.assertTrue(missed, "nobody said that the hours in between were missed")
        self.each_once()


if __name__ == "__main__":
    unittest.main()
