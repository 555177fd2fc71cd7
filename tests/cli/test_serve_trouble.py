"""The service in trouble: a disk without room, another service beside it, a file that breaks and heals."""
import json
import os
import signal
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab
from test_schedule import WATCH

# In a mount namespace of its own: a small file system for the state, and a service; then it does as it is told.
SMALL_DISK = """
set -e
mount -t tmpfs -o size=4m tmpfs "$STATE"
"$RUNBOOK_PROGRAM" serve -o jsonl >>"$LOG" 2>&1 </dev/null &
echo ready
while read -r word; do
  case $word in
    fill) dd if=/dev/zero of="$STATE/filler" bs=4096 2>/dev/null || true ;;
    free) rm "$STATE/filler" ;;
    kill) kill -9 $! ; wait $! || true ;;
    stop) kill -TERM $! ; wait $! && echo "ended 0" ;;
    audit) "$RUNBOOK_PROGRAM" audit verify -o json ;;
    history) "$RUNBOOK_PROGRAM" history -o json ;;
  esac
  echo "$word"
done
"""


def may_mount():
    return subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode == 0


class Trouble(Lab):
    def setUp(self):
        super().setUp()
        self.log_path = os.path.join(self.dir, "serve.log")
        open(self.log_path, "w", encoding="utf-8").close()

    def watch(self, every="1s"):
        self.book("demo/watch", WATCH % ("low", "", every, "fix", self.dir))

    def facts(self, kind=None):
        with open(self.log_path, encoding="utf-8") as f:
            found = [json.loads(line) for line in f if line.startswith("{") and line.endswith("\n")]
        return [f for f in found if kind in (None, f["t"])]

    def wait_for(self, kind, count=1, seconds=60, **more):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [f for f in self.facts(kind) if all(f.get(k) == v for k, v in more.items())]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        with open(self.log_path, encoding="utf-8") as f:
            self.fail("no %d %s %s in:\n%s" % (count, kind, more, f.read()[-4000:]))

    def calm(self):
        """How many runs have begun, once what was on its way has ended."""
        begun, since = -1, time.monotonic()
        while time.monotonic() - since < 3:
            if begun != len(self.facts("run.started")):
                begun, since = len(self.facts("run.started")), time.monotonic()
            time.sleep(0.1)
        return begun

    @unittest.skipUnless(os.geteuid() == 0 and may_mount(), "a file system of its own needs root")
    def test_a_full_disk_runs_nothing_and_heals(self):
        self.watch()
        state = self.env["XDG_STATE_HOME"]
        os.makedirs(state)
        shell = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", SMALL_DISK], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd=self.dir,
            env={**self.env, "STATE": state, "LOG": self.log_path, "RUNBOOK_PROGRAM": RUNBOOK})

        def tell(word):
            shell.stdin.write(word + "\n")
            shell.stdin.flush()
            said = []
            while True:
                line = shell.stdout.readline()
                if line in (word + "\n", ""):
                    return "".join(said)
                said.append(line)

        try:
            self.assertEqual("ready\n", shell.stdout.readline())
            self.wait_for("run.ended", result="fixed")
            tell("fill")
            self.wait_for("store.failed")
            begun = self.calm()
            os.unlink(self.dir + "/hello")
            time.sleep(4)
            self.assertEqual(begun, len(self.facts("run.started")), "a run began without a record")
            self.assertFalse(os.path.exists(self.dir + "/hello"), "something was changed without a record")
            tell("free")
            self.wait_for("store.works")
            self.wait_for("run.ended", count=2, result="fixed")
            self.assertTrue(json.loads(tell("audit"))["ok"])
            self.assertEqual("ended 0\n", tell("stop"))
        finally:
            shell.stdin.close()
            shell.terminate()
            shell.wait(30)
            shell.stdout.close()

    def test_two_services_share_one_store(self):
        self.watch(every="2s")
        services = []
        with open(self.log_path, "a", encoding="utf-8") as log:
            for _ in range(2):
                services.append(subprocess.Popen([RUNBOOK, "serve", "-o", "jsonl"], stdout=log, stderr=subprocess.STDOUT,
                                                 env=self.env, cwd=self.dir))
        try:
            self.wait_for("service.started", count=2)
            self.wait_for("run.ended", count=5)
            services[0].kill()  # the other one goes on alone
            services[0].wait()
            before = len(self.facts("run.ended"))
            self.wait_for("run.ended", count=before + 2)
            services[1].send_signal(signal.SIGTERM)
            self.assertEqual(0, services[1].wait(120))
        finally:
            for service in services:
                if service.poll() is None:
                    service.kill()
                    service.wait()
        started = [f["at"] for f in self.facts("run.started")]
        self.assertEqual(len(started), len(set(started)), "a firing ran in both: %s" % started)
        self.assertTrue(self.json("audit", "verify")["ok"])

    def test_what_is_older_than_is_wanted_loses_its_words(self):
        self.watch(every="2s")
        with open(self.log_path, "a", encoding="utf-8") as log:
            service = subprocess.Popen([RUNBOOK, "serve", "--keep", "20s", "-o", "jsonl"], stdout=log, stderr=subprocess.STDOUT,
                                       env=self.env, cwd=self.dir)
        try:
            first = self.wait_for("run.started")[0]
            self.wait_for("journal.pruned", seconds=180)  # a minute after the start, then once a day
            service.send_signal(signal.SIGTERM)
            self.assertEqual(0, service.wait(120))
        finally:
            if service.poll() is None:
                service.kill()
                service.wait()
        def bodies(run):
            lines = self.run_it("logs", run, "-o", "jsonl", code=0).out.splitlines()
            return [e["body"] for e in map(json.loads, lines)]

        self.assertEqual({None}, set(bodies(first["run"])))
        self.assertNotIn(None, bodies(self.facts("run.started")[-1]["run"]), "what is young stays")
        self.assertTrue(self.json("audit", "verify")["ok"])

    def test_an_edit_while_it_runs_counts_and_a_broken_one_does_not(self):
        self.watch()
        with open(self.log_path, "a", encoding="utf-8") as log:
            service = subprocess.Popen([RUNBOOK, "serve", "-o", "jsonl"], stdout=log, stderr=subprocess.STDOUT,
                                       env=self.env, cwd=self.dir)
        try:
            self.wait_for("run.ended", result="fixed")
            self.book("demo/watch", "runbook {{{\n")
            self.wait_for("runbook.broken")
            os.unlink(self.dir + "/hello")
            self.wait_for("run.ended", count=2, result="fixed")  # the last good one
            self.book("demo/watch", (WATCH % ("low", "", "1s", "fix", self.dir)).replace("/hello", "/hullo"))
            end = time.monotonic() + 60
            while not os.path.exists(self.dir + "/hullo") and time.monotonic() < end:
                time.sleep(0.1)
            self.assertTrue(os.path.exists(self.dir + "/hullo"), "the edit was not taken up")
            self.assertEqual(1, len(self.facts("runbook.broken")), "said more than once")
            service.send_signal(signal.SIGTERM)
            self.assertEqual(0, service.wait(120))
        finally:
            if service.poll() is None:
                service.kill()
                service.wait()


if __name__ == "__main__":
    unittest.main()
