"""A place of its own for each test: folders, environment, and the program run in it."""
import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

RUNBOOK = os.environ.get("RUNBOOK", "")
SOURCE = os.environ.get("SOURCE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

GREETING = '''runbook "demo/greeting" {
  title = { zh = "文件 hello 不见了", en = "The file hello is gone" },
  alias = "hello-gone", severity = "P2", codes = { "DEMO-001" },
  symptoms = { "找不到问候文件", "greeting is missing" }, tags = { "demo" },
}
param "dir" { type = "path", title = { zh = "目录", en = "folder" }, required = true }
param "kind" { type = "string", default = "plain", choices = { "plain", "loud" }, title = { zh = "语气", en = "tone" } }
finding "missing" { title = { zh = "没有文件 {path}", en = "no file {path}" }, key = "path" }
finding "moved" { explains = "missing", title = { zh = "它被改名为 {name}", en = "it was renamed to {name}" } }
check "look" {
  title = { zh = "看看文件", en = "look at the file" },
  run = function(p)
    local path = p.dir .. "/hello"
    if not file.stat(path) then
      found("missing", { path = path, note = "\\27[31mred\\27[0m" })
      if file.stat(p.dir .. "/hello.old") then found("moved", { name = "hello.old" }) end
    end
  end,
}
fix "write-it" {
  when = "missing", title = { zh = "写一个新的", en = "write a new one" }, risk = "%s",
  no_undo = { zh = "新文件没有旧内容", en = "the new file has none of the old words" },
  run = function(p, f) file.write(f.path, "hello\\n") end,
}
'''


def greeting(risk="medium"):
    return GREETING % risk


class Inbox:
    """A webhook on loopback, and what it was sent."""

    def __init__(self, test):
        messages = self.messages = []

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        test.addCleanup(server.server_close)
        test.addCleanup(server.shutdown)
        self.url = "http://127.0.0.1:%d/" % server.server_address[1]

    def texts(self):
        return [json.dumps(one, ensure_ascii=False) for one in self.messages]


class Lab(unittest.TestCase):
    def setUp(self):
        if not RUNBOOK:
            self.skipTest("RUNBOOK names no program")
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="rb-cli-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.books = os.path.join(self.dir, "books")
        os.mkdir(self.books)
        self.env = {
            "PATH": os.environ["PATH"], "HOME": self.dir, "LANG": "en_US.UTF-8", "TZ": "UTC",
            "RUNBOOK_PATH": self.books, "RUNBOOK_LAB": "1",
            "XDG_CONFIG_HOME": os.path.join(self.dir, "config"), "XDG_STATE_HOME": os.path.join(self.dir, "state"),
            "XDG_CACHE_HOME": os.path.join(self.dir, "cache"),
        }
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                self.env[name] = os.environ[name]

    def book(self, id, text):
        path = os.path.join(self.books, id + ".lua")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run_it(self, *args, env=None, stdin="", code=None, cwd=None):
        done = subprocess.run([RUNBOOK, *args], input=stdin.encode(), capture_output=True, timeout=180,
                              env={**self.env, **(env or {})}, cwd=cwd or self.dir)
        done.out, done.err = done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        if code is not None:
            self.assertEqual(code, done.returncode, f"{args}\n{done.out}\n{done.err}")
        return done

    def json(self, *args, code=0, **more):
        return json.loads(self.run_it(*args, "-o", "json", code=code, **more).out)
