"""Secrets: where they come from, and that nobody gets to see one: no screen, no record, no command line."""
import base64
import json
import os
import threading
import time
import unittest
import urllib.parse

from test_config import Config

SECRET = 'hunter2/"x\' +ö%k'
TOKEN = "tok_live_0123456789abcdefghijklmnopqrstuvwxyz.ABCDEFGHIJ-KLMNOPQRSTUVWXYZ0987654321"

LEAK = '''runbook "demo/leak" { title = "t", severity = "P3", target = "x" }
param "pw" { type = "secret", default = "pw" }
param "token" { type = "secret", default = "token" }
finding "f" { title = "f" }
check "look" { title = "look", run = function(p)
  local way = { sh = [[printf '%%s\\n' "$PW"; printf '%%s' "$PW" | base64; printf 'xy%%s' "$TOKEN" | base64;
    printf '%%s' "$TOKEN" | od -An -tx1 | tr -d ' \\n'; printf '%%s' "$PW" >&2; cat]], env = { PW = p.pw, TOKEN = p.token },
    stdin = p.token }
  local r = shell.read(way)
  note("out is " .. r.out)
  attach("evidence", { r.out, r.err })
  found("f", { out = r.out })
  return r
end }
fix "loud" { when = "f", title = "loud", risk = "low", run = function(p)
  shell.run { sh = [[for i in 1 2 3; do printf '%%s' "$PW" | cut -c1-5 | tr -d '\\n'; sleep 0.2; printf '%%s' "$PW" | cut -c6-; done
    echo "could not log in with $TOKEN" >&2; exit 3]], env = { PW = p.pw, TOKEN = p.token } }
end }
'''


def forms(secret):
    raw = secret.encode()
    yield raw
    for offset in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            yield alphabet(b"x" * offset + raw + b"xxx")[4 if offset else 0:-8]
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield urllib.parse.quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield json.dumps(secret, ensure_ascii=False)[1:-1].encode()


class Secrets(Config):
    def secret_file(self, name, value, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(value + "\n")
        os.chmod(path, mode)
        return path

    def assert_clean(self, data, where):
        for secret in (SECRET, TOKEN):
            for form in forms(secret):
                self.assertFalse(form in data, f"{where}: {form!r}")

    def leak_lab(self):
        self.book("demo/leak", LEAK.replace("%%", "%"))
        path = self.secret_file("pw", SECRET)
        self.config(f'secret "pw" {{ file = "{path}" }}\nsecret "token" {{ env = "MY_TOKEN" }}')
        self.env["MY_TOKEN"] = TOKEN

    def journal_bytes(self):
        for folder, _, names in os.walk(os.path.join(self.dir, "state")):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    yield name, f.read()

    def test_nobody_gets_to_see_them(self):
        self.leak_lab()
        for flags in (["-o", "json"], ["-o", "jsonl"], ["-o", "md"], ["--debug", "-v"], ["--lang", "zh"]):
            done = self.run_it("exec", "demo/leak", "--fix", "loud", "--yes", "--no-input", *flags)
            self.assertIn(done.returncode, (1, 3), done.err)
            self.assert_clean(done.stdout + done.stderr, flags)
            self.assertIn("‹secret", done.out)
        whole = b""
        for name, data in self.journal_bytes():
            self.assert_clean(data, name)
            whole += data
        self.assertTrue("‹secret".encode() in whole)
        run = self.json("history")["runs"][0]["run"]
        for command in (["show", run], ["logs", run], ["audit", "--run", run]):
            self.assert_clean(self.run_it(*command).stdout, command)

    def test_one_that_a_runbook_puts_together_is_not_recorded(self):
        """Its author knew it, or guessed: the value never came out of a command."""
        self.book("demo/spelt", '''runbook "demo/spelt" { title = "t", severity = "P3", target = "x" }
param "pw" { type = "secret", default = "pw" }
finding "f" { title = "it is {word}" }
check "look" { title = "look", run = function(p)
  shell.read { "true", stdin = p.pw }
  local word = "correct-horse" .. "-battery"
  note("it is " .. word)
  found("f", { word = word })
end }''')
        path = self.secret_file("pw", "correct-horse-battery")
        self.config(f'secret "pw" {{ file = "{path}" }}')
        done = self.run_it("exec", "demo/spelt", "--no-input", code=3)
        self.assertNotIn("correct-horse-battery", done.out + done.err)
        for name, data in self.journal_bytes():
            self.assertNotIn(b"correct-horse-battery", data, name)

    def test_no_command_line_holds_one(self):
        self.leak_lab()
        seen, over = [], threading.Event()

        def look():
            while not over.is_set():
                for pid in filter(str.isdigit, os.listdir("/proc")):
                    try:
                        with open(f"/proc/{pid}/cmdline", "rb") as f:
                            seen.append(f.read())
                    except OSError:
                        pass
                time.sleep(0.02)

        watcher = threading.Thread(target=look)
        watcher.start()
        self.run_it("exec", "demo/leak", "--fix", "loud", "--yes", "--no-input")
        over.set()
        watcher.join()
        self.assertTrue(any(b"sleep" in line for line in seen), "the commands were not seen")
        self.assert_clean(b"\n".join(seen), "cmdline")

    def test_commands_do_not_inherit_the_variable(self):
        self.leak_lab()
        self.book("demo/env", 'runbook "demo/env" { title = "t", severity = "P3" }\n'
                  'check "c" { title = "c", run = function() return shell.read { "env" } end }')
        out = self.run_it("exec", "demo/env", "-o", "json", code=0).out
        self.assertNotIn("MY_TOKEN", out)

    def test_what_a_token_refuses(self):
        self.leak_lab()
        for body in ('note("x" .. p.pw)', 'note(tostring(p.pw))', 'note("{pw}")', 'local _ = #p.pw', 'local _ = p.pw == p.token',
                     'for _ in pairs(p.pw) do end', 'json.encode({ p.pw })', 'attach("x", p.pw)', 'found("f", { x = p.pw })',
                     'return { x = p.pw }', 'return p.pw', 'local _ = p.pw < p.token', 'local _ = p.pw.x',
                     'ok(string.format("%s", p.pw))', 'table.concat({ p.pw })', 'p.pw()', 'note(("x"):rep(p.pw))',
                     'fail(p.pw)', 'error(p.pw)'):
            with self.subTest(body):
                self.book("demo/token", 'runbook "demo/token" { title = "t", severity = "P3" }\nfinding "f" { title = "f", advice = "a" }\n'
                          'param "pw" { type = "secret", default = "pw" }\nparam "token" { type = "secret", default = "token" }\n'
                          f'check "c" {{ title = "c", run = function(p) {body} end }}')
                done = self.run_it("exec", "demo/token", "-o", "json", "--no-input", code=1)
                self.assertRegex(done.out, "secret|userdata|number expected")
                self.assert_clean(done.stdout + done.stderr, body)

    def test_where_it_may_not_stand(self):
        self.leak_lab()
        for body, words in (('shell.read { "echo", p.pw }', "argv"), ('shell.read { sh = "echo $1", args = { p.pw } }', "args"),
                            ('file.read(p.pw)', "path"), ('sql("/x"):rows(p.pw)', "query"),
                            ('shell.read { "cat", stdin = { ["$secret"] = "pw" } }', "\\$secret")):
            with self.subTest(body):
                self.book("demo/place", 'runbook "demo/place" { title = "t", severity = "P3" }\n'
                          'param "pw" { type = "secret", default = "pw" }\n'
                          f'check "c" {{ title = "c", run = function(p) {body} end }}')
                done = self.run_it("exec", "demo/place", "-o", "json", "--no-input", code=1)
                self.assertRegex(done.out, words)
                self.assert_clean(done.stdout + done.stderr, body)

    def test_where_they_come_from(self):
        self.book("demo/len", 'runbook "demo/len" { title = "t", severity = "P3" }\nparam "pw" { type = "secret" }\n'
                  'check "c" { title = "c", run = function(p) ok("{n}", { n = #shell.read { sh = "wc -c", stdin = p.pw }.out > 0 and '
                  'shell.read { sh = "wc -c", stdin = p.pw }.out:match("%d+") }) end }')
        private, shared = self.secret_file("private", "12345678"), self.secret_file("shared", "12345678", 0o644)
        credentials = os.path.join(self.dir, "cred")
        os.mkdir(credentials)
        self.secret_file("cred/db", "1234567")
        self.config(f'''secret "env" {{ env = "SOME_PW" }}
secret "file" {{ file = "{private}" }}
secret "shared" {{ file = "{shared}" }}
secret "gone" {{ file = "{private}.not" }}
secret "credential" {{ credential = "db" }}
secret "command" {{ command = {{ "sh", "-c", "echo $((1000000 * 7))" }} }}
secret "fails" {{ command = {{ "false" }} }}
secret "slow" {{ command = {{ "sleep", "30" }}, timeout = "300ms" }}
secret "writes" {{ command = {{ "sh", "-c", "touch {self.dir}/touched && echo abcdefgh" }} }}
secret "allowed" {{ command = {{ "sh", "-c", "touch {self.dir}/allowed && echo abcdefgh" }}, writes = true }}
secret "empty" {{ command = {{ "true" }} }}
''')
        self.env.update(SOME_PW="123456", CREDENTIALS_DIRECTORY=credentials)
        for name, text in (("env", "6"), ("file", "8"), ("credential", "7"), ("command", "7"), ("allowed", "8")):
            with self.subTest(name):
                self.assertEqual(text, self.json("exec", "demo/len", "pw=" + name, "--no-input")["checks"][0]["text"])
        for name, words in (("shared", "0644"), ("gone", "No such file"), ("fails", "ended with 1"), ("slow", "0.3 s"),
                            ("writes", "writes = true"), ("empty", "is empty")):
            with self.subTest(name):
                done = self.run_it("exec", "demo/len", "pw=" + name, "-o", "json", "--no-input", code=1)
                self.assertRegex(done.out, words)
        self.assertFalse(os.path.exists(self.dir + "/touched"), "a check has written by way of a secret")
        self.assertTrue(os.path.exists(self.dir + "/allowed"))
        self.assertIn("did you mean 'file'?", self.run_it("exec", "demo/len", "pw=flie", code=2).err)

    def test_one_given_by_its_value(self):
        self.leak_lab()
        self.book("demo/given", 'runbook "demo/given" { title = "t", severity = "P3" }\nparam "pw" { type = "secret" }\n'
                  'check "c" { title = "c", run = function(p) return shell.read { "cat", stdin = p.pw } end }')
        done = self.run_it("exec", "demo/given", "--param-file", "-", "-o", "json", "--no-input",
                           stdin=json.dumps({"pw": {"value": SECRET}}), code=0)
        self.assert_clean(done.stdout, "json")
        whole = b""
        for name, data in self.journal_bytes():
            self.assert_clean(data, name)
            whole += data
        self.assertTrue("‹secret param:pw›".encode() in whole)

    def test_a_drill_has_its_own(self):
        self.leak_lab()
        self.book("demo/lab", 'runbook "demo/lab" { title = "t", severity = "P3" }\nparam "pw" { type = "secret", default = "pw" }\n'
                  'finding "f" { title = "f", advice = "a" }\n'
                  'check "c" { title = "c", run = function(p) if secret.inspect(p.pw, "hex").shape then found("f") end end }\n'
                  'drill "lab" { inject = function(d) d:set { pw = d:secret("lab-pw", "00112233" .. "445566") } end,\n'
                  'expect = "f", result = "found" }')
        self.run_it("drill", "demo/lab", code=0)
        whole = b"".join(data for _, data in self.journal_bytes())
        self.assertFalse(b"00112233445566" in whole)

    def test_inspect(self):
        self.leak_lab()
        self.book("demo/shape", 'runbook "demo/shape" { title = "t", severity = "P3" }\nparam "pw" { type = "secret", default = "pw" }\n'
                  'check "c" { title = "c", run = function(p) ok(json.encode(secret.inspect(p.pw, "hex"))) end }')
        value = json.loads(self.json("exec", "demo/shape", "--no-input")["checks"][0]["text"])
        self.assertEqual({"set": True, "shape": False, "placeholder": False, "short": False}, value)


if __name__ == "__main__":
    unittest.main()
