"""Parameters are data: each payload arrives as it is, or is refused, in every sink that a runbook can put it into."""
import http.server
import json
import os
import sqlite3
import subprocess
import sys
import threading
import unittest
import urllib.parse

from lab import RUNBOOK, SOURCE
from test_config import Config

PAYLOADS = [
    # shell
    "; touch PWNED", "$(touch PWNED)", "`touch PWNED`", "| touch PWNED", "&& touch PWNED", "> PWNED", "-n", "--help", "--", "-rf /", "*", "~root",
    "${IFS}", "$HOME", "a b  c", "'", '"', "\\", "'; touch PWNED; '", "\n touch PWNED\n", "!!", "#", "%s%n%d",
    # SQL
    "' OR '1'='1", "'; DROP TABLE t; --", "\"; DROP TABLE t; --", "1; ATTACH 'x' AS y", "/* */", "--", "NULL", "?", "?1", ":a", "0x27",
    # CR and LF, headers, mail
    "a\r\nX-Injected: 1", "a\nBcc: victim@corp.cn", "a\r\n\r\n.\r\nMAIL FROM:<x@y>", "\r", "a\r\n.\r\nQUIT", "=?UTF-8?B?eA==?=",
    # URLs and paths
    "../../etc/passwd", "../escaped", "..", ".", "/etc/passwd", "a/../../b", "%2e%2e%2f", "%00", "a?b=c&d=e", "a#b", "http://e.vil/", "@e.vil", "a;b=c", "//e.vil/x",
    "file:///etc/passwd", "[::1]", "\\\\host\\share",
    # chat
    "<!channel>", "<@U1> @all", "<at id=all></at>", "[x](http://e.vil)", "*b* _i_ `c`", "<b>x</b>", "&lt;", "![p](http://e.vil/p.png)",
    # Lua, templates, terminals, Unicode
    "{payload}", "{{x}}", "]]..os.execute('x')..[[", "\x1b[31mred\x07", "中文'\"；“”", "\u202egnp.exe", "é e\u0301", "\U0001f600", " lead and trail ",
]
BOOK = '''runbook "demo/sinks" { title = "t", severity = "P4", target = "x" }
param "payloads" { type = "list(string)" }
param "dir" { type = "path" }
param "http" { type = "string" }
step "all" { title = "t", risk = "low", timeout = "4m", run = function(p)
  local db = sql(p.dir .. "/db")
  for i, x in ipairs(p.payloads) do
    local said = { }
    local function sink(name, run)
      local value, err = try(run)
      said[name] = err and { err = err.code } or { got = value }
    end
    sink("argv", function() return shell.run({ "printf", "%s", x }).out end)
    sink("sh", function() return shell.run { sh = [[cd "$1"; printf %s "$2"]], args = { p.dir, x } }.out end)
    sink("env", function() return shell.run({ "printenv", "X" }, { env = { X = x } }).out end)
    sink("stdin", function() return shell.run({ "cat" }, { stdin = x }).out end)
    sink("sql", function()
      db:exec("INSERT INTO t VALUES (?, ?)", i, x)
      return db:value("SELECT x FROM t WHERE i = ? AND x = ?", i, x)
    end)
    sink("header", function() http.post(p.http .. "/header/" .. i, { headers = { ["X-Value"] = x }, body = "" }) return "sent" end)
    sink("url", function() http.post(p.http .. "/url/" .. i, { path = { x }, query = { q = x }, body = "" }) return "sent" end)
    sink("body", function() http.post(p.http .. "/body/" .. i, { body = x }) return "sent" end)
    sink("json", function() http.post(p.http .. "/json/" .. i, { json = { x = x } }) return "sent" end)
    sink("form", function() http.post(p.http .. "/form/" .. i, { form = { x = x } }) return "sent" end)
    sink("file", function() file.write(p.dir .. "/names/" .. x, tostring(i), { backup = false }) return "sent" end)
    sink("content", function() file.write(p.dir .. "/content-" .. i, x) return file.read(p.dir .. "/content-" .. i) end)
    sink("envfile", function() file.env_set(p.dir .. "/.env", "V" .. i, x) return "sent" end)
    if x:find("[\\r\\n=<@!%[]") then -- what means something there; a chat takes one a second
      sink("chat", function() notify("chat", { title = i .. ": " .. x, text = x, facts = { { "v", x } } }) return "sent" end)
      sink("mail", function() notify("mail", { title = i .. ": " .. x, text = x }) return "sent" end)
    end
    file.write(p.dir .. "/said-" .. i, json.encode(said))
  end
end }
'''


class Injection(Config):
    def setUp(self):
        super().setUp()
        self.seen = seen = {}

        class Sink(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                seen.setdefault(self.path, []).append((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.lab = os.path.join(self.dir, "lab")
        os.makedirs(self.lab + "/names")
        with sqlite3.connect(self.lab + "/db") as db:
            db.execute("CREATE TABLE t (i, x)")
        self.mail = subprocess.Popen(["/usr/bin/python3",
                                      os.path.join(SOURCE, "tests/bindings/peers/mail.py"), "plain", self.dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop_mail)
        self.mail_port = json.loads(self.mail.stdout.readline())["port"]

    def stop_mail(self):
        self.mail.stdin.close()
        self.mail.wait(20)
        self.mail.stdout.close()

    def run_all(self):
        self.env["T_MAIL"] = "s3cret pass"
        self.config(f'''secret "mail" {{ env = "T_MAIL" }}
channel "chat" {{ kind = "slack", url = "{self.url}/chat" }}
channel "mail" {{ kind = "smtp", host = "127.0.0.1", port = {self.mail_port}, tls = "off", user = "ops",
  password = {{ secret = "mail" }}, from = "rb@corp.cn", to = {{ "ops@corp.cn" }} }}
''')
        self.book("demo/sinks", BOOK)
        with open(self.dir + "/params.json", "w", encoding="utf-8") as f:
            json.dump({"payloads": PAYLOADS, "dir": self.lab, "http": self.url}, f)
        done = subprocess.run([RUNBOOK, "exec", "demo/sinks", "--param-file", self.dir + "/params.json", "--yes", "--no-input", "-o", "json"],
                              env=self.env, capture_output=True, timeout=280, check=False)
        return json.loads(done.stdout)

    def said(self, i):
        with open(f"{self.lab}/said-{i}", encoding="utf-8") as f:
            return json.load(f)

    def requests(self, name, i):
        """What came to /NAME/I, with or without more behind it."""
        start = f"/{name}/{i}"
        return [(path, *one) for path, all_of_it in self.seen.items() for one in all_of_it
                if path.startswith(start) and path[len(start):len(start) + 1] in ("", "/", "?")]

    def in_commands_files_and_sql(self, x, said):
        for name, expected in (("argv", x), ("sh", x), ("env", x + "\n"), ("stdin", x), ("sql", x), ("content", x)):
            self.assertEqual({"got": expected}, said[name], name)
        self.assertEqual({"got": "sent"}, said["envfile"])

    def in_file_names(self, i, x, said):
        if "/" in x or x in (".", ".."):
            self.assertIn(said["file"].get("err"), ("usage", "not_found"))
        else:
            with open(f"{self.lab}/names/{x}", encoding="utf-8") as f:
                self.assertIn(f.read(), [str(k) for k, y in enumerate(PAYLOADS, 1) if y == x])

    def in_http(self, i, x, said):
        if any(c < " " for c in x):
            self.assertEqual({"err": "usage"}, said["header"])
            self.assertEqual([], self.requests("header", i))
        else:
            [(_, headers, _)] = self.requests("header", i)
            self.assertEqual(x.strip(" "), headers["X-Value"].encode("latin-1").decode().strip(" "))
        if x in (".", ".."):
            self.assertEqual({"err": "usage"}, said["url"])
        else:
            [(path, _, _)] = self.requests("url", i)
            way, query = path.split("?")
            self.assertEqual((f"/url/{i}/" + x, x), (urllib.parse.unquote(way), urllib.parse.parse_qs(query, keep_blank_values=True)["q"][0]))
            self.assertEqual(3, way.count("/"))
        self.assertEqual([x], [body for _, _, body in self.requests("body", i)])
        self.assertEqual([{"x": x}], [json.loads(body) for _, _, body in self.requests("json", i)])
        self.assertEqual([{"x": [x]}], [urllib.parse.parse_qs(body) for _, _, body in self.requests("form", i)])
        for _, headers, _ in [one for name in ("header", "url", "body", "json", "form") for one in self.requests(name, i)]:
            self.assertNotIn("X-Injected", headers)

    def in_chats(self):
        for _, text in self.seen["/chat"]:
            message = json.loads(text)
            self.assertEqual(["header", "section", "section", "context"], [b["type"] for b in message["blocks"]])
            for block in message["blocks"][1:]:
                for words in block.get("fields", block.get("elements", [block.get("text")])):
                    self.assertNotRegex(words["text"], "[<>]")

    def in_mails(self, count):
        usual = None
        for _ in range(count):
            mail = json.loads(self.mail.stdout.readline())
            names = sorted(name for name, _ in mail["headers"])
            usual = usual or names
            self.assertEqual((["ops@corp.cn"], usual), (mail["to"], names))
            number, subject = dict(mail["headers"])["Subject"].removeprefix("[P3] ").split(": ", 1)
            shown = "".join(c if c >= " " or c.isspace() else f"\\x{ord(c):02x}" for c in PAYLOADS[int(number) - 1])
            self.assertEqual(shown.split(), subject.split(" (")[0].split(), mail["headers"])

    def test_every_sink(self):
        before = set(os.listdir(self.dir))
        run = self.run_all()
        self.assertEqual("done", run["result"], run.get("error"))
        noisy = 0
        for i, x in enumerate(PAYLOADS, 1):
            with self.subTest(x):
                said = self.said(i)
                noisy += "mail" in said
                self.assertEqual(said.get("mail"), said.get("chat"))
                self.in_commands_files_and_sql(x, said)
                self.in_file_names(i, x, said)
                self.in_http(i, x, said)
        self.in_chats()
        self.in_mails(noisy)
        self.assertGreater(noisy, 10)
        self.assertEqual({"params.json", "state"}, set(os.listdir(self.dir)) - before)
        self.assertFalse({"escaped", "PWNED"} & set(os.listdir(self.lab)))
        self.assertEqual(len(PAYLOADS), len([n for n in os.listdir(self.lab) if n.startswith("said-")]))


if __name__ == "__main__":
    unittest.main()
