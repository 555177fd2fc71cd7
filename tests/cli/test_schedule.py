"""Schedules on the command line, and the service that runs them."""
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from lab import RUNBOOK, Inbox, Lab

WATCH = '''runbook "demo/watch" {
  title = { zh = "看看文件", en = "look at the file" }, severity = "P2",
}
param "dir" { type = "path", title = { zh = "目录", en = "folder" }, required = true }
finding "missing" { title = { zh = "没有 {path}", en = "no {path}" }, key = "path" }
check "look" {
  title = { zh = "看", en = "look" },
  run = function(p) if not file.stat(p.dir .. "/hello") then found("missing", { path = p.dir .. "/hello" }) end end,
}
fix "write-it" {
  when = "missing", title = { zh = "写一个", en = "write it" }, risk = "%s", %s
  run = function(p, f) file.write(f.path, "hello\\n") end,
}
schedule "often" { every = "%s", mode = "%s", with = { dir = "%s" } }
'''
NO_UNDO = 'no_undo = { zh = "没有旧内容", en = "nothing was there" },'


class Watching(Lab):
    def watch(self, every="1s", mode="fix", risk="low"):
        self.book("demo/watch", WATCH % (risk, NO_UNDO if risk != "low" else "", every, mode, self.dir))


class Schedules(Watching):
    def test_next_is_utc(self):
        next = self.json("schedule", "next", "30 2 * * *", "--tz", "America/New_York", "--from", "2026-03-07T08:00:00Z",
                         "--count", "2")
        self.assertEqual(["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"], next["next"])
        self.assertEqual(["gap", None], [f["rule"] for f in next["firings"]])

    def test_next_takes_times_as_people_write_them(self):
        for given in ("2026-06-01 08:00+08:00", "2026-06-01T00:00:00Z", "2026-06-01"):
            next = self.json("schedule", "next", "@daily", "--from", given, "--count", "1")
            self.assertEqual(["2026-06-02T00:00:00Z"], next["next"])

    def test_what_is_wrong_is_said(self):
        for argv, words in ((["next"], "one expression"), (["next", "61 * * * *"], "field 1 (minute)"),
                            (["next", "* * * * *", "--tz", "Asia/Shangai"], "Asia/Shanghai"),
                            (["next", "* * * * *", "--count", "0"], "--count"),
                            (["next", "* * * * *", "--from", "soon"], "no time"), (["frobnicate"], "no word"),
                            (["pause", "demo/watch"], "--reason"), (["resume"], "--all"),
                            (["explain", "demo/wotch"], "no schedule"), (["run"], "one schedule"),
                            (["export", "cron"], "systemd")):
            self.watch()
            self.assertIn(words, self.run_it("schedule", *argv, code=2).err, argv)

    def listed(self, name):
        """Beside the schedules of the runbooks that come with the program."""
        return next(one for one in self.json("schedule", "list")["schedules"] if one["name"] == name)

    def test_list_pause_resume(self):
        self.watch(every="1h")
        name = "demo/watch/often"
        one = self.listed(name)
        self.assertEqual([name, "on", "fix", None], [one["name"], one["state"], one["mode"], one["last"]])
        self.assertTrue(one["next"].endswith(":00:00Z"))
        self.run_it("schedule", "pause", name, "--reason", "migration", "--until", "+2d", code=0)
        one = self.listed(name)
        self.assertEqual(["paused", "migration"], [one["state"], one["paused"]["reason"]])
        self.assertIn("migration", self.run_it("schedule", "list", code=0).out)
        planned = self.json("schedule", "explain", name, "--from", "now", "--to", "+3d")["firings"]
        self.assertEqual({"paused"}, {f["reason"] for f in planned[:40]})
        self.assertEqual("planned", planned[-1]["state"])
        self.assertEqual(["demo/watch/often"], self.json("schedule", "resume", "--all")["schedules"])
        self.assertEqual("on", self.listed(name)["state"])
        kinds = [e["t"] for e in map(json.loads, self.run_it("audit", "-o", "jsonl", code=0).out.splitlines())]
        self.assertEqual(["schedule.paused", "schedule.resumed"], kinds)

    def test_run_now_does_what_it_would(self):
        self.watch(risk="medium")
        self.run_it("schedule", "run", "demo/watch/often", "--no-input", code=3)
        self.assertFalse(os.path.exists(self.dir + "/hello"))
        self.run_it("schedule", "run", "demo/watch/often", "--no-input", "--yes", code=0)
        self.assertTrue(os.path.exists(self.dir + "/hello"))

    def test_export_for_systemd(self):
        self.book("demo/t", 'runbook "demo/t" { title = "t", severity = "P3" }\ncheck "c" { title = "c", run = function() end }\n'
                            'schedule "s" { cron = "5,20 3 1 * mon", tz = "Asia/Shanghai", jitter = "5m" }\n')
        units = self.run_it("schedule", "export", "systemd", "demo/t", code=0).out
        for line in ("OnCalendar=*-*-01 03:05,20:00 Asia/Shanghai", "OnCalendar=Mon *-*-* 03:05,20:00 Asia/Shanghai",
                     "RandomizedDelaySec=300s", "Persistent=true"):
            self.assertIn(line + "\n", units)

    def test_a_wrong_expression_breaks_only_its_file(self):
        self.watch()
        self.book("demo/bad", 'runbook "demo/bad" { title = "t", severity = "P3" }\ncheck "c" { title = "c", run = function() end }\n'
                              'schedule "s" { cron = "0 0 30 2 *" }\n')
        listed = {r["id"]: r["status"] for r in self.json("list")["runbooks"] if r["id"].startswith("demo/")}
        self.assertEqual({"demo/watch": "ok", "demo/bad": "broken"}, listed)


class Service(Watching):
    """A real service on real time."""

    def serve(self, *args, env=None):
        self.log = open(os.path.join(self.dir, "serve.log"), "w+", encoding="utf-8")
        self.addCleanup(self.log.close)
        service = subprocess.Popen([RUNBOOK, "serve", "-o", "jsonl", *args], stdout=self.log, stderr=subprocess.STDOUT,
                                   env={**self.env, **(env or {})}, cwd=self.dir)
        self.addCleanup(service.wait)
        self.addCleanup(service.kill)
        self.wait_for("service.started")
        return service

    def facts(self, kind=None):
        with open(self.log.name, encoding="utf-8") as f:
            all_of = [json.loads(line) for line in f if line.startswith("{") and line.endswith("\n")]
        return [f for f in all_of if kind in (None, f["t"])]

    def wait_for(self, kind, count=1, seconds=120, **more):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [f for f in self.facts(kind) if all(f.get(k) == v for k, v in more.items())]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        with open(self.log.name, encoding="utf-8") as f:
            self.fail(f"no {count} {kind} {more} in:\n{f.read()}")

    def stop(self, service):
        service.send_signal(signal.SIGTERM)
        code = service.wait(120)
        with open(self.log.name, encoding="utf-8") as f:
            self.assertEqual(0, code, f.read())

    def test_it_fixes_what_needs_nobody(self):
        self.watch()
        service = self.serve()
        self.wait_for("run.ended", result="fixed")
        self.assertTrue(os.path.exists(self.dir + "/hello"))
        self.wait_for("run.ended", result="healthy")
        self.stop(service)
        self.assertEqual(["service.draining", "service.stopped"], [f["t"] for f in self.facts()][-2:])
        run = self.json("history", "--status", "fixed")["runs"][0]
        self.assertEqual("demo/watch/often", run["actor"]["schedule"])
        self.assertTrue(self.json("audit", "verify")["ok"])
        last = self.json("schedule", "list")["schedules"][0]["last"]
        self.assertEqual(["ended", "healthy"], [last["state"], last["result"]])
        firings = self.json("schedule", "explain", "demo/watch/often", "--from", "now", "--to", "+1s")["firings"]
        self.assertLessEqual(len(firings), 2)

    def test_what_is_riskier_waits_for_a_person(self):
        self.watch(risk="medium")
        service = self.serve()
        ended = self.wait_for("run.ended", result="found")[0]
        self.stop(service)
        self.assertFalse(os.path.exists(self.dir + "/hello"))
        self.assertEqual(0, subprocess.run(ended["next"][0]["argv"], env=self.env, cwd=self.dir, capture_output=True).returncode)
        self.assertTrue(os.path.exists(self.dir + "/hello"))

    def test_diagnose_only_looks(self):
        self.watch(mode="diagnose")
        service = self.serve()
        self.wait_for("run.ended", result="found")
        self.stop(service)
        self.assertFalse(os.path.exists(self.dir + "/hello"))

    def test_a_broken_edit_keeps_the_last_good_one(self):
        self.watch()
        service = self.serve()
        self.wait_for("run.ended")
        self.book("demo/watch", "runbook {{{\n")
        broken = self.wait_for("runbook.broken")[0]
        self.assertEqual("demo/watch", broken["runbook"])
        seen = len(self.facts("run.ended"))
        self.wait_for("run.ended", count=seen + 2)
        self.watch(every="2s")
        self.wait_for("service.loaded", count=2)
        self.assertEqual(1, len(self.facts("runbook.broken")))
        self.stop(service)

    def test_killed_and_started_again_fires_nothing_twice(self):
        self.watch(every="2s")
        for _ in range(3):
            service = self.serve()
            self.wait_for("run.ended")
            service.kill()
            service.wait()
        service = self.serve()
        self.wait_for("run.ended")
        self.stop(service)
        firings = self.json("schedule", "explain", "demo/watch/often", "--from", "now", "--to", "+1s")
        self.assertIn("firings", firings)
        firings = self.json("schedule", "explain", "demo/watch/often")["firings"]
        decided = [f for f in firings if f["state"] not in ("unknown", "planned", "overdue")]
        self.assertEqual(len(decided), len({f["at"] for f in decided}))
        runs = [f["run"] for f in decided if f.get("run")]
        self.assertEqual(len(runs), len(set(runs)))
        self.assertGreaterEqual(len(runs), 4)

    def test_the_circuit_breaker(self):
        self.watch()
        service = self.serve()
        for n in range(1, 4):
            self.wait_for("run.ended", count=n, result="fixed")
            os.unlink(self.dir + "/hello")
        self.wait_for("schedule.tripped")
        self.wait_for("run.ended", result="found")
        self.assertFalse(os.path.exists(self.dir + "/hello"))
        self.assertEqual("tripped", self.json("schedule", "list")["schedules"][0]["state"])
        self.run_it("schedule", "reset", "demo/watch/often", code=0)
        self.wait_for("run.ended", count=4, result="fixed")
        self.stop(service)

    def test_stopping_waits_for_what_runs(self):
        self.book("demo/slow", 'runbook "demo/slow" { title = "t", severity = "P3" }\n'
                               'check "c" { title = "c", run = function() shell.read { "sleep", "3" } end }\n'
                               'schedule "s" { every = "1s" }\n')
        service = self.serve()
        self.wait_for("run.started")
        self.stop(service)
        self.assertEqual("healthy", self.facts("run.ended")[-1]["result"])

    def configure(self, text):
        path = os.path.join(self.env["XDG_CONFIG_HOME"], "runbook", "config.lua")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def test_the_operator_overrides_a_schedule(self):
        self.watch(every="1h", mode="diagnose", risk="medium")
        self.configure('schedule "demo/watch/often" { every = "1s", mode = "fix", allow = "medium" }\n')
        self.assertEqual(1, self.json("schedule", "list")["schedules"][0]["every"])
        service = self.serve()
        self.wait_for("run.ended", result="found")  # the policy says low
        self.configure('schedule "demo/watch/often" { every = "1s", mode = "fix", allow = "medium" }\n'
                       'policy "nights" { unattended = "medium", runbooks = { "demo/*" } }\n')
        self.wait_for("run.ended", result="fixed")
        self.stop(service)
        answered = [e for e in map(json.loads, self.run_it("audit", "-o", "jsonl", code=0).out.splitlines())
                    if e["t"] == "confirm.answered"]
        self.assertEqual(("yes", "schedule"), (answered[-1]["body"]["answer"], answered[-1]["body"]["how"]))

    def test_people_are_told_once(self):
        inbox = Inbox(self)
        self.watch(risk="medium")
        self.configure('channel "team" { kind = "webhook", url = "%s" }\n'
                       'severity "P2" { channels = { "team" } }\n' % inbox.url)
        service = self.serve()
        self.wait_for("run.ended", count=6, result="found")
        end = time.monotonic() + 60
        while not inbox.messages and time.monotonic() < end:
            time.sleep(0.1)
        self.stop(service)
        with open(self.log.name, encoding="utf-8") as f:
            self.assertEqual(1, len(inbox.messages), f.read())
        self.assertIn("demo/watch/often", inbox.texts()[0])
        self.assertIn("--fix", inbox.texts()[0])

    def test_systemd_hears_of_it(self):
        self.watch(every="1h")
        path = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bus:
            bus.bind(path)
            bus.settimeout(60)
            service = self.serve(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
            heard = set()
            while not {"READY=1", "WATCHDOG=1"} <= heard:
                heard.add(bus.recv(100).decode())
            self.assertEqual({"READY=1", "WATCHDOG=1"}, heard)
            self.stop(service)
            while "STOPPING=1" not in heard:
                heard.add(bus.recv(100).decode())


if __name__ == "__main__":
    unittest.main()
