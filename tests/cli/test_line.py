"""The command line itself: where options stand, slips of the pen, help, language, colours."""
import json
import os
import subprocess
import unicodedata
import unittest

from lab import RUNBOOK, Lab, greeting


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Usage(Lab):
    def test_options_stand_before_and_after(self):
        self.book("demo/greeting", greeting())
        a = self.run_it("-o", "json", "list", code=0).out
        b = self.run_it("list", "-o", "json", code=0).out
        c = self.run_it("list", "--json", code=0).out
        self.assertEqual(a, b)
        self.assertEqual(a, c)

    def test_a_misspelt_command_is_not_run(self):
        done = self.run_it("lst", code=2)
        self.assertIn("runbook list", done.err)
        self.assertEqual("", done.out)

    def test_a_misspelt_option_names_the_likely_one(self):
        done = self.run_it("exec", "x", "--dry-rum", code=2)
        self.assertIn("--dry-run", done.err)

    def test_a_misspelt_runbook_names_the_likely_one(self):
        self.book("demo/greeting", greeting())
        for command in ("exec", "show"):
            done = self.run_it(command, "greetng", code=2)
            self.assertIn("greeting", done.err, command)

    def test_a_runbook_is_no_command(self):
        self.book("demo/greeting", greeting())
        done = self.run_it("greeting", code=2)
        self.assertIn("runbook exec greeting", done.err)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "state", "runbook", "journal.db")))

    def test_what_is_missing_is_said(self):
        for args in (["exec"], ["find"], ["show"], ["logs"], ["drill"], ["completion"], ["audit", "nonsense"],
                     ["history", "--limit", "x"], ["history", "--limit", "0"], ["history", "--last", "soon"],
                     ["list", "--output"], ["list", "-o", "xml"], ["exec", "x", "-o", "junit"], ["history", "-o", "tap"], ["list", "--fix", "a"], ["-C", "/nowhere", "list"],
                     ["exec", "=x"], ["help", "nonsense-topic"], ["lint", "nothing-there"]):
            done = self.run_it(*args, code=2)
            self.assertTrue(done.err.startswith("runbook: "), args)
            self.assertEqual("", done.out, args)

    def test_a_parameter_that_is_not_declared(self):
        self.book("demo/greeting", greeting())
        done = self.run_it("exec", "greeting", "dri=/tmp", code=2)
        self.assertIn("dir", done.err)
        self.assertEqual("", done.out)

    def test_a_parameter_file_that_holds_no_object(self):
        self.book("demo/greeting", greeting())
        for text in ("[1]", "{", ""):
            self.run_it("exec", "greeting", "--param-file", "-", stdin=text, code=2)

    def test_another_folder_first(self):
        os.mkdir(os.path.join(self.dir, "sub"))
        os.mkdir(os.path.join(self.dir, "sub", "other"))
        with open(os.path.join(self.dir, "sub", "other", "one.lua"), "w") as f:
            f.write('runbook "one" { title = "One", severity = "P3" }\n'
                    'check "a" { title = "A", run = function() ok("fine") end }\n')
        ids = [r["id"] for r in self.json("-C", "sub", "--runbooks", "other", "list")["runbooks"]]
        self.assertIn("one", ids)

    def test_full_disk_is_no_success(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([RUNBOOK, "help"], stdout=full, stderr=subprocess.PIPE, env=self.env, timeout=60)
        self.assertEqual(1, done.returncode)
        self.assertIn(b"results", done.stderr)

    def test_a_closed_pipe_is_no_failure(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([RUNBOOK, "help"], stdout=writer, stderr=subprocess.PIPE, env=self.env, timeout=60)
        os.close(writer)
        self.assertEqual((0, b""), (done.returncode, done.stderr))

    def test_closed_streams_are_not_given_to_the_journal(self):
        self.book("demo/greeting", greeting())
        command = f'exec "{RUNBOOK}" exec greeting dir="{self.dir}" --diagnose 0<&- 1>&- 2>&-'
        done = subprocess.run(["sh", "-c", command], env=self.env, timeout=60)
        self.assertEqual(3, done.returncode)
        self.assertTrue(self.json("audit", "verify")["ok"])


class Help(Lab):
    def test_all_forms(self):
        whole = self.run_it("--help", code=0).out
        self.assertEqual(whole, self.run_it("help", code=0).out)
        self.assertEqual(whole, self.run_it("-h", code=0).out)
        one = self.run_it("help", "exec", code=0).out
        self.assertIn("--dry-run", one)
        self.assertEqual(one, self.run_it("exec", "-h", code=0).out)
        self.assertEqual(one, self.run_it("exec", "--help", code=0).out)

    def test_help_at_the_end_wins(self):
        one = self.run_it("help", "exec", code=0).out
        self.assertEqual(one, self.run_it("exec", "no-such", "--nonsense", "-o", "xml", "-h", code=0).out)

    def test_no_arguments(self):
        done = self.run_it(code=0)
        self.assertIn("runbook exec", done.out)
        self.assertLess(done.out.count("\n"), 16)

    def test_topics(self):
        codes = self.run_it("help", "exit-codes", code=0).out
        for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 124, 130, 143):
            self.assertRegex(codes, rf"(?m)^{code}\s+\S")
        self.assertIn("RUNBOOK_PATH", self.run_it("help", "environment", code=0).out)
        self.assertIn("finding", self.run_it("help", "blocks", code=0).out)
        self.assertIn("shell.read", self.run_it("help", "verbs", code=0).out)

    def test_block_verb_and_runbook(self):
        self.book("demo/greeting", greeting())
        self.assertIn("explains", self.run_it("help", "finding", code=0).out)
        self.assertIn("timeout", self.run_it("help", "shell.run", code=0).out)
        self.assertIn("DEMO-001", self.run_it("help", "greeting", code=0).out)

    def test_every_command_has_help_in_both_languages(self):
        names = ["list", "find", "show", "exec", "history", "logs", "audit", "drill", "lint", "doctor", "help",
                 "completion", "version"]
        for lang in ("en", "zh"):
            for name in names:
                out = self.run_it("help", name, "--lang", lang, code=0).out
                self.assertEqual(lang == "zh", any("\u4e00" <= c <= "\u9fff" for c in out), (lang, name))

    def test_reference_for_the_manual(self):
        for what, word in (("blocks", "## finding"), ("verbs", "### shell.read"), ("commands", "## runbook exec")):
            self.assertIn(word, self.run_it("__docs", what, code=0).out)

    def test_version(self):
        line = self.run_it("version", code=0).out
        self.assertRegex(line, r"^runbook \d+\.\d+\.\d+\n$")
        self.assertEqual(line, self.run_it("--version", code=0).out)


class Looks(Lab):
    def test_language_by_option_and_environment(self):
        zh, en = "没有运行记录", "no runs"
        self.assertIn(en, self.run_it("history", code=0).err)
        self.assertIn(zh, self.run_it("history", "--lang", "zh", code=0).err)
        self.assertIn(zh, self.run_it("history", env={"LANG": "zh_CN.UTF-8"}).err)
        self.assertIn(zh, self.run_it("history", env={"LC_ALL": "zh_CN.UTF-8"}).err)
        self.assertIn(en, self.run_it("history", env={"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}).err)
        self.assertIn(zh, self.run_it("history", env={"RUNBOOK_LANG": "zh", "LC_ALL": "en_US.UTF-8"}).err)
        self.assertIn(en, self.run_it("history", "--lang", "en", env={"RUNBOOK_LANG": "zh"}).err)
        self.assertIn("未知命令", self.run_it("lst", "--lang=zh", code=2).err)

    def test_no_colour_in_a_pipe_and_colour_when_forced(self):
        self.assertNotIn("\x1b", self.run_it("help").out)
        self.assertIn("\x1b[1m", self.run_it("help", "--color", "always").out)
        self.assertIn("\x1b[1m", self.run_it("help", env={"CLICOLOR_FORCE": "1"}).out)
        self.assertNotIn("\x1b", self.run_it("help", env={"CLICOLOR_FORCE": "0"}).out)
        self.assertNotIn("\x1b", self.run_it("help", env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}).out)
        self.assertIn("\x1b", self.run_it("help", env={"CLICOLOR_FORCE": "1", "NO_COLOR": ""}).out)
        self.assertNotIn("\x1b", self.run_it("help", "--no-color", env={"CLICOLOR_FORCE": "1"}).out)

    def test_marks_without_unicode(self):
        self.assertIn("✓", self.run_it("audit", "verify", code=0).out)
        self.assertIn("[ok]", self.run_it("audit", "verify", "--ascii", code=0).out)
        self.assertIn("[ok]", self.run_it("audit", "verify", env={"LANG": "C"}, code=0).out)

    def test_columns_are_aligned_by_display_width(self):
        self.book("demo/a", 'runbook "demo/a" { title = "数据库锁等待", severity = "P1" }\n'
                            'check "a" { title = "A", run = function() ok("x") end }\n')
        self.book("demo/bb", 'runbook "demo/bb" { title = "Disk", severity = "P2" }\n'
                             'check "a" { title = "A", run = function() ok("x") end }\n')
        lines = [l for l in self.run_it("list", "demo/", "--lang", "zh", code=0).out.splitlines() if l]
        ends = {width(l[:l.rindex("从未")]) for l in lines if "从未" in l}
        self.assertEqual(1, len(ends), lines)
        self.assertEqual(ends, {width(lines[0][:lines[0].rindex("上次演练")])})


class Complete(Lab):
    def words(self, *line):
        return dict(l.split("\t") for l in self.run_it("__complete", "--", *line, code=0).out.splitlines())

    def test_commands_and_options(self):
        self.assertIn("exec", self.words("ex"))
        self.assertNotIn("list", self.words("ex"))
        self.assertIn("--dry-run", self.words("exec", "--d"))
        self.assertNotIn("--dry-run", self.words("list", "--d"))
        self.assertEqual({"zh", "en"}, set(self.words("list", "--lang", "")))
        self.assertEqual({}, {k: v for k, v in self.words("__").items()})

    def test_runbooks_with_titles_and_parameters_with_choices(self):
        self.book("demo/greeting", greeting())
        self.assertEqual("The file hello is gone", self.words("exec", "demo/g")["demo/greeting"])
        self.assertIn("hello-gone", self.words("exec", "hel"))
        self.assertEqual({"dir=": "folder", "kind=": "tone"}, self.words("exec", "greeting", ""))
        self.assertEqual({"kind=plain", "kind=loud"}, set(self.words("exec", "greeting", "kind=")))

    def test_runs(self):
        self.book("demo/greeting", greeting())
        run = self.json("exec", "greeting", f"dir={self.dir}", "--diagnose", code=3)["run"]
        self.assertIn(run, self.words("logs", "r-"))
        self.assertIn(run, self.words("show", "r-"))
        self.assertIn(run, self.words("audit", "--run", "r-"))

    def test_scripts_load(self):
        for shell in ("bash", "zsh", "fish"):
            script = self.run_it("completion", shell, code=0).out
            self.assertIn("__complete", script)
        done = subprocess.run(["bash", "-n"], input=self.run_it("completion", "bash").stdout, capture_output=True)
        self.assertEqual((0, b""), (done.returncode, done.stderr))

    def test_bash_offers_ids(self):
        self.book("demo/greeting", greeting())
        folder = os.path.join(self.dir, "bin")
        os.mkdir(folder)
        os.symlink(RUNBOOK, os.path.join(folder, "runbook"))
        line = ('eval "$(runbook completion bash)"; COMP_WORDS=(runbook exec demo/); COMP_CWORD=2; _runbook; '
                'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60,
                              env={**self.env, "PATH": folder + ":" + self.env["PATH"]})
        self.assertIn("demo/greeting", done.stdout.split(), done.stderr)


if __name__ == "__main__":
    unittest.main()
