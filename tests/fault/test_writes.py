"""The proof that a diagnosis changes nothing: every way to write that we know, tried in a check, where none may succeed, and in
a step, where each does (so that the check did not fail for another reason). Tables: writes/, the lists below. About a minute."""
import base64
import hashlib
import http.server
import json
import os
import shlex
import socket
import socketserver
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from servers import MariaDB, Postgres, Redis  # noqa: E402
from lab import RUNBOOK  # noqa: E402
from test_config import Config  # noqa: E402

VICTIM = ("import ctypes, os, time; b = ctypes.create_string_buffer(b'o'); os.dup2(os.open('held', os.O_WRONLY | os.O_CREAT), 9); "
          "print(ctypes.addressof(b), flush=True); time.sleep(1000)")


def quoted(text):
    """A Lua string of these very bytes."""
    return '"' + "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text) + '"'


class Way:
    """check and step: Lua. changed(): has it happened? None: an error of the check says that it has not."""
    def __init__(self, name, check, step=None, changed=None):
        self.name, self.check, self.step, self.changed = name, check, step or check, changed


# ---- verbs: every one that writes or probes. {d} is a folder of its own with f, "old"; {pid} {started} a process. ----

VERBS = {
    "file.write": ('file.write("{d}/f", "x")', '[ "$(cat f)" = x ]'),
    "file.append": ('file.append("{d}/f", "x")', '[ "$(cat f)" != old ]'),
    "file.copy": ('file.copy("{d}/f", "{d}/g")', "[ -e g ]"),
    "file.move": ('file.move("{d}/f", "{d}/g")', "[ -e g ]"),
    "file.remove": ('file.remove("{d}/f")', "[ ! -e f ]"),
    "file.mkdir": ('file.mkdir("{d}/d")', "[ -d d ]"),
    "file.chmod": ('file.chmod("{d}/f", "0777")', "[ $(stat -c %a f) = 777 ]"),
    "file.chown": ('file.chown("{d}/f", {{ group = 1 }})', "[ $(stat -c %g f) = 1 ]"),
    "file.gzip": ('file.gzip("{d}/f")', "[ -e f.gz ]"),
    "file.gunzip": ('file.gunzip("{d}/z.gz")', "[ -e z ]"),
    "file.cut": ('file.cut("{d}/f")', "[ ! -s f ]"),
    "file.quarantine": ('file.quarantine({{ "{d}/f" }}, {{ dir = "{d}" }})', "[ ! -e f ]"),
    "file.bring_back": ('file.bring_back("{d}/q")', "[ -e back ]"),
    "file.swap": ('file.swap("{d}/f", "{d}/z.gz")', '[ "$(cat f)" != old ]'),
    "file.env_set": ('file.env_set("{d}/.env", "A", "1")', "grep -q A=1 .env"),
    "file.probe": ('file.probe("{d}")', None),
    "http.post": ('http.post("{http}/{n}", {{ body = "x" }})', "POST"),
    "http.put": ('http.put("{http}/{n}", {{ body = "x" }})', "PUT"),
    "http.patch": ('http.patch("{http}/{n}", {{ body = "x" }})', "PATCH"),
    "http.delete": ('http.delete("{http}/{n}")', "DELETE"),
    "notify.send": ('notify("chat", "x")', "POST /chat"),
    "redis.call": ('redis("cache"):call("SET", "verb", "1")', None),
    "redis.unlink": ('redis("cache"):unlink {{ keys = {{ "nothing" }} }}', None),
    "redis.probe": ('redis("cache"):probe()', None),
    "rpc.call": ('rpc("{http}/{n}"):call("x")', "POST"),
    "shell.run": ('shell.run {{ "touch", "{d}/g" }}', "[ -e g ]"),
    "shell.start": ('shell.start {{ sh = "touch $1; exec sleep 3", args = {{ "{d}/g" }} }}', "[ -e g ]"),
    "sql.exec": ('sql("{d}/db"):exec("INSERT INTO t VALUES (2)")', "[ $(sqlite3 db 'SELECT count(*) FROM t') = 2 ]"),
    "sql.tx": ('sql("{d}/db"):tx {{ {{ "INSERT INTO t VALUES (2)" }} }}', "[ $(sqlite3 db 'SELECT count(*) FROM t') = 2 ]"),
    "sql.backup": ('sql("{d}/db"):backup("{d}/copy")', "[ -e copy ]"),
    "sql.checkpoint": ('sql("{d}/db"):checkpoint("truncate")', None),
    "sql.recover": ('sql("{d}/db"):recover()', None),
    "sql.probe": ('sql("{d}/db"):probe()', None),
    "system.stop": ("system.stop({pid}, {{ started = {started} }})", "[ ! -e /proc/$VICTIM ]"),
    "system.signal": ('system.signal({pid}, "USR1", {{ started = {started} }})', "[ ! -e /proc/$VICTIM ]"),
    "ws.send": ('ws.send("{ws}/{n}", {{ send = {{ "x" }} }})', "WS"),
    "ws.probe": ('ws.probe("{ws}/{n}", {{ send = {{ "x" }} }})', "WS"),
}

# A SQLite file, by what reading verbs take.
SQLITE = ["INSERT INTO t VALUES (2)", "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x RETURNING a", "CREATE TABLE u (a)",
          "PRAGMA user_version = 7", "PRAGMA journal_mode = wal", "VACUUM", "VACUUM INTO '{d}/copy'", "DELETE FROM t", "REINDEX", "DROP TABLE t"]

# Commands: in a check without and with the network; "SEEN …" is what the peer must not see.
COMMANDS = [
    ("curl -X POST", "curl -s -m 3 -X POST -d x {http}/{n}", "POST"),
    ("POST through a redirect", "curl -s -m 3 -L -X POST -d x {http}/redirect/{n}", "POST"),
    ("docker.sock", "curl -s -m 3 --unix-socket {sock} -X POST http://d/{n}", "POST"),
    ("redis-cli", "redis-cli -p {redis} SET child{n} 1", "redis-cli -p {redis} GET child{n} | grep -q 1"),
    ("bash /dev/tcp", "bash -c 'printf \"POST /{n} HTTP/1.0\\r\\n\\r\\n\" >/dev/tcp/127.0.0.1/{port}; sleep 0.2'", "POST"),
    ("netlink: an address", "ip addr add 127.77.9.{n}/32 dev lo", "ip -o addr show lo | grep -q 127.77.9.{n}/ && ip addr del 127.77.9.{n}/32 dev lo"),
    ("netlink: a route", "ip route add blackhole 203.0.113.{n}", "ip route show | grep -q 203.0.113.{n} && ip route del blackhole 203.0.113.{n}"),
    ("a child of a child of a child", "sh -c 'sh -c \"sh -c \\\"echo x > f\\\"\"'", '[ "$(cat f)" = x ]'),
    ("a daemon, forked twice", "(setsid sh -c '(sleep 0.3; echo x > f) &' 2>/dev/null &) | cat", '[ "$(cat f)" = x ]'),
    ("through xargs and env", "echo f | xargs env -i /bin/sh -c 'echo x > $0'", '[ "$(cat f)" = x ]'),
    ("sed in place", "sed -i s/old/x/ f", '[ "$(cat f)" = x ]'),
    ("a setuid program", "su -s /bin/sh nobody -c 'echo x > /tmp/rb-{n}-nobody' && rm /tmp/rb-{n}-nobody && touch done", "[ -e done ]"),
    ("logger", "python3 -c 'import socket as s; s.socket(s.AF_UNIX, s.SOCK_STREAM).connect(\"{sock}\")' && touch done", "[ -e done ]"),
    ("io_uring by threads", "python3 -c 'import threading as t; x = t.Thread(target=lambda: open(\"g\", \"w\")); x.start(); x.join()'", "[ -e g ]"),
]
NETWORKED = ("netlink", "a child of", "sed in place", "docker.sock", "logger")  # these are tried with net = true as well


class Peer:
    """HTTP, WebSocket and a UNIX socket as docker's; remembers what came: ["POST /n"]."""
    def __init__(self, test, folder):
        self.seen = seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def address_string(self):
                return ""

            def end(self, status, body=b"ok", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # who sent it has gone already

            def any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path.startswith("/redirect/"):
                    return self.end(307, Location=self.path[9:])
                seen.append(f"{self.command} {self.path}")
                rpc = json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": 1}).encode() if b"jsonrpc" in body else b"ok"
                return self.end(200, rpc)

            def do_GET(self):
                key = self.headers.get("Sec-WebSocket-Key")
                if not key:
                    return self.any()
                accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
                self.wfile.write(f"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
                if self.rfile.read(1) == b"\x81":  # a text
                    seen.append("WS " + self.path)
                self.wfile.write(b"\x88\x02\x03\xe8")
                self.close_connection = True
                return None

            do_POST = do_PUT = do_PATCH = do_DELETE = any

        class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        web.daemon_threads = True
        self.sock, self.port = os.path.join(folder, "docker.sock"), web.server_port
        for server in (web, Unix(self.sock, Handler)):
            threading.Thread(target=server.serve_forever, daemon=True).start()
            test.addCleanup(server.server_close)
            test.addCleanup(server.shutdown)


class Writes(Config):
    def table(self, name):
        """{"setup": […], "writes": […], "never": […]} of a .sql file."""
        lists, current = {}, None
        with open(os.path.join(HERE, "writes", name), encoding="utf-8") as f:
            for line in f.read().replace("{dir}", self.open_dir).splitlines():
                if line in ("-- setup", "-- writes", "-- never"):
                    current = lists.setdefault(line[3:], [])
                elif not line.startswith("--"):
                    current.append(line)
        return lists

    # ---- places ----

    def victim(self, folder):
        child = subprocess.Popen([sys.executable, "-c", VICTIM], cwd=folder, stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.victims.append(child)
        with open(f"/proc/{child.pid}/stat", encoding="ascii") as f:
            started = f.read().rsplit(")", 1)[1].split()[19]
        return {"VICTIM": str(child.pid), "TARGET": child.stdout.readline().strip(), "STARTED": started}

    def place(self, with_victim, prepare="true"):
        """A folder of a way's own, twice: for the check and for the step."""
        places = []
        for _ in range(2):
            self.count += 1
            folder = os.path.join(self.dir, f"w{self.count}")
            os.mkdir(folder)
            with open(folder + "/f", "w", encoding="ascii") as f:
                f.write("old\n")
            env = self.victim(folder) if with_victim else {}
            self.shell(folder, env, prepare)
            places.append((folder, env))
        return places

    def shell(self, folder, env, line):
        for child in self.victims:
            child.poll()  # a zombie is no process
        done = subprocess.run(["sh", "-c", line or "true"], cwd=folder, env={**os.environ, **env}, capture_output=True)
        return done.returncode == 0

    def in_place(self, name, make, changed, with_victim=False, prepare="true", access=""):
        """A way whose check and step each have a place; make(folder, env, n, verb) is the Lua."""
        spots = self.place(with_victim, prepare)
        texts = [make(folder, env, folder[len(self.dir) + 2:], verb) for (folder, env), verb in zip(spots, (f"read{access}", "run"))]
        def has_changed(which):
            folder, env = spots[which]
            n = folder[len(self.dir) + 2:]
            if changed and (changed.isupper() or changed.startswith("POST ")):
                return any(one.startswith(changed) and (" " in changed or one.endswith("/" + n)) for one in self.peer.seen)
            return self.shell(folder, env, changed.replace("{n}", n))
        self.ways.append(Way(name, texts[0], texts[1], has_changed if changed else None))

    # ---- the groups ----

    def sh(self, line):
        """Lua that runs a line of sh: in a check shell.read, in a step shell.run."""
        def make(folder, env, n, verb):
            words = line.replace("{n}", n)
            options = ", net = true" if verb == "read+net" else ""
            pairs = ", ".join(f"{k} = {quoted(v)}" for k, v in env.items())
            return (f'shell.{verb[:4] if verb != "run" else "run"} {{ sh = {quoted(words)}, cwd = {quoted(folder)}, '
                    f'env = {{ {pairs} }}, timeout = "20s"{options} }}')
        return make

    def kernel(self):
        with open(os.path.join(HERE, "writes/kernel.tsv"), encoding="utf-8") as f:
            rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
        for name, prepare, act, changed, _ in rows:
            victim = "VICTIM" in act + changed
            self.in_place("command: " + name, self.sh(act), changed, victim, prepare)
        for name, line, changed in COMMANDS:
            for key, value in self.words.items():
                line, changed = (text.replace("{" + key + "}", value) for text in (line, changed))
            for access in ("", "+net") if name.startswith(NETWORKED) else ("",):
                self.in_place("command: " + name + access, self.sh(line), changed, access=access)

    def verbs(self):
        rows = [line.split()[:2] for line in self.run_it("help", "verbs", code=0).out.splitlines()]
        writing = {row[0] for row in rows if row[1:] in (["write"], ["probe"])}
        self.assertEqual(set(), writing - set(VERBS), "verbs that no way tries")
        prepare = ("echo z | gzip > z.gz; sqlite3 db 'CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1)'; mkdir q; "
                   "echo A=0 > .env")
        for name, (text, changed) in VERBS.items():
            def make(folder, env, n, verb, text=text):
                return text.format(d=folder, n=n, pid=env.get("VICTIM"), started=env.get("STARTED"), **self.words)
            if name == "file.bring_back":
                self.in_place("verb: " + name, make, changed, prepare=self.quarantined)
            else:
                self.in_place("verb: " + name, make, changed, name.startswith("system."), prepare)
        for query in SQLITE:
            spots = self.place(False, prepare)
            call = [f'sql("{folder}/db"):%s({quoted(query.format(d=folder))})' for folder, _ in spots]
            self.ways.append(Way("sqlite: " + query, call[0] % "rows", "never" if "INTO '" in query else call[1] % "exec"))

    quarantined = ("mkdir q && mv f q/001-back && printf '{\"schema\":\"runbook.quarantine/1\",\"time\":\"2026-01-01T00:00:00Z\","
                   "\"files\":[{\"from\":\"%s/back\",\"to\":\"001-back\"}]}' \"$PWD\" > q/manifest.json")

    def databases(self):
        for driver, server in (("postgres", self.pg), ("mariadb", self.my)):
            lists = self.table(driver + ".sql")
            for query in lists["writes"] + lists["never"]:
                for account in ("", "-read"):
                    done_in_step = not account and query in lists["writes"]
                    self.ways.append(Way(f"{driver}{account}: {query}", f'sql("{driver}{account}"):rows({quoted(query)})',
                                         f'sql("{driver}"):exec({quoted(query)})' if done_in_step else "never"))
            self.assertTrue(server.answers())
        never = False
        with open(os.path.join(HERE, "writes/redis.jsonl"), encoding="utf-8") as f:
            for line in f:
                never = line.startswith("# never") or (never and not line.startswith("#"))
                if not line.startswith("#"):
                    words = json.loads(line)
                    call = f'redis("cache"):%s({", ".join(map(quoted, words))})'
                    self.ways.append(Way("redis: " + shlex.join(words), call % "ask", "never" if never else call % "call"))

    def fingerprints(self):
        asks = [self.pg.ask("SELECT (SELECT count(*) FROM orders), (SELECT last_value FROM orders_id_seq), (SELECT count(*) FROM pg_class), "
                            "(SELECT count(*) FROM pg_largeobject_metadata), (SELECT md5(string_agg(state, ',' ORDER BY id)) FROM orders), "
                            "pg_conf_load_time()"),
                self.my.ask("SELECT (SELECT sum(crc32(concat(id, state))) FROM shop.orders), (SELECT count(*) FROM shop.scratch), "
                            "(SELECT next_not_cached_value FROM shop.counter), (SELECT count(*) FROM information_schema.tables), "
                            "(SELECT count(*) FROM mysql.user), @@global.max_connections"),
                self.cache.ask("DEBUG", "DIGEST")]
        for done in asks:
            self.assertEqual(0, done.returncode, done.stderr)
        return [done.stdout for done in asks] + [sorted(os.listdir(self.open_dir))]

    # ---- the two runs ----

    def start(self):
        self.ways, self.victims, self.count = [], [], 0
        self.open_dir = os.path.join(self.dir, "open")
        os.mkdir(self.open_dir)
        for folder, mode in ((self.dir, 0o755), (self.open_dir, 0o777)):
            os.chmod(folder, mode)
        self.peer = Peer(self, self.dir)
        self.pg, self.my, self.cache = Postgres(self), MariaDB(self), Redis(self)
        at = f"127.0.0.1:{self.peer.port}"
        self.words = {"http": "http://" + at, "ws": "ws://" + at, "sock": self.peer.sock, "port": str(self.peer.port),
                      "redis": str(self.cache.port)}
        pg = f'driver = "postgres", socket = "{self.pg.dir}", port = {self.pg.port}, user = "admin", database = "postgres"'
        my = f'driver = "mysql", socket = "{self.my.dir}/socket", user = "root", database = "shop"'
        self.config(f'''connection "postgres" {{ {pg} }}
connection "postgres-read" {{ {pg}, read = {{ user = "reader" }} }}
connection "mariadb" {{ {my} }}
connection "mariadb-read" {{ {my}, read = {{ user = "reader" }} }}
connection "cache" {{ url = "redis://127.0.0.1:{self.cache.port}/0" }}
channel "chat" {{ kind = "slack", url = "http://{at}/chat" }}
''')

    def step(self, id, texts, by="try"):
        """All texts in one step, one after the other, whatever becomes of each (by = "": the first error ends it)."""
        lines = [f"  {by}(function() {text} end)\n" if by else f"  {text}\n" for text in texts]
        self.book(f"a/{id}", f'runbook "a/{id}" {{ title = "t", severity = "P4", target = "x" }}\n'
                  f'step "all" {{ title = "t", risk = "low", timeout = "9m", run = function()\n{"".join(lines)}end }}\n')
        return self.big("exec", f"a/{id}", "--yes", "--no-input", "--timeout", "9m")

    def big(self, *args):
        done = subprocess.run([RUNBOOK, *args, "-o", "json"], capture_output=True, timeout=600, env=self.env, cwd=self.dir)
        self.assertTrue(done.stdout, done.stderr)
        return json.loads(done.stdout)

    def checks(self):
        book = 'runbook "a/checks" { title = "t", severity = "P4", target = "x" }\n'
        for i, way in enumerate(self.ways):
            book += f'check "w{i}" {{ title = "t", run = function() {way.check} end }}\n'
        self.book("a/checks", book)
        return self.big("exec", "a/checks", "--diagnose", "--no-input", "--timeout", "9m")["checks"]

    def in_checks(self):
        """The names of what a check could do."""
        before, done = self.fingerprints(), []
        for way, check in zip(self.ways, self.checks()):
            if way.changed(0) if way.changed else check["result"] not in ("failed", "refused"):
                done.append(f"{way.name}: {check}")
        self.assertEqual(before, self.fingerprints())
        return done

    def in_steps(self):
        """The names of what a step could not do."""
        failed = []
        probes = [w for w in self.ways if w.name.endswith(".probe") and not w.changed]  # they leave nothing: no effect is told
        run = self.step("probes", [f'do local x = {w.step}; assert(x == true or x.ok) end' for w in probes], "")
        self.assertEqual("done", run["result"], run)
        seen, told = ([w for w in self.ways if w.step != "never" and w not in probes and bool(w.changed) == shown] for shown in (True, False))
        run = self.step("seen", [w.step for w in seen])
        self.assertEqual("done", run["result"], run.get("error"))
        failed += [w.name for w in seen if not w.changed(1)]
        run = self.step("told", [w.step for w in told])
        effects = run["steps"][0]["effects"]
        failed += [f"{w.name}: {e['error']['message']}" for w, e in zip(told[:-1], effects) if not e["ok"]]
        self.assertEqual((len(told), "unknown", "redis: SHUTDOWN NOSAVE"), (len(effects), run["result"], told[-1].name), effects[-1])
        return failed, len(seen) + len(told) + len(probes)

    maxDiff = None

    def test_all(self):
        self.start()
        for name in ("postgres", "mariadb"):
            made = self.step(name + "-setup", [f'sql("{name}"):exec({quoted(q)})' for q in self.table(name + ".sql")["setup"]])
            self.assertEqual([], [e for e in made["steps"][0]["effects"] if not e["ok"]])
        for group in (self.kernel, self.verbs, self.databases):
            group()
        done, (failed, count) = self.in_checks(), self.in_steps()
        print(f"{len(self.ways)} ways to write: {len(done)} succeeded in a check; of {count} tried in a step, {count - len(failed)} did",
              file=sys.stderr)
        self.assertEqual(([], []), (done, failed))
        self.assertGreater(count, 150)


if __name__ == "__main__":
    unittest.main()
