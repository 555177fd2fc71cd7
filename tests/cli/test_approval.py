"""Consent of other people: asked for, answered from another login, used once; and every way around it."""
import json
import os
import signal
import subprocess
import time
import unittest

from lab import RUNBOOK, Inbox, Lab
from test_clock_set import move_clock, set_clock

GROUP, ALICE, BOB, CAROL = 60000, 60001, 60002, 60003
RACES = int(os.environ.get("RUNBOOK_RACES", "6"))  # 200 through the command line in the full tier
STEPS = '''runbook "demo/two" { title = "Two", severity = "P2", target = "t" }
param "dir" { type = "path", title = "folder", required = true }
param "word" { type = "string", default = "x", title = "word" }
step "one" { title = "one", risk = "medium", no_undo = "-", run = function(p) file.write(p.dir .. "/one", "1") end }
step "two" { title = "two", risk = "%s", key = "word", no_undo = "-"%s,
  run = function(p) file.write(p.dir .. "/two-" .. p.word, "2") end }
step "three" { title = "three", risk = "medium", no_undo = "-", run = function(p) file.write(p.dir .. "/three", "3") end }
'''


@unittest.skipUnless(os.geteuid() == 0, "NOT ROOT: two logins are two uids, and only root can be both; nothing was tested")
class People(Lab):
    """A state folder that a group shares, and three logins of that group."""

    def setUp(self):
        super().setUp()
        os.chmod(self.dir, 0o755)
        self.work, self.state = os.path.join(self.dir, "work"), os.path.join(self.dir, "shared")
        os.mkdir(self.work)
        os.chmod(self.work, 0o777)
        os.mkdir(self.state)
        os.chown(self.state, 0, GROUP)
        os.chmod(self.state, 0o2770)
        os.chmod(self.books, 0o755)
        self.env["RUNBOOK_STATE"] = self.state
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
            del self.env[name]
        for uid in (ALICE, BOB, CAROL):
            os.mkdir(self.home(uid))
            os.chown(self.home(uid), uid, GROUP)
        self.steps()

    def steps(self, risk="critical", more=", approvals = 1"):
        path = self.book("demo/two", STEPS % (risk, more))
        os.chmod(os.path.dirname(path), 0o755)
        os.chmod(path, 0o644)

    def config(self, text):
        for uid in (ALICE, BOB, CAROL):
            folder = os.path.join(self.home(uid), ".config", "runbook")
            os.makedirs(folder, exist_ok=True)
            with open(folder + "/config.lua", "w") as f:
                f.write(text)
            subprocess.run(["chown", "-R", f"{uid}:{GROUP}", self.home(uid)], check=True)

    def home(self, uid):
        return os.path.join(self.dir, "home-%d" % uid)

    def popen(self, uid, *args, **env):
        return subprocess.Popen([RUNBOOK, *args, "--no-input"], env={**self.env, "HOME": self.home(uid), **env}, cwd="/",
                                user=uid, group=GROUP, extra_groups=[], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def by(self, uid, *args, code=0, **env):
        child = self.popen(uid, *args, **env)
        out, err = child.communicate(timeout=180)
        self.assertEqual(code, child.returncode, f"{args}\n{out}\n{err}")
        return out, err

    def by_json(self, uid, *args, code=0, **env):
        return json.loads(self.by(uid, *args, "-o", "json", code=code, **env)[0])

    def ask(self, *more, code=4):
        result = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "--wait", "--yes", *more, code=code)
        return result["run"], result["approval"]["id"]

    def done(self):
        return sorted(name for name in os.listdir(self.work) if ".bak" not in name)

    def expires(self):
        """After half an hour, of a clock that the test can set."""
        self.config('policy "soon" { risk = "critical", expires = "30m" }')
        self.env.update(set_clock(self.dir))

    def later(self):
        move_clock(self.dir, 3600)

    # ---- the way it should go ----

    def test_one_asks_another_agrees(self):
        run, request = self.ask("--reason", "INC-1")
        self.assertEqual(["one"], self.done())
        self.assertEqual("waiting", self.by_json(ALICE, "history")["runs"][0]["result"])
        one, = self.by_json(BOB, "approvals")["approvals"]
        self.assertEqual((request, run, 1, "INC-1"), (one["id"], one["run"], one["left"], one["reason"]))
        self.assertEqual("file.write", one["writes"][0]["verb"])
        after = self.by_json(BOB, "approve", request, "--reason", "seen")
        self.assertEqual("granted", after["state"])
        result = self.by_json(ALICE, "resume", run)  # what was said by --yes counts on
        self.assertEqual(("done", ["one", "three", "two-x"]), (result["result"], self.done()))
        self.assertEqual(("approval", request), (result["steps"][1]["confirmed"]["how"], result["steps"][1]["confirmed"]["approval"]))
        self.assertEqual([], self.by_json(BOB, "approvals")["approvals"])
        self.by(ALICE, "audit", "verify")
        audit = self.by(ALICE, "audit")[0]
        self.assertRegex(audit, rf"approval\.answered\s+{request}  yes  seen")
        self.assertRegex(audit, rf"approval\.used\s+{request}")
        self.by(BOB, "reject", request, "--reason", "too late", code=4)

    def test_no_process_is_left_and_nothing_holds_the_target(self):
        run, _ = self.ask()
        self.until(lambda: subprocess.run(["pgrep", "-u", str(ALICE)], stdout=subprocess.PIPE).stdout == b"")
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--diagnose", code=0)

    def test_the_words_for_people(self):
        run, request = self.ask()
        out, err = self.by(BOB, "approvals", "--lang", "zh")
        self.assertIn("还需 1 人", out)
        out, err = self.by(BOB, "approve", request, "--reason", "x", "--lang", "zh")
        self.assertIn("审批通过", out)
        self.assertIn("resume " + run, err)
        self.by(BOB, "approve", request, code=2)
        self.by(BOB, "approve", "a-nothing", "--reason", "x", code=2)

    def test_a_no_ends_the_run_without_a_write(self):
        run, request = self.ask()
        self.by(BOB, "reject", request, "--reason", "not now")
        result = self.by_json(ALICE, "resume", run, code=4)
        self.assertEqual(("rejected", ["one"]), (result["result"], self.done()))
        self.assertIn("not now", result["error"])
        self.by(BOB, "approve", request, "--reason", "x", code=4)
        self.by(ALICE, "resume", run, code=4)

    def test_a_no_after_a_yes_counts_until_it_was_used(self):
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "ok")
        self.by(CAROL, "reject", request, "--reason", "stop")
        self.assertEqual("rejected", self.by_json(ALICE, "resume", run, code=4)["result"])
        self.assertEqual(["one"], self.done())

    def test_it_expires_and_that_is_a_no(self):
        self.expires()
        run, request = self.ask()
        self.later()
        self.by(BOB, "approve", request, "--reason", "x", code=4)
        self.assertEqual("rejected", self.by_json(ALICE, "resume", run, code=4)["result"])
        self.assertEqual(["one"], self.done())

    def test_a_yes_that_nobody_took_in_time_is_none(self):
        self.expires()
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x")
        self.later()
        self.assertEqual("rejected", self.by_json(ALICE, "resume", run, code=4)["result"])

    # ---- the ways around it ----

    def test_the_requester_never_approves(self):
        run, request = self.ask()
        for who in (request, run):
            self.by(ALICE, "approve", who, "--reason", "self", code=5)
        self.by(BOB, "approve", request, "--reason", "for alice", code=5, SUDO_UID=str(ALICE))
        self.by(ALICE, "approve", request, "--reason", "a name", code=5, USER="bob", LOGNAME="bob", SUDO_UID=str(BOB))
        self.by(ALICE, "resume", run, "--yes", "--confirm", "x", code=4)
        self.assertEqual(["one"], self.done())

    def test_flags_do_not_replace_others(self):
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", "--confirm", "x", "--reason", "r", code=4)
        self.assertEqual(["one"], self.done())

    def test_whoever_goes_on_with_it_is_a_requester_of_what_follows(self):
        self.steps(more=', approvals = 1, verify = function() return true end')
        path = os.path.join(self.books, "demo/two.lua")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace('"three", risk = "medium"', '"three", risk = "critical", key = "word", approvals = 1'))
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x")
        second = self.by_json(BOB, "resume", run, code=4)["approval"]["id"]
        self.by(ALICE, "approve", second, "--reason", "x", code=5)
        self.by(BOB, "approve", second, "--reason", "x", code=5)
        self.by(CAROL, "approve", second, "--reason", "x")

    def test_two_are_two(self):
        self.steps(more=", approvals = 2")
        run, request = self.ask()
        self.assertEqual(1, self.by_json(BOB, "approve", request, "--reason", "x")["left"])
        self.by(BOB, "approve", request, "--reason", "x", code=4)
        self.by(ALICE, "resume", run, code=4)
        self.by(CAROL, "approve", request, "--reason", "x")
        self.by(ALICE, "resume", run)
        self.assertEqual(["one", "three", "two-x"], self.done())

    def test_it_is_for_one_run(self):
        first, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x")
        second, other = self.ask()
        self.assertNotEqual(request, other)
        self.by(ALICE, "resume", second, code=4)
        self.assertEqual(["one"], self.done())

    def test_it_is_for_these_bytes_and_parameters(self):
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x")
        path = os.path.join(self.books, "demo/two.lua")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write(text.replace('"/two-"', '"/evil-"'))
        self.by(ALICE, "resume", run)
        self.assertEqual(["one", "three", "two-x"], self.done())  # the bytes are those of then

    def test_a_policy_asks_for_more_than_the_block(self):
        self.config('policy "two" { risk = "medium", runbooks = { "demo/*" }, approvals = 2, reason = true }')
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", "--wait", code=5)
        result = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", "--wait", "--reason", "r", code=4)
        self.assertEqual((2, []), (result["approval"]["needed"], self.done()))

    @staticmethod
    def window(begins, ends):
        """Hours from now; past midnight is meant."""
        text = [time.strftime("%H:%M", time.gmtime(time.time() + 3600 * h)) for h in (begins, ends)]
        return '{ from = "%s", to = "%s" }' % tuple(text)

    def test_outside_its_window_another_person_must_agree(self):
        self.env["TZ"] = "UTC"
        self.steps("high", "")
        go = ("exec", "demo/two", f"dir={self.work}", "--yes", "--confirm", "x")
        self.config('policy "nights" { risk = "high", window = %s }' % self.window(2, 4))
        result = self.by_json(ALICE, *go, code=4)
        self.assertEqual(["one"], self.done(), "no flag is enough")
        self.assertIn("--wait", result["next"][0]["argv"])
        os.unlink(self.work + "/one")
        out, _ = self.by(ALICE, *go, "--wait", code=4)
        self.assertIn("nights", out)
        request = self.by_json(ALICE, "approvals")["approvals"][0]
        self.assertEqual(("nights", 1), (request["outside"], request["needed"]))
        self.by(ALICE, "approve", request["id"], "--reason", "x", code=5)
        self.assertIn("nights", self.by(BOB, "approve", request["id"], "--reason", "x")[1])
        self.by(ALICE, "resume", request["run"])
        self.assertEqual(["one", "three", "two-x"], self.done())

    def test_inside_its_window_nothing_more_is_asked(self):
        self.env["TZ"] = "UTC"
        self.steps("high", "")
        self.config('policy "days" { risk = "high", window = { %s, %s } }' % (self.window(2, 4), self.window(-2, 2)))
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", "--confirm", "x")
        self.assertEqual(["one", "three", "two-x"], self.done())

    def test_a_window_of_another_risk_asks_nothing(self):
        self.env["TZ"] = "UTC"
        self.steps("high", "")
        self.config('policy "c" { risk = "critical", window = %s }' % self.window(2, 4))
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", "--confirm", "x")

    def test_only_users_with_the_role_may(self):
        self.config('user "b" { login = { "%d" }, roles = { "operator" } }\nuser "c" { login = { "%d" }, roles = { "approver" } }' % (BOB, CAROL))
        self.steps(more="")  # critical: where users are known, another one must agree
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x", code=5)
        self.by(CAROL, "approve", request, "--reason", "x")
        self.by(ALICE, "resume", run)

    def test_two_accounts_of_one_person_are_one(self):
        self.config('user "a" { login = { "%d", "%d" }, roles = { "approver" } }' % (ALICE, BOB))
        _, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x", code=5)

    def test_alone_it_is_the_plan_and_a_reason(self):
        self.steps(more="")
        result = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", code=4)
        plan = self.by_json(ALICE, *result["next"][0]["argv"][1:], code=3)["plan"]["id"]
        self.by(ALICE, "exec", "--plan", plan, code=5)
        os.unlink(self.work + "/one")
        plan = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "-n", code=3)["plan"]["id"]
        result = self.by_json(ALICE, "exec", "--plan", plan, "--reason", "alone")
        self.assertEqual("single", result["steps"][1]["confirmed"]["how"])

    def test_a_plan_does_not_replace_others(self):
        plan = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "-n", code=3)["plan"]["id"]
        result = self.by_json(ALICE, "exec", "--plan", plan, code=4)
        self.assertEqual(["one"], self.done())
        self.by(BOB, "approve", result["approval"]["id"], "--reason", "x")
        self.by(ALICE, "resume", result["run"])
        self.assertEqual(["one", "three", "two-x"], self.done())

    def test_a_folder_that_is_not_meant_to_be_shared_is_not(self):
        os.chmod(self.state, 0o770)
        self.by(ALICE, "exec", "demo/two", f"dir={self.work}", "--yes", code=10)

    # ---- many at once ----

    def test_races(self):
        """Everybody answers at the same moment, the requester too."""
        asked = []
        for i in range(RACES):
            folder = os.path.join(self.work, str(i))
            os.mkdir(folder)
            os.chmod(folder, 0o777)
            result = self.by_json(ALICE, "exec", "demo/two", f"dir={folder}", "--yes", "--wait", code=4)
            asked.append((result["run"], result["approval"]["id"]))
        won = attempts = 0
        for run, request in asked:
            children = [self.popen(uid, "approve", request, "--reason", "race") for uid in (BOB, CAROL, ALICE, BOB)]
            codes = [(child.communicate(timeout=180), child.returncode)[1] for child in children]
            attempts += len(codes)
            self.assertEqual(5, codes[2], codes)
            self.assertEqual(1, codes.count(0), codes)
            won += 1
        again = [self.popen(ALICE, "resume", asked[0][0]) for _ in range(4)]
        codes = [(child.communicate(timeout=180), child.returncode)[1] for child in again]
        self.assertIn(0, codes)
        with open(os.path.join(self.work, "0", "two-x")) as f:
            self.assertEqual("2", f.read())
        intents = [e for e in self.by(BOB, "audit", "export")[0].splitlines() if '"call.intent"' in e and '/0/two-x' in e]
        self.assertEqual(1, len(intents))
        print(f"\n{len(asked)} requests, {attempts} attempts at once: {won} winners, never the requester")

    # ---- the service ----

    def serve(self, uid):
        child = self.popen(uid, "serve", "-o", "jsonl")
        self.addCleanup(child.communicate)
        self.addCleanup(child.send_signal, signal.SIGTERM)
        return child

    def until(self, seen, seconds=120):
        end = time.monotonic() + seconds
        while not seen():
            if time.monotonic() > end:
                self.fail("it never came\n" + self.by(ALICE, "history")[0] + self.by(ALICE, "audit", "--limit", "20")[0])
            time.sleep(0.1)

    def test_the_service_goes_on_with_what_was_answered(self):
        self.serve(ALICE)
        run, request = self.ask()
        time.sleep(2)
        self.assertEqual(["one"], self.done())
        self.by(BOB, "approve", request, "--reason", "x")
        self.until(lambda: self.done() == ["one", "three", "two-x"])
        self.until(lambda: self.by_json(ALICE, "history")["runs"][0]["result"] == "done")

    def test_a_schedule_asks_once_and_goes_on(self):
        inbox = Inbox(self)
        self.config('policy "u" { unattended = "medium" }\nchannel "team" { kind = "webhook", url = "%s" }\n'
                    'severity "P2" { channels = { "team" } }\n' % inbox.url)
        path = self.book("demo/timed", '''runbook "demo/timed" { title = "Timed", severity = "P2", target = "timed" }
finding "bad" { title = "bad" }
check "look" { title = "look", run = function() if not file.stat("%s/good") then found "bad" end end }
fix "mend" { when = "bad", title = "mend", risk = "medium", no_undo = "-", approvals = 1, run = function() file.write("%s/good", "x") end }
schedule "often" { every = "2s", mode = "fix", allow = "medium" }
''' % (self.work, self.work))
        os.chmod(path, 0o644)
        self.serve(ALICE)
        self.until(lambda: self.by_json(BOB, "approvals")["approvals"])
        time.sleep(5)
        one, = self.by_json(BOB, "approvals")["approvals"]
        self.assertEqual("mend", self.by_json(BOB, "show", one["id"])["fix"])
        self.assertEqual([], self.done())
        self.by(BOB, "approve", one["id"], "--reason", "x")
        self.until(lambda: self.done() == ["good"])
        # Who was told that it waits is told that it does not any more, though that is no worse.
        self.until(lambda: len(inbox.messages) > 1)
        self.assertIn("approve", inbox.texts()[0])
        self.assertIn("found trouble and fixed it", inbox.texts()[1])

    def test_the_service_of_another_user_leaves_it_alone(self):
        run, request = self.ask()
        self.by(BOB, "approve", request, "--reason", "x")
        self.serve(CAROL)
        time.sleep(3)
        self.assertEqual(["one"], self.done())
        self.assertEqual("waiting", self.by_json(ALICE, "history")["runs"][0]["result"])

    def test_the_service_ends_what_expired_while_it_was_down(self):
        self.expires()
        run, request = self.ask()
        self.later()
        self.serve(ALICE)
        self.until(lambda: self.by_json(ALICE, "history")["runs"][0]["result"] == "rejected")
        self.assertEqual(["one"], self.done())

    def test_consent_and_questions_park_too(self):
        result = self.by_json(ALICE, "exec", "demo/two", f"dir={self.work}", "--wait", code=4)
        self.assertEqual(("waiting", []), (result["result"], self.done()))
        argv = result["next"][0]["argv"]
        self.assertEqual(["resume", result["run"], "--yes"], argv[-3:])
        result = self.by_json(ALICE, *argv[1:], code=4)
        self.assertEqual(["one"], self.done())
        self.assertIn("approval", result)



if __name__ == "__main__":
    unittest.main()
