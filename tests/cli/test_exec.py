"""exec from outside: what is printed where, exit codes, consent, and a person at a terminal."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab, greeting


class Exec(Lab):
    def setUp(self):
        super().setUp()
        self.hello = os.path.join(self.dir, "hello")
        self.book("demo/greeting", greeting())

    def test_found_without_a_terminal(self):
        done = self.run_it("exec", "greeting", f"dir={self.dir}", code=3)
        self.assertIn("finding missing " + self.hello, done.out)
        self.assertRegex(done.out, r"(?m)^result found ")
        self.assertIn("nothing was changed", done.out)
        self.assertIn("to go on:", done.err)
        self.assertIn("evidence:", done.err)
        self.assertFalse(os.path.exists(self.hello))

    def test_causes_stand_below_what_they_explain(self):
        open(os.path.join(self.dir, "hello.old"), "w").close()
        lines = self.run_it("exec", "greeting", f"dir={self.dir}", code=3).out.splitlines()
        at = next(i for i, l in enumerate(lines) if l.startswith("finding missing"))
        self.assertTrue(lines[at + 1].startswith("  finding moved"), lines)

    def test_next_leads_to_the_end(self):
        result = self.json("exec", "greeting", f"dir={self.dir}", code=3)
        argv = result["next"][0]["argv"]
        done = subprocess.run(argv, env=self.env, cwd="/", capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertTrue(os.path.exists(self.hello))
        self.assertEqual("fixed", json.loads(done.stdout)["result"])

    def test_what_nobody_agreed_to_is_still_next(self):
        """A fix that was named, without the word that its risk asks for: not done, said so, and one command away."""
        self.book("demo/greeting", greeting("high"))
        for word in (["--yes"], ["--confirm", "another"], []):
            done = self.run_it("exec", "greeting", f"dir={self.dir}", "--fix", "write-it", *word, code=3)
            self.assertIn("not done: nobody agreed to it", done.out)
            result = self.json("exec", "greeting", f"dir={self.dir}", "--fix", "write-it", *word, code=3)
            self.assertIn("--confirm", result["next"][0]["argv"])
            self.assertFalse(os.path.exists(self.hello))
        done = subprocess.run(result["next"][0]["argv"], env=self.env, cwd="/", capture_output=True, timeout=60)
        self.assertEqual(0, done.returncode, done.stderr)

    def test_a_key_that_nothing_has_is_told(self):
        """Keys are known once it was looked: then one that is not there ends it, with those that are, and nothing is done."""
        for fixes, words in ((["write-it=/else"], "--fix write-it=/else: there is no such key here now; not done; there is: write-it="),
                             (["write-it=" + self.hello, "write-it=/else"], "--fix write-it=/else: there is no such key")):
            named = [word for one in fixes for word in ("--fix", one)]
            done = self.run_it("exec", "greeting", f"dir={self.dir}", *named, "--yes", code=3)
            self.assertIn(words, done.err)
            self.assertIn("nothing was changed", done.out)
            result = self.json("exec", "greeting", f"dir={self.dir}", *named, "--yes", code=3)
            self.assertIn(words, result["error"])
            self.assertIn("write-it=" + self.hello, result["next"][0]["argv"])
            self.assertFalse(os.path.exists(self.hello))
            dry = self.run_it("exec", "greeting", f"dir={self.dir}", *named, "--dry-run", code=3)
            self.assertIn(words, dry.err)
        zh = self.run_it("--lang", "zh", "exec", "greeting", f"dir={self.dir}", "--fix", "write-it=/else", code=3)
        self.assertIn("--fix write-it=/else：现在没有这一项，没有执行", zh.err)
        self.run_it("exec", "greeting", f"dir={self.dir}", "--fix", "write-it=" + self.hello, "--yes", code=0)
        self.run_it("exec", "greeting", f"dir={self.dir}", "--fix", "write-it=/else", "--yes", code=0)  # all is well

    def test_what_only_a_person_can_do_is_told(self):
        self.book("demo/hand", '''runbook "demo/hand" { title = "t", severity = "P3", target = "a" }
step "call" { title = { zh = "打电话", en = "call them" }, by_hand = { zh = "拨 110", en = "dial 110, ask for the key" } }
''')
        self.book("demo/replace", '''runbook "demo/replace" { title = "t", severity = "P3", target = "b" }
finding "worn" { title = "worn disk {disk}", key = "disk" }
check "look" { title = "look", run = function() found("worn", { disk = "sda" }) end }
fix "replace" { when = "worn", title = "replace it", by_hand = "take {disk} out" }
''')
        for book, code, words in (("demo/hand", 4, "dial 110, ask for the key"), ("demo/replace", 3, "take sda out")):
            done = self.run_it("exec", book, code=code)
            self.assertIn("By hand:", done.out)
            self.assertIn("  " + words, done.out)
            self.assertIn(words, json.dumps(self.json("exec", book, code=code)["by_hand"]))
        self.assertIn("  拨 110", self.run_it("--lang", "zh", "exec", "demo/hand", code=4).out)

    def test_a_fix_that_nothing_asks_for_is_told(self):
        self.book("demo/greeting", greeting() + '''
finding "other" { title = "never found" }
fix "other-fix" { when = "other", title = "t", risk = "low", run = function() file.write("/nowhere/x", "") end }
''')
        done = self.run_it("exec", "greeting", f"dir={self.dir}", "--fix", "other-fix", "--yes", code=3)
        self.assertIn("--fix other-fix: nothing that it is for was found; not done", done.err)
        self.run_it("exec", "greeting", f"dir={self.dir}", "--fix", "other-fix", "--fix", "write-it", "--yes", code=0)

    def test_broken_drills_stop_no_repair(self):
        """A drill proves that a repair works; a broken one must be told to whoever drills, not to whoever repairs."""
        for name, text, words in (("lua", "drill 'x {\n", "demo/greeting.drills.lua:1"),
                                  ("field", 'drill "x" { expect = { "nothing" }, inject = function() end }\n', "nothing"),
                                  ("name", 'chekc "x" {}\n', "chekc"), ("endless", "while true do end\n", "demo/greeting.drills.lua"),
                                  ("open", "-- others may write it\n", "greeting.drills.lua")):
            with self.subTest(name):
                path = self.book("demo/greeting.drills", text)
                os.chmod(path, 0o666 if name == "open" else 0o644)
                self.run_it("exec", "greeting", f"dir={self.dir}", "--yes", code=0)
                os.unlink(self.hello)
                [entry] = [one for one in self.json("list")["runbooks"] if one["id"] == "demo/greeting"]
                self.assertEqual("ok", entry["status"])
                self.assertIn("its drills do not load", self.run_it("list", "greeting", code=0).out)
                self.assertIn(words, self.run_it("lint", "greeting", code=1).out)
                drill = self.run_it("drill", "greeting")
                self.assertEqual(6, drill.returncode, drill)
                self.assertIn(words, drill.err)

    def test_the_printed_command_works_in_a_shell(self):
        folder = os.path.join(self.dir, "it's a $folder")
        os.mkdir(folder)
        done = self.run_it("exec", "greeting", f"dir={folder}", code=3)
        command = re.search(r"to go on:  (.*?)    #", done.err).group(1)
        again = subprocess.run(["sh", "-c", command], env=self.env, cwd="/", capture_output=True, timeout=60)
        self.assertEqual(0, again.returncode, (command, again.stderr))
        self.assertTrue(os.path.exists(os.path.join(folder, "hello")))

    def test_relative_paths_and_the_folder_option(self):
        os.mkdir(os.path.join(self.dir, "sub"))
        result = self.json("-C", "sub", "exec", "greeting", "dir=.", code=3)
        self.assertEqual(os.path.join(self.dir, "sub"), os.path.normpath(result["params"]["dir"]))

    def test_yes_fixes_and_says_what_was_done(self):
        done = self.run_it("exec", "greeting", "-p", f"dir={self.dir}", "--yes", "--reason", "TEST-1", code=0)
        self.assertRegex(done.out, r"(?m)^result fixed ")
        self.assertIn("changed:  file.write", done.out)
        self.assertTrue(os.path.exists(self.hello))
        self.assertRegex(self.run_it("exec", "greeting", f"dir={self.dir}", code=0).out, r"(?m)^result healthy ")

    def test_what_only_an_operator_may_want_is_done_when_named(self):
        """Nothing stands, so nobody is asked; the fix that is for such a day is there all the same."""
        self.book("demo/asked", '''runbook "demo/asked" { title = "t", severity = "P3", target = "a" }
param "dir" { type = "path", required = true, title = "d" }
finding "gone" { title = "gone" }
check "look" { title = "look", run = function(p) if not file.stat(p.dir .. "/x") then found "gone" end end }
fix "reopen" { when = "asked", key = "dir", title = "reopen", risk = "medium", no_undo = "-",
  run = function(p) file.write(p.dir .. "/" .. (file.stat(p.dir .. "/broken") and "no/such" or "open"), "1") end }''')
        open(self.dir + "/x", "w").close()
        for flags in ([], ["--yes"], ["--fix", "other", "--yes"]):
            self.run_it("exec", "demo/asked", f"dir={self.dir}", *flags, "--no-input", code=2 if "other" in flags else 0)
            self.assertFalse(os.path.exists(self.dir + "/open"), flags)
        done = self.run_it("exec", "demo/asked", f"dir={self.dir}", "--fix", "reopen", "--yes", code=0)
        self.assertTrue(os.path.exists(self.dir + "/open"), done.out)
        open(self.dir + "/broken", "w").close()
        self.run_it("exec", "demo/asked", f"dir={self.dir}", "--fix", "reopen", "--yes", code=1)

    def test_a_fix_that_is_not_there_is_named_before_anything_is_looked_at(self):
        done = self.run_it("exec", "hello-gone", f"dir={self.dir}", "--fix", "write-if", "--yes", code=2)
        self.assertIn('no fix or step "write-if"', done.err + done.out)
        self.assertIn("write-it", done.err + done.out)
        self.assertIn("it has: write-it", self.run_it("exec", "hello-gone", f"dir={self.dir}", "--fix", "zzzzzzzz=1", code=2).err)

    def test_names_made_of_the_time_are_those_agreed_to(self):
        """The second now() of a block, too, is the one of the rehearsal, however long the answer took."""
        self.book("demo/names", '''runbook "demo/names" { title = "Names", severity = "P3" }
param "dir" { type = "path" }
step "write" { title = "write", risk = "low", run = function(p)
  shell.read { "sleep", "1.1" }
  for _, name in ipairs { "a", "b" } do file.write(("%s/%s-%d"):format(p.dir, name, now() // 1), name) end
end }''')
        self.run_it("exec", "demo/names", f"dir={self.dir}", "--yes", code=0)
        self.assertEqual(["a", "b"], sorted(n[0] for n in os.listdir(self.dir) if n[1:2] == "-"))

    def test_what_a_loop_did_is_one_line(self):
        self.book("demo/loop", '''runbook "demo/loop" { title = "Loop", severity = "P3" }
step "on" { title = "on", risk = "low", run = function() for _ = 1, 3 do shell.run { "true" } end shell.run { "echo" } end }''')
        done = self.run_it("exec", "demo/loop", "--yes", code=0)
        self.assertIn("changed:  shell.run  true  x3\nchanged:  shell.run  echo\n", done.out)

    def test_dry_run_says_so_and_writes_nothing(self):
        done = self.run_it("exec", "greeting", f"dir={self.dir}", "-n", code=3)
        lines = done.out.splitlines()
        self.assertTrue(lines[0].startswith("DRY RUN"), lines)
        self.assertTrue(lines[-1].startswith("DRY RUN"), lines)
        self.assertRegex(done.out, r"would write-it")
        self.assertIn("file.write", done.out)
        self.assertFalse(os.path.exists(self.hello))

    def test_exit_zero(self):
        self.run_it("exec", "greeting", f"dir={self.dir}", "--diagnose", "--exit-zero", code=0)

    def test_parameters_from_standard_input(self):
        result = self.json("exec", "greeting", "--param-file", "-", stdin=json.dumps({"dir": self.dir, "kind": "loud"}), code=3)
        self.assertEqual("loud", result["params"]["kind"])
        result = self.json("exec", "greeting", "--param-file", "-", "kind=plain", stdin=json.dumps({"dir": self.dir, "kind": "loud"}), code=3)
        self.assertEqual("plain", result["params"]["kind"])

    def test_json_is_one_object_and_nothing_else(self):
        done = self.run_it("exec", "greeting", f"dir={self.dir}", "-o", "json", "--yes", code=0)
        result = json.loads(done.out)
        self.assertEqual("runbook.run/1", result["schema"])
        self.assertEqual(("demo/greeting", "fixed", 0), (result["runbook"], result["result"], result["exit"]))
        self.assertEqual({"id", "result", "ms", "findings"}, {"id", "result", "ms", "findings"} & set(result["checks"][0]))
        finding = result["checks"][0]["findings"][0]
        self.assertEqual(("missing", "cleared"), (finding["id"], finding["state"]))
        self.assertEqual("write-it", result["fixes"][0]["id"])
        self.assertEqual([], result["next"])

    def test_jsonl_is_one_event_a_line(self):
        done = self.run_it("exec", "greeting", f"dir={self.dir}", "-o", "jsonl", "--yes", code=0)
        events = [json.loads(l) for l in done.out.splitlines()]
        kinds = [e["t"] for e in events]
        self.assertEqual(("run.started", "run.ended"), (kinds[0], kinds[-1]))
        self.assertLess(kinds.index("finding"), kinds.index("diagnosis"))

    def test_quiet_says_only_the_result(self):
        done = self.run_it("-q", "exec", "greeting", f"dir={self.dir}", "--yes", code=0)
        self.assertNotIn("check look", done.out)
        self.assertRegex(done.out, r"(?m)^result fixed ")

    def test_chinese(self):
        done = self.run_it("exec", "greeting", f"dir={self.dir}", "--lang", "zh", code=3)
        self.assertIn("没有文件 " + self.hello, done.out)
        self.assertIn("没有改动任何东西", done.out)
        self.assertIn("证据：", done.err)

    def test_a_file_that_does_not_load(self):
        self.book("demo/broken", 'runbook "demo/broken" { title = "B", severity = "P1"\n')
        done = self.run_it("exec", "demo/broken", code=6)
        self.assertRegex(done.err, r"broken\.lua:\d")

    def test_a_folder_others_may_write_is_refused(self):
        os.chmod(self.book("demo/open", greeting()), 0o666)
        self.run_it("exec", "demo/open", f"dir={self.dir}", code=5)

    def test_without_a_journal_nothing_is_done(self):
        with open(os.path.join(self.dir, "state"), "w") as f:
            f.write("in the way")
        self.run_it("exec", "greeting", f"dir={self.dir}", "--yes", code=10)
        self.assertFalse(os.path.exists(self.hello))

    def test_a_journal_that_is_removed_meanwhile_is_none(self):
        """It has lost its name: commits still succeed, and nobody would ever read them. The write under way is unknown, no other begins."""
        self.book("demo/gone", '''runbook "demo/gone" { title = "Gone", severity = "P3", target = "{dir}" }
param "dir" { type = "path", required = true, title = "d" }
step "one" { title = "one", risk = "low", run = function(p) shell.run { "rm", "-r", p.dir .. "/state" } end }
step "two" { title = "two", risk = "low", run = function(p) file.write(p.dir .. "/two", "") end }
''')
        done = self.run_it("exec", "demo/gone", f"dir={self.dir}", "--yes", code=9)
        self.assertIn("removed or replaced", done.err)
        self.assertFalse(os.path.exists(self.dir + "/two"))


class Told(Lab):
    def test_why_a_check_failed(self):
        self.book("demo/bad", '''runbook "demo/bad" { title = "Bad", severity = "P3" }
check "says" { title = "a", run = function() fail { zh = "坏了", en = "it is broken" } end }
check "raises" { title = "b", run = function() file.read("/no/such/file/here", { missing = "x" }) end }
check "after" { title = "c", run = function() ok "still looked at" end }
check "wrong" { title = "d", run = function()
  local nothing
  return nothing.at_all
end }
''')
        done = self.run_it("exec", "demo/bad", code=1)
        self.assertRegex(done.out, r"(?m)^check wrong  failed  attempt to index a nil value .*  \(demo/bad.lua:7\)  ")
        self.assertRegex(done.out, r"(?m)^check says  failed  it is broken")
        self.assertRegex(done.out, r"(?m)^check raises  failed  \S")
        self.assertRegex(done.out, r"(?m)^check after  ok  still looked at")
        run = re.search(r"show (r-\w+)", done.err).group(1)
        self.assertIn("it is broken", self.run_it("show", run, code=0).out)

    def test_live_output_is_clean_and_whole(self):
        self.book("demo/loud", '''runbook "demo/loud" { title = "Loud", severity = "P3" }
step "talk" { title = "talk", risk = "low", run = function()
  shell.run { sh = [[printf 'one\\n\\033[31mred\\033[0m \\345\\215'; sleep 0.3; printf '\\225\\r\\nbad \\377 byte']] }
end }
''')
        done = self.run_it("exec", "demo/loud", "--yes", code=0)
        self.assertIn("      one\n      \\x1b[31mred\\x1b[0m 单\n      bad \\xff byte", done.err)
        self.assertNotIn("one", done.out.split("\n")[-1])
        self.assertEqual("", self.run_it("-q", "exec", "demo/loud", "--yes", code=0).err)


class Terminal:
    """The program at a terminal of its own; read until a text comes, then type."""

    def __init__(self, test, *args, env=()):
        self.seen, self.test = "", test
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(test.dir)
            os.execve(RUNBOOK, [RUNBOOK, *args], {**test.env, "TERM": "dumb", **dict(env)})
        test.addCleanup(self.close)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, text, seconds=120):
        end = time.monotonic() + seconds
        while text not in self.seen:
            if time.monotonic() > end or not self.read(max(0.01, end - time.monotonic())):
                self.test.fail(f"no {text!r} in {self.seen!r}")
        self.seen = self.seen[self.seen.index(text) + len(text):]

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self, seconds=120):
        end, whole = time.monotonic() + seconds, self.seen
        while self.read(max(0.01, end - time.monotonic())):
            pass
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        self.test.fail(f"did not end: {whole!r}")


class AtATerminal(Lab):
    def setUp(self):
        super().setUp()
        self.hello = os.path.join(self.dir, "hello")

    def start(self, risk, *args):
        self.book("demo/greeting", greeting(risk))
        return Terminal(self, "exec", "greeting", f"dir={self.dir}", *args)

    def test_medium_yes(self):
        t = self.start("medium")
        t.expect("no file")
        t.expect("--fix FIX")
        t.expect("Choose [1-2, Enter = 2] ")
        t.type("1\n")
        t.expect("file.write")
        t.expect("cannot be undone")
        t.expect("--yes")
        t.expect("[y/N] ")
        t.type("y\n")
        t.expect("fixed and verified")
        self.assertEqual(0, t.end())
        self.assertTrue(os.path.exists(self.hello))

    def test_medium_enter_is_no(self):
        t = self.start("medium")
        t.expect("Choose")
        t.type("1\n")
        t.expect("[y/N] ")
        t.type("\n")
        t.expect("nothing was changed")
        self.assertEqual(3, t.end())
        self.assertFalse(os.path.exists(self.hello))

    def test_choose_nothing_and_choose_nonsense(self):
        t = self.start("medium")
        t.expect("Choose")
        t.type("7\n")
        t.expect("a number from 1 to 2")
        t.expect("Choose")
        t.type("\n")
        t.expect("next:")
        self.assertEqual(3, t.end())

    def test_high_is_typed(self):
        t = self.start("high")
        t.expect("Choose")
        t.type("1\n")
        t.expect("--confirm")
        t.expect("Type " + self.hello)
        t.type("y\n")
        t.expect("nothing was changed")
        self.assertEqual(3, t.end())
        t = self.start("high")
        t.expect("Choose")
        t.type("1\n")
        t.expect("Type " + self.hello)
        t.type(self.hello + "\n")
        t.expect("fixed and verified")
        self.assertEqual(0, t.end())

    def test_end_of_input_is_no(self):
        t = self.start("medium")
        t.expect("Choose")
        t.type("\x04")
        t.expect("nothing was changed")
        self.assertEqual(3, t.end())

    def test_ctrl_c_at_a_question(self):
        t = self.start("medium")
        t.expect("Choose")
        t.type("\x03")
        t.expect("Ctrl-C again")
        self.assertEqual(130, t.end())
        self.assertFalse(os.path.exists(self.hello))

    def test_no_input_at_a_terminal(self):
        t = self.start("medium", "--no-input")
        t.expect("result found")
        self.assertEqual(3, t.end())

    def test_machine_output_never_asks(self):
        t = self.start("medium", "-o", "json")
        t.expect('"schema"')
        self.assertEqual(3, t.end())

    def test_questions_of_a_step(self):
        self.book("demo/ask", '''runbook "demo/ask" { title = "Ask", severity = "P3" }
step "choose" {
  title = "choose", by_hand = "look at both", asks = {
    color = { type = "string", title = "Which colour", choices = { "red", "blue" } },
    size = { type = "string", title = "Which size", default = "big" },
  },
}
step "write" {
  title = "write", risk = "low",
  run = function(p, r) file.write("%s/answer", r.choose.color .. " " .. r.choose.size) end,
}
''' % self.dir)
        t = Terminal(self, "exec", "demo/ask")
        t.expect("look at both")
        t.expect("--answer choose.")
        t.expect("Which ")
        for _ in range(2):
            if t.seen.startswith("colour") or "colour" in t.seen:
                t.expect(": ")
                t.type("2\n")
            else:
                t.expect("[big]: ")
                t.type("\n")
            if _ == 0:
                t.expect("Which ")
        t.expect("done")
        self.assertEqual(0, t.end())
        with open(os.path.join(self.dir, "answer")) as f:
            self.assertEqual("blue big", f.read())


class Narrow(Lab):
    """80 columns: no line is wider, none is blank, and what must be typed again is whole."""

    def lines(self, *args, columns):
        t = Terminal(self, *args, env={"COLUMNS": str(columns)})
        self.assertEqual(0, t.end())
        return t.seen.replace("\r", "").splitlines()

    def test_tables(self):
        self.book("demo/greeting", greeting())
        folder = os.path.join(self.dir, "a-folder-with-a-rather-long-name-of-its-own")
        os.mkdir(folder)
        run = self.json("exec", "greeting", f"dir={folder}", code=3)["run"]
        for columns in (60, 80, 100):
            for lines in (self.lines("history", columns=columns), self.lines("list", columns=columns)):
                self.assertTrue(all(l.strip() and len(l) <= columns for l in lines), lines)
            self.assertTrue(any(l.startswith(run + "  ") for l in self.lines("history", columns=columns)))
            self.assertTrue(any("demo/greeting" in l for l in self.lines("history", columns=columns)))
        [line] = [l for l in self.lines("history", columns=200) if l.startswith(run)]
        self.assertIn(folder, line)


class Signals(Lab):
    long = "180.%d" % os.getpid()  # not that of another test

    def test_sigterm_ends_the_command_that_runs(self):
        self.book("demo/slow", '''runbook "demo/slow" { title = "Slow", severity = "P3" }
check "wait" { title = "wait", run = function() shell.read({ "sleep", "%s" }, { timeout = "190s" }) end, timeout = "200s" }
''' % self.long)
        done = subprocess.Popen([RUNBOOK, "exec", "demo/slow", "-o", "json"], env=self.env, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and not self.sleeping():
            time.sleep(0.05)
        self.assertTrue(self.sleeping())
        done.send_signal(signal.SIGTERM)
        out, _ = done.communicate(timeout=60)
        self.assertEqual(143, done.returncode)
        self.assertEqual("aborted", json.loads(out)["result"])
        self.assertFalse(self.sleeping())

    def sleeping(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    if f.read() == b"sleep\0" + self.long.encode() + b"\0":
                        return True
            except OSError:
                pass
        return False


class Drill(Lab):
    def test_table_and_keys(self):
        self.book("demo/greeting", greeting())
        self.book("demo/greeting.drills", '''
drill "gone" {
  inject = function(d) d:set { dir = d.dir } end,
  expect = { "missing" }, repair = "write-it",
}
drill "wrong" {
  inject = function(d) d:set { dir = d.dir } file.write(d.dir .. "/hello", "x") end,
  expect = { "missing" }, repair = "write-it",
}
''')
        found = self.json("drill", "greeting", code=1)["drills"]
        self.assertEqual([("gone", "passed"), ("wrong", "failed")], [(d["drill"], d["result"]) for d in found])
        for key in ("runbook", "drill", "found_ms", "repaired_ms", "result"):
            self.assertIn(key, found[0])
        self.assertIsInstance(found[0]["found_ms"], int)
        done = self.run_it("drill", "demo/greeting/gone", code=0)
        self.assertIn("1 passed, 0 failed", done.out)
        self.run_it("drill", "demo/greeting/none", code=2)
        tap = self.run_it("drill", "greeting", "-o", "tap", code=1).out
        self.assertIn("\nok 1 - demo/greeting/gone", tap)
        self.assertIn("\nnot ok 2 - demo/greeting/wrong", tap)
        [listed] = [r for r in self.json("list")["runbooks"] if r["id"] == "demo/greeting"]
        self.assertIsNotNone(listed["last_drill"])
        self.assertIsNone(listed["last_run"])


if __name__ == "__main__":
    unittest.main()
