"""config.lua: where it is read, what is refused, profiles over profiles, and what doctor, new and lint --emit-meta make of it."""
import base64
import hashlib
import json
import os
import re
import socket
import subprocess
import threading
import unittest

from lab import RUNBOOK, Lab

BOOK = '''runbook "demo/one" { title = "t", severity = "P3" }
param "word" { type = "string", default = "shipped" }
check "look" { title = "look", run = function(p) ok("{word}") end }
'''

class Config(Lab):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.dir, "config", "runbook")
        os.makedirs(self.folder)

    def config(self, text, mode=0o644):
        path = os.path.join(self.folder, "config.lua")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def ok_text(self, *args, **more):
        return self.json("exec", "demo/one", "--no-input", *args, **more)["checks"][0]["text"]


class Files(Config):
    def test_the_working_directory_is_never_read(self):
        self.book("demo/one", BOOK)
        with open(os.path.join(self.dir, "config.lua"), "w", encoding="utf-8") as f:
            f.write('profile "demo" { word = "from the working directory" }')
        self.assertEqual("shipped", self.ok_text())

    def test_order_of_values(self):
        self.book("demo/one", BOOK)
        self.book("profiles/demo", 'profile "demo" { word = "in the profile" }\n')
        self.assertEqual("in the profile", self.ok_text())
        self.config('profile "demo" { word = "of the operator" }\nprofile "demo/b" { like = "demo", word = "of b" }\n'
                    'profile "other" { word = 5 }\n')
        self.assertEqual("of the operator", self.ok_text())
        self.assertEqual("of b", self.ok_text("--profile", "demo/b"))
        self.assertEqual("given", self.ok_text("word=given", "--profile", "demo/b"))
        done = self.run_it("exec", "demo/one", "--profile", "demo/c", "--no-input", code=2)
        self.assertIn("demo/b", done.err)

    def test_what_is_shown_is_what_exec_would_use(self):
        self.book("demo/one", BOOK + 'param "place" { type = "path", default = "{word}/x" }\nparam "must" { type = "int", required = true }\n'
                                     'param "quiet" { type = "duration", default = "5m" }\n')
        self.book("profiles/demo", 'profile "demo" { word = "in-the-profile" }\n')
        shown = self.json("show", "demo/one")["params"]
        self.assertEqual(("in-the-profile", "profile"), (shown["word"]["value"], shown["word"]["from"]))
        self.assertEqual(("in-the-profile/x", "{word}/x", {"word": "profile"}),
                         (shown["place"]["value"], shown["place"]["text"], shown["place"]["uses"]))
        self.config('profile "demo" { word = "/of-the-operator" }\nprofile "other" { word = "/no" }\n')
        shown = self.json("show", "demo/one")["params"]
        self.assertEqual(("/of-the-operator", "config"), (shown["word"]["value"], shown["word"]["from"]))
        self.assertEqual(("/of-the-operator/x", {"word": "config"}), (shown["place"]["value"], shown["place"]["uses"]))
        self.assertEqual(("5m", "default"), (shown["quiet"]["value"], shown["quiet"]["from"]))
        self.assertNotIn("value", shown["must"])
        text = self.run_it("show", "demo/one", code=0).out
        self.assertRegex(text, r"word +string +/of-the-operator +\(from config.lua, profile demo\)\n")
        self.assertRegex(text, r"place +path +/of-the-operator/x +\(from {word}/x; word from config.lua, profile demo\)\n")
        self.assertRegex(text, r"must +int +required\n")
        self.assertIn("来自 config.lua 的 profile demo", self.run_it("--lang", "zh", "help", "demo/one", code=0).out)
        self.config('conection "a" {}')
        done = self.run_it("show", "demo/one", code=0)  # it is shown all the same, and the mistake told
        self.assertIn("in-the-profile", done.out)
        self.assertIn("did you mean 'connection'?", done.err)

    def test_a_broken_file_never_means_none(self):
        self.book("demo/one", BOOK)
        cases = {
            'connection "a" { url = "redis://h/0" ': ":1:",
            '\nconection "a" {}': "did you mean 'connection'?",
            'secret "a" {\n  evn = "X",\n}': "did you mean 'env'?",
            'check "c" { title = "t", run = function() end }': "unknown name 'check'",
            'shell.read { "touch", "/tmp/x" }': "shell",
            'while true do end': "2 s",
            'connection "a" { url = "redis://u:hunter2@h/0" }': "password",
        }
        for text, words in cases.items():
            with self.subTest(text):
                path = self.config(text)
                done = self.run_it("exec", "demo/one", "--no-input", code=6)
                self.assertIn(words, done.err)
                self.assertIn(path, done.err)
                self.assertNotIn("hunter2", done.err + done.out)
                doctor = self.run_it("doctor", code=1)
                self.assertIn(words, doctor.out)
        for command in ("list", "help"):
            self.run_it(command, code=0)
        self.assertEqual([], self.json("history")["runs"])

    def test_who_may_have_written_it(self):
        self.book("demo/one", BOOK)
        self.config("", mode=0o666)
        self.assertIn("config.lua", self.run_it("exec", "demo/one", code=6).err)
        path = self.config("")
        os.chmod(self.folder, 0o777)
        self.run_it("exec", "demo/one", code=6)
        os.chmod(self.folder, 0o755)
        os.rename(path, os.path.join(self.dir, "elsewhere.lua"))
        os.symlink(os.path.join(self.dir, "elsewhere.lua"), path)
        self.run_it("exec", "demo/one", code=6)

    def test_a_parameter_that_names_no_connection(self):
        self.config('connection "orders" { driver = "sqlite", path = "/srv/orders.sqlite" }')
        self.book("demo/one", BOOK + 'param "db" { type = "sql" }\n')
        done = self.run_it("exec", "demo/one", "db=ordres", code=2)
        self.assertIn("did you mean 'orders'?", done.out + done.err)
        for bad in ("postgres://a:hunter2@h/x", "posgres://h/x", "redis://h/0"):
            done = self.run_it("exec", "demo/one", "db=" + bad, code=2)
            self.assertNotIn("a:hunter2", done.err.replace("db=" + bad, ""))
        self.run_it("exec", "demo/one", "db=orders", code=0)

    def test_a_sqlite_connection_by_name(self):
        path = os.path.join(self.dir, "a.sqlite")
        subprocess.run(["sqlite3", path, "create table t(x); insert into t values (42)"], check=True)
        self.config(f'connection "orders" {{ driver = "sqlite", path = "{path}" }}')
        self.book("demo/sql", 'runbook "demo/sql" { title = "t", severity = "P3" }\nparam "db" { type = "sql" }\n'
                  'check "c" { title = "c", run = function(p) ok("x is " .. sql(p.db):value("select x from t")) end }')
        for db in ("orders", path, "./a.sqlite"):
            self.assertEqual("x is 42", self.json("exec", "demo/sql", "db=" + db, "--no-input")["checks"][0]["text"])


class Doctor(Config):
    def test_it_tries_everything(self):
        path = os.path.join(self.dir, "a.sqlite")
        subprocess.run(["sqlite3", path, "create table t(x)"], check=True)
        self.config(f'''connection "good" {{ driver = "sqlite", path = "{path}" }}
connection "gone" {{ driver = "sqlite", path = "{path}.not" }}
channel "oncall" {{ kind = "console" }}
channel "quiet" {{ kind = "slack", url = {{ secret = "unset" }} }}
secret "short" {{ command = {{ "echo", "abc" }} }}
secret "unset" {{ env = "NOT_THERE" }}
secret "fine" {{ command = {{ "echo", "abcdefgh" }} }}
''')
        self.env["TMPDIR"] = os.path.join(self.dir, "tmp")  # /tmp is everybody's
        os.mkdir(self.env["TMPDIR"])
        for lang in ("en", "zh"):
            out = json.loads(self.run_it("doctor", "-o", "json", "--lang", lang, code=1).out)
            states = [(item["name"], item["state"]) for item in out["items"] if item["name"] in ("connection", "secret", "channel")]
            self.assertEqual([("secret", "warning"), ("secret", "error"), ("secret", "ok"), ("connection", "ok"),
                              ("connection", "error"), ("channel", "ok"), ("channel", "error")], states)
            self.assertNotIn("abcdefgh", json.dumps(out))
        self.assertEqual([], os.listdir(self.env["TMPDIR"]))
        self.assertEqual([], self.json("history")["runs"])


    def test_a_websocket_is_opened(self):
        def answer(reply):
            with server.accept()[0] as peer:
                request = peer.recv(65536).decode()
                key = re.search(r"(?i)sec-websocket-key: *(\S+)", request).group(1)
                sign = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
                peer.sendall((reply % {"sign": sign}).encode())
                peer.recv(65536)

        upgrade = "HTTP/1.1 101 Upgrade\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %(sign)s\r\n\r\n"
        for reply, state in ((upgrade, "ok"), ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "error")):
            with socket.create_server(("127.0.0.1", 0)) as server:
                self.config('connection "feed" { url = "ws://127.0.0.1:%d/" }' % server.getsockname()[1])
                peer = threading.Thread(target=answer, args=(reply,), daemon=True)
                peer.start()
                out = json.loads(self.run_it("doctor", "-o", "json").out)
                peer.join(30)
            [item] = [item for item in out["items"] if item["name"] == "connection"]
            self.assertEqual(state, item["state"], item)


class Authors(Config):
    def test_a_configuration_is_linted_wherever_it_is(self):
        self.config('secret "a" { env = "X" }\n')
        elsewhere = os.path.join(self.dir, "config.lua")
        for path, text, words in ((elsewhere, 'secret "a" { evn = "X" }\n', "did you mean 'env'?"),
                                  (elsewhere, 'check "a" { title = "t" }\n', "unknown name 'check'"),
                                  (elsewhere, 'channel "c" { kind = "slack", url = { secret = "b" } }\n', "secret"),
                                  (elsewhere, 'secret "b" { env = "B" }\nchannel "c" { kind = "slack", url = { secret = "b" } }\n', None),
                                  (os.path.join(self.folder, "config.lua"), 'secret "a" { env = "X" }\n', None)):
            with open(path, "w") as f:
                f.write(text)
            done = self.run_it("lint", path, code=1 if words else 0)
            self.assertIn(words or "0 errors", done.out)
            self.assertIn(" in 1 file\n", done.out)

    def test_a_new_runbook_lints_clean_and_drills(self):
        for lang in ("en", "zh"):
            id = f"mall/first-{lang}"
            self.run_it("new", id, "--lang", lang, code=0)
            lint = self.json("lint", id, "--lang", lang)
            self.assertEqual((0, 0), (lint["errors"], lint["warnings"]), lint["problems"])
            self.run_it("drill", id, "--lang", lang, code=0)
            self.run_it("new", id, code=1)
        self.run_it("new", "noslash", code=2)
        self.run_it("new", "../x/y", code=2)

    def test_definitions_for_editors(self):
        out = os.path.join(self.dir, "meta")
        os.mkdir(out)
        self.run_it("lint", "--emit-meta", out, code=0)
        texts = {}
        for name in ("blocks", "verbs", "helpers"):
            path = os.path.join(out, ".runbook", "meta", name + ".lua")
            with open(path, encoding="utf-8") as f:
                texts[name] = f.read()
            subprocess.run(["luac", "-p", path], check=True)
        for word in ("---@class (exact) rb.block.fix", "---@field title? rb.Text", "function connection(id) end", "rb.SecretName"):
            self.assertIn(word, texts["blocks"])
        for word in ("function shell.read(", "---@class rb.connection.sql", "function rb_connection_sql:rows(query", "---@async"):
            self.assertIn(word, texts["verbs"])
        for word in ("function found(", "function sqlite.locks("):
            self.assertIn(word, texts["helpers"])
        with open(os.path.join(out, ".luarc.json"), encoding="utf-8") as f:
            self.assertEqual([".runbook/meta"], json.load(f)["workspace.library"])
        with open(os.path.join(out, ".luacheckrc"), "a", encoding="utf-8") as f:
            f.write("-- mine\n")
        self.run_it("lint", "--emit-meta", out, code=0)
        with open(os.path.join(out, ".luacheckrc"), encoding="utf-8") as f:
            self.assertIn("-- mine", f.read())

    def test_luacheck_knows_what_the_program_knows(self):
        source = os.environ["SOURCE"]
        with open(os.path.join(source, ".luacheckrc"), encoding="utf-8") as f:
            listed = set(re.findall(r'"(\w+)"', re.search(r"read_globals = \{(.*?)\},", f.read(), re.S).group(1)))
        base = {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "rawequal", "rawlen", "select", "setmetatable",
                "tonumber", "tostring", "type", "math", "string", "table", "utf8"}
        names = set(json.loads(subprocess.run([RUNBOOK, "__docs", "names"], capture_output=True, check=True).stdout))
        self.assertEqual(set(), names - listed, "missing in .luacheckrc")
        self.assertEqual(set(), listed - names - base, ".luacheckrc names what is not there")
        self.book("a/names", 'runbook "a/names" { title = "t", severity = "P3" }\n' +
                  "".join(f"local _ = {name}\n" for name in sorted(names)))
        self.run_it("lint", "a/names", code=0)


if __name__ == "__main__":
    unittest.main()
