"""Nobody decided in time, and no terminal was there to say so: the service turns to whom the configuration names. Once."""
import collections
import http.server
import json
import os
import signal
import subprocess
import threading
import time
import unittest

from lab import RUNBOOK, Lab
from test_schedule import NO_UNDO, WATCH

CONFIG = '''
channel "team" { kind = "webhook", url = "http://127.0.0.1:%(port)d/team" }
channel "phone" { kind = "webhook", url = "http://127.0.0.1:%(port)d/phone" }
contact "lead" { title = { zh = "值班组长", en = "the lead on duty" }, phone = "555-0100", channel = "phone" }
severity "P2" { within = "%(within)s", channels = { "team" }, escalate = { "lead" } }
'''


class Escalation(Lab):
    def setUp(self):
        super().setUp()
        self.inbox = inbox = collections.defaultdict(list)
        hold = threading.Event()

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                inbox[self.path].append(json.dumps(json.loads(body), ensure_ascii=False))
                while hold.is_set():
                    time.sleep(0.05)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self.hook.hold = hold
        threading.Thread(target=self.hook.serve_forever, daemon=True).start()
        self.addCleanup(self.hook.server_close)
        self.addCleanup(self.hook.shutdown)

    def configure(self, within, also=""):
        path = os.path.join(self.env["XDG_CONFIG_HOME"], "runbook", "config.lua")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(CONFIG % {"port": self.hook.server_address[1], "within": within} + also)

    def watch(self, every, risk="medium"):
        self.book("demo/watch", WATCH % (risk, NO_UNDO, every, "fix", self.dir))

    def serve(self):
        log = open(os.path.join(self.dir, "serve.log"), "a", encoding="utf-8")
        self.addCleanup(log.close)
        service = subprocess.Popen([RUNBOOK, "serve", "-o", "jsonl"], stdout=log, stderr=subprocess.STDOUT, env=self.env,
                                   cwd=self.dir)
        self.addCleanup(self.end, service)
        return service

    @staticmethod
    def end(service, sig=signal.SIGKILL):
        if service.poll() is None:
            service.send_signal(sig)
        return service.wait(60)

    def facts(self, kind, **more):
        with open(os.path.join(self.dir, "serve.log"), encoding="utf-8") as f:
            found = [json.loads(line) for line in f if line.startswith("{") and line.endswith("\n")]
        return [f for f in found if f["t"] == kind and all(f.get(k) == v for k, v in more.items())]

    def wait(self, condition, what, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                with open(os.path.join(self.dir, "serve.log"), encoding="utf-8") as f:
                    said = [line for line in f if '"run.' not in line]
                self.fail("%s\n%s\n%s\n%s" % (what, "".join(said), dict(self.inbox), self.run_it("history").out))
            time.sleep(0.05)

    def events(self, kind):
        lines = self.run_it("audit", "-o", "jsonl", code=0).out.splitlines()
        return [e for e in map(json.loads, lines) if e["t"] == kind]

    def test_trouble_that_a_schedule_saw_is_told_once_whoever_is_killed(self):
        self.configure("20s")
        self.watch("1s")
        first = self.serve()
        self.wait(lambda: self.inbox["/team"], "nobody heard of the trouble")
        self.end(first)  # before its time is up: the next one must not lose it
        self.assertEqual([], self.inbox["/phone"])
        second = self.serve()
        self.wait(lambda: self.inbox["/phone"], "the lead heard nothing")
        self.wait(lambda: self.facts("escalated"), "it was not said")
        self.end(second)  # after: the third must not repeat it
        third = self.serve()
        seen = len(self.facts("run.ended", result="found"))
        self.wait(lambda: len(self.facts("run.ended", result="found")) >= seen + 6, "it goes on looking")
        self.assertEqual(0, self.end(third, signal.SIGTERM))
        self.assertEqual([1, 1], [len(self.inbox[path]) for path in ("/team", "/phone")], dict(self.inbox))
        for words in ("demo/watch/often", "the lead on duty 555-0100", "response time P2 20.0s", "show r-"):
            self.assertIn(words, self.inbox["/phone"][0])
        [event] = self.events("escalated")
        self.assertEqual(["demo/watch/often", "demo/watch", ["lead"]],
                         [event["body"]["schedule"], event["body"]["runbook"], [c["name"] for c in event["body"]["contacts"]]])
        self.assertGreaterEqual(event["body"]["after"], 20)
        self.assertTrue(self.json("audit", "verify")["ok"])

    def test_a_run_that_waits_for_a_person(self):
        self.configure("3s")
        self.watch("1h", risk="high")
        waiting = json.loads(self.run_it("exec", "demo/watch", "dir=" + self.dir, "--fix", "write-it", "--no-input", "--wait", "-o",
                                         "json", code=4).out)["run"]
        services = [self.serve(), self.serve()]  # whichever is first
        self.wait(lambda: self.inbox["/phone"], "the lead heard nothing")
        time.sleep(5)
        for service in services:
            self.end(service)
        third = self.serve()
        self.wait(lambda: len(self.facts("service.started")) == 3, "it does not begin")
        time.sleep(4)
        self.assertEqual(0, self.end(third, signal.SIGTERM))
        self.assertEqual(1, len(self.inbox["/phone"]), dict(self.inbox))
        self.assertIn("show " + waiting, self.inbox["/phone"][0])
        [event] = self.events("escalated")
        self.assertEqual(waiting, event["run"])
        shown = self.json("show", waiting)
        self.assertEqual(["lead"], [c["name"] for c in shown["escalated"]["contacts"]])
        self.assertRegex(self.run_it("show", waiting, "-o", "md", code=0).out, "answer within: P2 3.0s, escalated after")

    def test_what_a_person_repaired_is_not_told(self):
        self.configure("15s")
        self.watch("10s")
        service = self.serve()
        self.wait(lambda: self.facts("run.ended", result="found"), "it finds nothing")
        found = time.monotonic()
        self.run_it("exec", "demo/watch", "dir=" + self.dir, "--yes", "--no-input", code=0)
        self.wait(lambda: self.facts("run.ended", result="healthy"), "the next firing looks again")
        time.sleep(max(0, found + 18 - time.monotonic()))
        self.assertEqual(0, self.end(service, signal.SIGTERM))
        self.assertEqual(([], []), (self.facts("escalated"), self.events("escalated")))

    def test_a_message_nobody_knows_of_keeps_no_other_from_going_out(self):
        self.configure("4s")
        self.watch("1s")
        self.hook.hold.set()
        first = self.serve()
        self.wait(lambda: self.inbox["/team"], "nobody heard of the trouble")
        self.end(first)  # the message has arrived, its answer has not
        self.hook.hold.clear()
        second = self.serve()
        self.wait(lambda: self.inbox["/phone"], "the lead heard nothing")
        self.assertEqual(0, self.end(second, signal.SIGTERM))
        self.assertEqual([], self.facts("tell.failed"))

    def test_two_channels_at_once(self):
        self.configure("3s", also='contact "second" { title = "the second", channel = "team" }\n'
                                  'severity "demo/P2" { within = "3s", channels = { "team", "phone" }, escalate = { "lead", "second" } }\n')
        self.watch("1s")
        service = self.serve()
        self.wait(lambda: "the second" in "".join(self.inbox["/team"]) and "the second" in "".join(self.inbox["/phone"]),
                  "one of them heard nothing")
        self.assertEqual(0, self.end(service, signal.SIGTERM))
        self.assertEqual([], self.facts("tell.failed"))

    def test_a_paused_schedule_is_somebodys_decision(self):
        self.configure("15s")
        self.watch("1s")
        service = self.serve()
        self.wait(lambda: self.facts("run.ended", result="found"), "it finds nothing")
        self.run_it("schedule", "pause", "demo/watch/often", "--reason", "known", code=0)
        time.sleep(18)
        self.assertEqual(0, self.end(service, signal.SIGTERM))
        self.assertEqual([], self.facts("escalated"))


if __name__ == "__main__":
    unittest.main()
