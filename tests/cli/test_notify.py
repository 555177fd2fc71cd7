"""notify from a runbook through a real config.lua: the exact payload at local fakes, the console, and `runbook notify test`."""
import json
import os
import subprocess
import sys
import unittest

from lab import SOURCE
from test_config import Config

BOOK = '''runbook "demo/tell" { title = { zh = "告警", en = "alarm" }, severity = "P1", target = "x" }
param "to" { type = "string", required = true }
step "tell" { title = "tell", risk = "low", run = function(p)
  notify(p.to, { level = "P1", lang = "en", title = "session 4711 blocks 7", facts = { { "table", "shop.orders" } },
    text = "rolls back <!channel>", links = { { label = "open", url = "https://wiki.corp/db" } }, target = "orders",
    dedup = "db-locked/4711" })
end }
'''
TITLE = "[P1] session 4711 blocks 7"


class Notify(Config):
    def setUp(self):
        super().setUp()
        self.chat = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/bindings/peers/chat.py")],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.stop)
        self.port = json.loads(self.chat.stdout.readline())["port"]
        self.book("demo/tell", BOOK)

    def stop(self):
        self.chat.stdin.close()
        self.chat.wait(20)
        self.chat.stdout.close()

    def seen(self):
        return json.loads(self.chat.stdout.readline())

    def channels(self):
        at = f"http://127.0.0.1:{self.port}"
        self.config(f'''
secret "slack" {{ env = "T_SLACK" }}
secret "token" {{ env = "T_TOKEN" }}
secret "ding" {{ env = "T_DING" }}
secret "feishu" {{ env = "T_FEISHU" }}
secret "hook" {{ env = "T_HOOK" }}
channel "slack" {{ kind = "slack", url = {{ secret = "slack" }} }}
channel "telegram" {{ kind = "telegram", url = "{at}", token = {{ secret = "token" }}, chat = "-100", topic = 42, silent = true }}
channel "wecom" {{ kind = "wecom", url = "{at}/wecom/ok?key=k" }}
channel "dingtalk" {{ kind = "dingtalk", url = "{at}/dingtalk/ok?access_token=t", sign = {{ secret = "ding" }}, keyword = "ALARM" }}
channel "feishu" {{ kind = "feishu", url = "{at}/feishu/ok", sign = {{ secret = "feishu" }}, card = "2.0" }}
channel "pagerduty" {{ kind = "pagerduty", url = "{at}/pagerduty/ok", token = {{ secret = "token" }} }}
channel "webhook" {{ kind = "webhook", url = "{at}/webhook/ok", sign = {{ secret = "hook" }}, headers = {{ ["X-Team"] = "dba" }} }}
channel "gone" {{ kind = "slack", url = "{at}/slack/gone" }}
channel "wrong" {{ kind = "dingtalk", url = "{at}/dingtalk/ok?access_token=t", sign = {{ secret = "token" }} }}
''')
        self.env.update(T_SLACK=f"{at}/slack/ok-0123456789", T_TOKEN="123456:ABCDEFGH", T_DING="SECtest", T_FEISHU="feishu-test",
                        T_HOOK="whsec_MDEyMzQ1Njc4OWFiY2RlZg==")

    def tell(self, to, code=0):
        return self.json("exec", "demo/tell", "to=" + to, "--yes", "--no-input", code=code)

    def test_each_vendor_gets_what_its_document_says(self):
        self.channels()
        bodies, requests = {}, {}
        for kind in ("slack", "telegram", "wecom", "dingtalk", "feishu", "pagerduty", "webhook"):
            with self.subTest(kind):
                self.tell(kind)
                requests[kind] = self.seen()
                bodies[kind] = json.loads(requests[kind]["body"])
                self.assertEqual("application/json; charset=utf-8", requests[kind]["headers"]["content-type"])
        slack = bodies["slack"]
        self.assertEqual({"type": "header", "text": {"type": "plain_text", "text": "session 4711 blocks 7"}}, slack["blocks"][0])
        self.assertEqual([{"type": "mrkdwn", "text": "*table*\nshop.orders"}], slack["blocks"][1]["fields"])
        self.assertEqual("rolls back &lt;!channel&gt;", slack["blocks"][2]["text"]["text"])
        self.assertEqual("https://wiki.corp/db", slack["blocks"][3]["elements"][0]["url"])
        self.assertTrue(slack["text"].startswith(TITLE))
        telegram = bodies["telegram"]
        self.assertEqual("/bot123456:ABCDEFGH/sendMessage", requests["telegram"]["path"])
        self.assertEqual((-100, 42, True, "HTML"), tuple(telegram[k] for k in ("chat_id", "message_thread_id", "disable_notification",
                                                                               "parse_mode")))
        self.assertIn(f"<b>{TITLE}</b>", telegram["text"])
        self.assertIn("&lt;!channel&gt;", telegram["text"])
        self.assertEqual("markdown", bodies["wecom"]["msgtype"])
        self.assertIn(TITLE, bodies["wecom"]["markdown"]["content"])
        self.assertIn("ALARM", bodies["dingtalk"]["markdown"]["title"] + bodies["dingtalk"]["markdown"]["text"])
        self.assertIn("sign=", requests["dingtalk"]["query"])
        self.assertEqual(("interactive", "2.0"), (bodies["feishu"]["msg_type"], bodies["feishu"]["card"]["schema"]))
        pager = bodies["pagerduty"]
        self.assertEqual(("trigger", "123456:ABCDEFGH", "db-locked/4711"), tuple(pager[k] for k in ("event_action", "routing_key", "dedup_key")))
        self.assertEqual(("critical", "orders"), (pager["payload"]["severity"], pager["payload"]["source"]))
        self.assertEqual("dba", requests["webhook"]["headers"]["x-team"])
        self.assertRegex(requests["webhook"]["headers"]["webhook-signature"], "^v1,")

    def test_without_a_channel_it_is_this_terminal(self):
        done = self.run_it("exec", "demo/tell", "to=oncall", "--yes", "--no-input", code=0)
        self.assertIn(TITLE, done.err)
        self.assertIn("table: shop.orders", done.err)
        done = self.run_it("notify", "test", "oncall", code=0)
        self.assertIn("config.lua", done.err)
        self.assertIn("(console)", done.out)

    def test_a_name_that_is_none_of_the_configured(self):
        self.channels()
        self.assertIn("did you mean 'slack'?", json.dumps(self.tell("slak", code=1)))
        done = self.run_it("notify", "test", "slak", code=1)
        self.assertIn("did you mean 'slack'?", done.err)

    def test_a_channel_is_tried(self):
        self.channels()
        done = self.run_it("notify", "test", "slack", "--message", "drill at 15:00", code=0)
        self.assertIn("/slack/***", done.out)
        self.assertNotIn("ok-0123456789", done.out + done.err)
        sent = self.seen()["body"]
        self.assertIn("[P4] drill at 15:00", sent)
        self.assertIn(sent, done.out)
        self.assertIn("200  ok", done.out)
        out = self.json("notify", "test", "telegram")
        self.assertEqual((True, 200, "77"), (out["sent"], out["reply"]["status"], out["reply"]["id"]))
        self.assertIn("/bot***/sendMessage", out["request"]["url"])
        self.assertIn("测试消息", self.run_it("notify", "test", "wecom", "--lang", "zh", code=0).out)

    def test_print_sends_nothing(self):
        self.channels()
        done = self.run_it("notify", "test", "dingtalk", "--print", code=0)
        self.assertIn('"msgtype":"markdown"', done.out)
        self.assertIn("not sent", done.out)
        self.assertNotIn("access_token=t", done.out)
        self.assertFalse(self.json("notify", "test", "slack", "--print")["sent"])
        self.run_it("notify", "test", "wecom", code=0)
        self.assertEqual("/wecom/ok", self.seen()["path"])  # the first that came

    def test_what_to_fix(self):
        self.channels()
        for name, words, cure in (("gone", "no_service", "check url, token"), ("wrong", "310000", "security settings")):
            done = self.run_it("notify", "test", name, code=1)
            self.assertIn(words, done.err)
            self.assertIn(cure, done.err)
            self.assertIn("request", done.out)
        self.run_it("notify", "tset", "gone", code=2)
        self.run_it("notify", "test", code=2)


if __name__ == "__main__":
    unittest.main()
