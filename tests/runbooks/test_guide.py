"""runbook guide, by a person at a terminal, on a database that is really locked."""
import http.server
import json
import os
import re
import sqlite3
import threading
import time
import unittest

import lab
from terminal import Terminal

ESCALATION = """
channel "lead-phone" { kind = "webhook", url = "http://127.0.0.1:%d/" }
contact "lead" { title = "the lead on duty", phone = "555-0100", channel = "lead-phone" }
severity "P1" { within = "1h" }
severity "liqpass/P1" { within = "4s", escalate = { "lead" } }
"""


DISK = """
runbook "demo/disk" { title = { zh = "更换磁盘", en = "Replace a disk" }, severity = "P1", source = "hardware manual 4.2",
  quote = { zh = "拔错盘会丢数据。", en = "Pulling the wrong disk loses data." } }
param "dir" { type = "path", title = { zh = "目录", en = "folder" }, required = true }
step "pull" {
  title = { zh = "拔出坏盘", en = "pull the broken disk" }, why = { zh = "坏盘拖慢阵列", en = "it slows the array" },
  by_hand = { zh = "找到亮红灯的盘，拔出。", en = "Find the disk with the red light and pull it." },
  verify = function(p) return file.stat(p.dir .. "/pulled") ~= nil, { zh = "阵列仍报告 7 块盘", en = "the array reports 7 disks" } end,
}
step "note" { title = { zh = "登记序列号", en = "note the serial number" }, by_hand = { zh = "抄下来。", en = "Copy it." },
  asks = { serial = { type = "string", title = { zh = "序列号", en = "serial number" }, required = true } } }
step "mark" { title = { zh = "写下记录", en = "write it down" }, risk = "medium", no_undo = { zh = "留作记录", en = "it stays" },
  run = function(p, r) file.write(p.dir .. "/changed", r.note.serial) end }
"""


class AtTerminal(lab.Lab):
    def sit_down(self, *args, raw=False, **env):
        argv = [os.path.abspath(lab.RUNBOOK), *args]
        terminal = Terminal(self.dir, argv, {**self.environment(), **env}, raw=raw)
        self.addCleanup(terminal.close)
        return terminal

    def only_run(self):
        return json.loads(self.runbook("history", "-o", "json").stdout)["runs"][0]["run"]

    def events(self, run):
        return [json.loads(line) for line in self.runbook("logs", run, "-o", "jsonl").stdout.splitlines()]

    def looked(self, run):
        return [e["body"]["id"] for e in self.events(run) if e["t"] == "check.started"]

    def writes(self, run):
        return [e["body"]["verb"] for e in self.events(run) if e["t"] == "call.intent"]


class Guide(AtTerminal):
    def setUp(self):
        super().setUp()
        self.database()
        self.holder = self.client("BEGIN IMMEDIATE", "UPDATE orders SET state = 'lost'")

    def is_locked(self):
        db = sqlite3.connect(self.db, timeout=0)
        try:
            db.execute("BEGIN IMMEDIATE")
            return False
        except sqlite3.OperationalError:
            return True
        finally:
            db.close()

    def step(self, terminal, name, key, *more):
        """The step of that name stands whole on the screen; then the key."""
        screen = terminal.wait(r"\(%s\)\n.*\n> *\n*$" % name)
        self.assertRegex(screen, r"(Step|第) ?\d")
        terminal.type(key)
        for line in more:
            terminal.wait(r"(recorded|会记录)[^\n]*$|(recorded|会记录)[^\n]*\n*$")
            terminal.type(line)

    def test_chinese_from_a_symptom_through_a_broken_connection(self):
        t = self.sit_down("--lang", "zh", "guide")
        t.wait("你看到了什么")
        t.type("下单接口超时 ERROR database is locked")
        t.wait("可能是这些.*liqpass/db-locked.*症状.*database is locked")
        t.type("1")
        t.wait("回车 开始")
        t.type("b")  # the wrong one: back to what is seen
        t.wait(r"> b\n+你看到了什么")
        t.type("database is locked")
        t.wait("可能是这些.*liqpass/db-locked")
        t.type("1")
        t.wait(r"> 1\n.*回车 开始")
        t.type("db=" + self.db)
        t.wait(re.escape(self.db) + " .*回车 开始.*\n>")
        self.assertEqual([], json.loads(self.runbook("history", "-o", "json").stdout)["runs"], "it began unasked")
        t.type("")
        t.wait(r"\(file\)")
        run = self.only_run()
        self.assertEqual([], self.looked(run), "a check ran unasked")
        t.type("x")  # a wrong key
        t.wait("“x”不是这里的按键；什么都没有执行")
        self.assertEqual([], self.looked(run))
        self.step(t, "file", "")
        self.step(t, "lock", "")
        self.step(t, "holders", "b")  # back, and on again
        self.step(t, "lock", "")
        self.step(t, "holders", "")
        self.step(t, "content", "s", "磁盘太慢")
        self.step(t, "wal", "")
        self.step(t, "log", "")
        t.wait("看到了什么.*数据库写不进去.*没有检查： content.*磁盘太慢.*回车 继续")
        t.type("")
        t.wait("可以怎么处理.*stop-process.*不能撤销")
        t.type("")
        t.wait("将执行 stop-process.*system.stop.*输入 %d 才会执行" % self.holder.pid)
        t.type("")  # Enter is no consent here
        time.sleep(0.5)
        self.assertEqual(["file", "lock", "lock", "holders", "content", "wal", "log"], self.looked(run))
        self.assertEqual([], self.writes(run))
        t.lose()
        lab.wait_for(lambda: self.runbook("history", "-o", "json").stdout.find('"interrupted"') > 0)
        self.assertIsNone(self.holder.poll())
        self.assertTrue(self.is_locked())

        t = self.sit_down("--lang", "zh", "guide", "--resume", run)
        t.wait("将执行 stop-process.*输入 %d 才会执行" % self.holder.pid)
        self.assertRegex(t.all(), "(?s)到目前为止.*lock +有问题.*content +跳过")
        self.assertEqual([], self.writes(run))
        t.type("b")
        t.wait("可以怎么处理")
        t.type("1")
        t.wait("将执行 stop-process.*输入 %d" % self.holder.pid)
        t.type(str(self.holder.pid))
        t.wait(r"\[exit 0\]")
        shown = t.all()
        for words in ("已修复并通过验证", "看到的", "做过的", "没有做的", "磁盘太慢", "防止再次发生", "show %s -o md" % run):
            self.assertIn(words, shown)
        self.assertEqual(["file.mkdir", "sql.backup", "system.stop"], self.writes(run))
        self.assertEqual(lab.ROWS, self.count())
        self.assertIn("磁盘太慢", self.runbook("show", run, "-o", "md", "--lang", "zh").stdout)

    def test_english_left_and_taken_up_again(self):
        t = self.sit_down("guide", "db-locked", "db=" + self.db)
        t.wait("Enter begin")
        t.type("")
        self.step(t, "file", "?")
        t.wait("Nothing runs before this")
        self.step(t, "file", "")
        self.step(t, "lock", "m")
        t.wait("manual.*PRAGMA database_list")
        self.step(t, "lock", "")
        self.step(t, "holders", "c")
        t.wait('check "holders".*local l = r.lock.*q leave')
        t.type("q")
        t.wait(r"Left here.*guide --resume.*\[exit 4\]")
        run = self.only_run()
        self.assertEqual(["file", "lock"], self.looked(run))

        t = self.sit_down("resume", run)  # resume knows that it was a guided run
        t.wait(r"Taken up again.*lock.*\(holders\)")
        self.step(t, "holders", "")
        self.step(t, "content", "")
        self.step(t, "wal", "r")  # the one before it, again
        self.step(t, "wal", "")
        self.step(t, "log", "")
        t.wait("What was seen.*Enter go on")
        t.type("")
        t.wait("What can be done.*stop-process")
        t.type("s")
        t.wait(r"Why not\?.*$")
        t.type("the owner is on the way")
        t.wait(r"\[exit 3\]")
        shown = t.all()
        self.assertRegex(shown, "What was done\n +nothing")
        self.assertRegex(shown, "still there")
        self.assertEqual([], self.writes(run))
        self.assertEqual(["file", "lock", "holders", "content", "content", "wal", "log"], self.looked(run))
        self.assertTrue(self.is_locked())

    def test_a_paste_and_what_is_typed_ahead_run_nothing(self):
        t = self.sit_down("guide", "db-locked", "db=" + self.db)
        t.wait("Enter begin")
        t.paste("ERROR database is locked\n\n\n\n\n")
        t.wait("several lines came at once")
        t.type("")
        t.wait(r"\(file\)\n.*\n> *\n*$")
        t.paste("\n\n\n")
        t.wait("several lines came at once")
        time.sleep(0.5)
        self.assertEqual([], self.looked(self.only_run()))

    def test_a_pasted_log_is_one_description(self):
        t = self.sit_down("guide")
        t.wait("What do you see")
        t.paste("2026-01-01 ERROR order failed\n  at db.js:41\nSqliteError: database is locked\n")
        t.wait("1  liqpass/db-locked")
        t.type("zzqy xxkw")
        t.wait("No runbook is known for this")
        t.type("")
        t.wait("mall/stock-oversold.*or other words")  # the last of all of them
        t.type("q")
        t.wait("Nothing was done")

    def test_for_a_screen_reader(self):
        t = self.sit_down("guide", "db-locked", "db=" + self.db, raw=True, RUNBOOK_ACCESSIBLE="1")
        t.wait("1. begin\n2. change a parameter")
        t.type("1")
        t.wait(r"1\. run\n2\. skip\n")
        t.type("2")
        t.wait("Why not")
        t.type("not my part")
        t.wait(r"\(lock\)\n.*1\. run\n.*3\. back.*Type a number")
        t.type("1")
        t.wait(r"\(holders\)\n.*Type a number")
        with open(t.raw, "rb") as f:
            said = f.read()
        self.assertNotIn(b"\x1b[", said.replace(b"\x1b[?2004", b""))
        self.assertIn("passed over: not my part", t.all())

    def test_nobody_decides_in_time(self):
        inbox = []

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                inbox.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Hook) as hook:
            threading.Thread(target=hook.serve_forever, daemon=True).start()
            folder = os.path.join(self.home, "config", "runbook")
            os.makedirs(folder)
            with open(os.path.join(folder, "config.lua"), "w", encoding="utf-8") as f:
                f.write(ESCALATION % hook.server_address[1])
            t = self.sit_down("guide", "db-locked", "db=" + self.db)
            t.wait("Enter begin")
            t.type("")
            t.wait(r"P1: nothing was decided within 4.0s; turn to:\n +the lead on duty +555-0100.*told: lead-phone")
            t.type("b")  # what was asked still waits
            t.wait("is none of the keys here")
            t.type("")
            t.wait(r"P1: the time to answer \(4.0s\) is over.*\(lock\)")
            t.type("q")
            t.wait(r"\[exit 4\]")
            hook.shutdown()
        self.assertEqual(1, len(inbox))
        run = [r["run"] for r in json.loads(self.runbook("history", "-o", "json").stdout)["runs"]
               if r["runbook"] == "liqpass/db-locked"][0]
        told = json.dumps(inbox[0], ensure_ascii=False)
        self.assertIn("show " + run, told)
        self.assertEqual(1, len([e for e in self.events(run) if e["t"] == "escalated"]))
        shown = json.loads(self.runbook("show", run, "-o", "json").stdout)
        self.assertEqual([4, ["lead"]], [shown["within"], [c["name"] for c in shown["escalated"]["contacts"]]])
        self.assertRegex(self.runbook("show", run, "-o", "md").stdout, "answer within: P1 4.0s, escalated after")

    def test_without_a_terminal_it_says_so(self):
        done = self.runbook("guide", "db-locked")
        self.assertEqual(2, done.returncode)
        self.assertIn("exec RUNBOOK --diagnose", done.stderr)

    def test_a_guided_run_does_not_go_on_without_a_person(self):
        t = self.sit_down("guide", "db-locked", "db=" + self.db)
        t.wait("Enter begin")
        t.type("")
        t.wait(r"\(file\)\n.*\n>")
        t.lose()
        run = self.only_run()
        lab.wait_for(lambda: self.runbook("history", "-o", "json").stdout.find('"interrupted"') > 0)
        done = self.runbook("resume", run, "--no-input")
        self.assertEqual(4, done.returncode, done.stderr)
        self.assertIn("guide --resume " + run, done.stdout + done.stderr)
        self.assertEqual([], self.looked(run))


class ByHand(AtTerminal):
    """A procedure of what only a person can do."""

    def sit_down(self, *args, **more):
        folder = os.path.join(self.dir, "books", "demo")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "disk.lua"), "w", encoding="utf-8") as f:
            f.write(DISK)
        return super().sit_down(*args, **more, RUNBOOK_PATH=os.path.dirname(folder))

    def test_chinese_with_a_wrong_key_a_broken_connection_and_what_does_not_hold_yet(self):
        t = self.sit_down("--lang", "zh", "guide", "demo/disk", "dir=" + self.data)
        t.wait("回车 开始")
        t.type("")
        screen = t.wait("需人工处理：  拔出坏盘\n +找到亮红灯.*坏盘拖慢阵列.*y 已经做完.*\n>")
        self.assertNotIn("没有发现问题", screen, "nothing was looked at")
        run = self.only_run()
        t.type("z")
        t.wait("“z”不是这里的按键")
        t.type("")  # Enter says nothing here
        t.wait("> *\ny 已经做完[^\n]*\n> *\n*$")
        t.type("?")
        help = t.wait("y +已经做完；会问你做了什么.*离开；运行会等着.*\n>")
        self.assertNotIn("再做一遍", help.partition("> ?")[2], "a key that is not offered")
        t.type("m")
        t.wait("拔错盘会丢数据")
        t.type("y")
        t.wait("会记录）$|会记录）\n*$")
        t.type("拔了左边的")
        t.wait("! 验证 +pull +未通过验证.*核对没有通过：阵列仍报告 7 块盘\ny 已经做完.*\n>")
        t.lose()
        lab.wait_for(lambda: self.runbook("history", "-o", "json").stdout.find('"interrupted"') > 0)

        t = self.sit_down("--lang", "zh", "guide", "--resume", run)
        t.wait("核对没有通过：阵列仍报告 7 块盘\ny 已经做完.*\n>")
        with open(os.path.join(self.data, "pulled"), "w", encoding="utf-8"):
            pass
        t.type("y")
        t.wait("会记录）$|会记录）\n*$")
        t.type("换成右边的")
        t.wait("序列号: *\n*$")
        t.type("")  # one Enter too many
        t.wait("这里需要一个回答.*序列号: *\n*$")
        t.type("q")
        t.wait(r"已离开.*guide --resume.*\[exit 4\]")

        t = self.sit_down("--lang", "zh", "resume", run)
        screen = t.wait("到目前为止：\n +pull +完成.*序列号: *\n*$")
        self.assertNotIn("还没有执行过任何一步", screen)
        t.type("SN-42")
        screen = t.wait("将执行 mark  写下记录.*y 同意执行.*\n>")
        self.assertEqual(1, screen.count("将执行"), "the plan stands there twice")
        self.assertEqual([], self.writes(run))
        t.type("y")
        t.wait(r"\[exit 0\]")
        self.assertRegex(t.all(), r"做过的\n +pull +拔出坏盘 +完成\n +note +登记序列号 +完成\n(.*\n)*没有做的\n +无\n备注\n.*拔了左边的\n.*换成右边的")
        with open(os.path.join(self.data, "changed"), encoding="utf-8") as f:
            self.assertEqual("SN-42", f.read())

    def test_english_left_out_with_a_reason(self):
        t = self.sit_down("guide", "demo/disk", "dir=" + self.data)
        t.wait("Enter begin")
        t.type("")
        t.wait("By hand:  pull the broken disk.*y it is done.*\n>")
        t.type("s")
        t.wait(r"Why not[^\n]*\s*$")
        t.type("")  # no reason: stays
        t.wait("y it is done[^\n]*\n> *\n*$")
        t.type("y")
        t.wait("What did you do")
        t.type("pulled one")
        t.wait("does not hold yet: the array reports 7 disks.*\n>")
        t.type("s")
        t.wait(r"Why not[^\n]*\s*$")
        t.type("the shop is closed")
        t.wait(r"\[exit 1\]")
        self.assertRegex(t.all(), r"What was done\n +nothing\nWhat was not done\n +pull +pull the broken disk +not verified(.*\n)+"
                                  r"Notes\n +by hand, pull: pulled one\n +not done by hand, pull: the shop is closed")
        self.assertEqual([], self.writes(self.only_run()))


if __name__ == "__main__":
    unittest.main()
