"""Ends the program at every point where it writes, syncs, or passes a named place; lets it go on; and compares.

    torture.py RUNBOOK [--quick SECONDS] [--seed N] [--jobs N] [--only NAME] [--modes kill,power,again,runner,spawn,worker,io,io+]
                       [--point NAME:MODE:N]

The oracle is outside: effects are lines that commands append to a file, rows in a database, requests that a server
here counted. RUNBOOK must be built with RUNBOOK_CRASH_POINTS. Figures that must be zero decide the exit code."""
import argparse
import http.server
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

HEAD = 'runbook "t/%s" { title = "t", severity = "P3", target = "%s"%s }\nparam "dir" { type = "path", required = true, title = "d" }\nparam "port" { type = "int", default = 0, title = "p" }\n'
ACT = '''local function act(name) return function(p) shell.run { "sh", "-c", 'echo "$1" >> effects', "sh", name, cwd = p.dir } end end
local function seen(name) return function(p) return shell.read { "grep", "-qx", name, "effects", cwd = p.dir }.code == 0 end end
'''


def step(name, more="", risk="medium", run=None):
    return 'step "%s" { title = "%s", risk = "%s", no_undo = "-", run = %s%s }\n' % (
        name, name, risk, run or 'act "%s"' % name, more)


class Scenario:
    """effects: what must have happened once when all is done. once: of an unknown one a person is asked.
    others: another login agrees when the run is parked; "before": what is ended is the resume after that, so that the
    points lie between the approval, its use and the write. stop: while its command HOLD runs it is cancelled, by Ctrl-C
    or `runbook stop`, and ends unknown; the points lie before, within and after the cancelling. second: the first journal
    cannot be used, all of it is recorded in the second."""

    def __init__(self, name, body, effects, flags=("--yes",), locks="", again=(), others=None, stop=None, second=False):
        self.name, self.effects, self.flags, self.again, self.others = name, effects, flags, again, others
        self.stop, self.second = stop, second
        self.text = HEAD % (name, name, locks) + ACT + body
        self.ends = 4 if others == "after" else 9 if stop else 0


OTHER = 60002  # a login that is not ours

FIX = '''finding "bad" { title = "bad" }
check "look" { title = "look", run = function(p)
  if not file.stat(p.dir .. "/good") then found "bad" end end }
fix "mend" { when = "bad", title = "mend", risk = "%s", no_undo = "-", key = "word",
  run = function(p) shell.run { "sh", "-c", "echo mend >> effects; touch good", cwd = p.dir } end }
param "word" { type = "string", default = "orders", title = "w" }
'''

HOLD = '''function(p)
  shell.run { "sh", "-c", 'echo "$1" >> effects; while test -e hold; do sleep 0.02; done', "sh", "slow", cwd = p.dir } end'''
HELD_SECONDS = 60

RECEIPTS = "CREATE TABLE runbook_receipts(receipt TEXT PRIMARY KEY, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID"
CHANNEL = 'channel "ops" { kind = "webhook", url = "http://127.0.0.1:%d/one" }\n'

SCENARIOS = [
    Scenario("command", step("one", risk="low") + step("two"), ["one", "two"]),
    Scenario("verify", step("one", ', verify = seen "one"') + step("two", ', verify = seen "two"'), ["one", "two"]),
    Scenario("idempotent", step("one", ", idempotent = true") + step("two"), ["one", "two"], again=("one",)),
    Scenario("fix", FIX % "medium", ["mend"]),
    Scenario("confirm", FIX % "high", ["mend"], ("--confirm", "orders", "--fix", "mend")),
    Scenario("several", step("both", run='''function(p)
      act "one"(p); local at = now(); wait "10ms"; act "two"(p); note("{at}", { at = at }) end'''), ["one", "two"]),
    Scenario("parallel", step("all", run='''function(p)
      parallel({ "a", "b", "c" }, function(name) act(name)(p) end, { max = 2 }) end''') + step("after"),
      ["a", "b", "c", "after"]),
    Scenario("lock", step("one"), ["one"], locks=', locks = { "shared" }'),
    Scenario("question", 'step "ask" { title = "ask", by_hand = "say", asks = { word = { type = "string", title = "w" } } }\n'
             + step("one", run='function(p, r) act(r.ask.word)(p) end'), ["said"],
             ("--yes", "--answer", "ask.word=said")),
    Scenario("sql", step("one", run='function(p) sql(p.dir .. "/db"):exec("INSERT INTO effects VALUES (?)", "one") end')
             + step("two", ''', verify = function(p)
      return sql(p.dir .. "/db"):value("SELECT count(*) FROM effects WHERE name = 'two'") == 1 end''',
                    run='function(p) sql(p.dir .. "/db"):exec("INSERT INTO effects VALUES (?)", "two") end'), ["one", "two"]),
    Scenario("receipt", "".join(step(name, run='function(p) sql(p.dir .. "/db"):exec("INSERT INTO effects VALUES (?)", "%s") end'
                                     % name) for name in ("one", "two"))
             + step("three", run='''function(p) sql(p.dir .. "/db"):tx { { "INSERT INTO effects VALUES (?)", { "three" } },
      { "UPDATE effects SET name = name" } } end'''), ["one", "two", "three"]),
    Scenario("notify", step("one", run='function(p) notify("ops", "one") end') + step("two"), ["one", "two"]),
    Scenario("http", step("one", run='function(p) http.post("http://127.0.0.1:" .. p.port .. "/one", { body = "x" }) end')
             + step("two", ''', verify = function(p)
      return http.get("http://127.0.0.1:" .. p.port .. "/seen/two").body == "1" end''',
                    run='function(p) http.post("http://127.0.0.1:" .. p.port .. "/two", { body = "x" }) end'), ["one", "two"]),
    Scenario("file", step("one", ', verify = function(p) return file.read(p.dir .. "/made") == "x" and seen "one"(p) end',
                          run='function(p) file.write(p.dir .. "/made", "x"); act "one"(p) end'), ["one"]),
    Scenario("park", step("one") + step("two", ", approvals = 1") + step("last"), ["one", "two", "last"],
             ("--yes", "--wait"), others="after"),
    Scenario("approval", step("one", ", approvals = 1") + step("last"), ["one", "last"], ("--yes", "--wait"), others="before"),
    Scenario("optional", step("one") + step("slow", run='function(p) act "slow"(p); wait "20ms"; shell.read { "true" } end')
             + step("last", ", optional = true"), ["one", "slow", "last"]),
    Scenario("cancel", step("one") + step("slow", run=HOLD) + step("last"), ["one", "slow", "last"], stop="interrupt"),
    Scenario("stop", step("one") + step("slow", run=HOLD) + step("last"), ["one", "slow", "last"], stop="command"),
    Scenario("second", step("one") + step("two", ', verify = seen "two"') + step("three"), ["one", "two", "three"], second=True),
]


class Counter(http.server.BaseHTTPRequestHandler):
    """Counts what arrives, by path; lives outside of everything that is killed."""
    seen = {}

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.setdefault(self.server.key, []).append(self.path.strip("/"))
        self.answer(b"ok")

    def do_GET(self):
        self.answer(str(self.seen.get(self.server.key, []).count(self.path.split("/")[-1])).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Figures:
    def __init__(self):
        self.points = self.unknown = self.compound = 0
        self.bad = {"lost outcomes": [], "doubled writes": [], "effects without intent": [],
                    "unknowns self-resolved": [], "ends that are not true": [], "records that do not verify": [],
                    "locks left or lost": []}

    def add_all(self, other):
        self.points += other.points
        self.unknown += other.unknown
        self.compound += other.compound
        for what, found in other.bad.items():
            self.bad[what] += found

    def add(self, what, where, why):
        self.bad[what].append("%s: %s" % (where, why))
        print("!! %s  %s: %s" % (what, where, why), flush=True)


class Point:
    """One place where the program dies, in a folder of its own."""

    def __init__(self, runbook, scenario, mode, n, server, figures):
        self.runbook, self.scenario, self.mode, self.n, self.figures = runbook, scenario, mode, n, figures
        self.where = "%s:%s:%d" % (scenario.name, mode, n)
        self.dir = tempfile.mkdtemp(prefix="rb-torture-")
        self.server = server
        server.key = self.dir
        os.mkdir(self.dir + "/t")
        with open("%s/t/%s.lua" % (self.dir, scenario.name), "w") as f:
            f.write(scenario.text)
        if scenario.name in ("sql", "receipt"):
            with sqlite3.connect(self.dir + "/db") as db:
                db.execute("CREATE TABLE effects(name)")
                if scenario.name == "receipt":
                    db.execute(RECEIPTS)
            db.close()
        if scenario.others:  # two logins meet in a folder of their group
            os.chmod(self.dir, 0o755)
            os.makedirs(self.dir + "/state/runbook")
            os.chmod(self.dir + "/state/runbook", 0o2770)
        if scenario.name == "notify":
            os.makedirs(self.dir + "/config/runbook", mode=0o700)
            with open(self.dir + "/config/runbook/config.lua", "w") as f:
                f.write(CHANNEL % server.server_port)
            os.chmod(f.name, 0o600)
        self.env = {"PATH": os.environ["PATH"], "HOME": self.dir, "LANG": "C.UTF-8", "RUNBOOK_PATH": self.dir,
                    "XDG_STATE_HOME": self.dir + "/state", "XDG_CONFIG_HOME": self.dir + "/config",
                    "XDG_CACHE_HOME": self.dir + "/cache"}
        self.journal = self.dir + "/state/runbook/journal.db"
        if scenario.second:
            os.makedirs(self.journal, mode=0o700)  # a folder where the first would be
            os.mkdir(self.dir + "/record", 0o700)
            self.env["RUNBOOK_RECORD"] = self.dir + "/record"
            self.journal = self.dir + "/record/journal.db"

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, *args, **env):
        return subprocess.run([self.runbook, *args, "--no-input", "-o", "jsonl"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**self.env, **env}, timeout=120)

    def agree(self):
        """Another login says yes to whatever waits."""
        run = self.last_run()
        if run:
            subprocess.run([self.runbook, "approve", run, "--reason", "seen", "--no-input"], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, user=OTHER, group=os.getgid(),
                           extra_groups=[], env={**self.env, "HOME": "/", "XDG_CONFIG_HOME": "/nonexistent"})

    def begin(self, **env):
        """What is ended: the run, or where that is meant, its going on after others agreed, or its being cancelled."""
        if self.scenario.stop:
            return self.exec_and_stop(**env)
        if self.scenario.others != "before":
            return self.exec(**env)
        if self.last_run() is None:
            self.exec()
            self.agree()
        return self.call("resume", self.last_run(), *self.scenario.flags, **env)

    def exec_words(self):
        return ["exec", "t/" + self.scenario.name, "dir=" + self.dir, "port=%d" % self.server.server_port, *self.scenario.flags]

    def exec(self, **env):
        return self.call(*self.exec_words(), **env)

    def exec_and_stop(self, **env):
        """Cancelled as soon as the command HOLD is under way; what comes later in its life finds nothing that holds it."""
        open(self.dir + "/hold", "w").close()
        command = [self.runbook, *self.exec_words(), "--no-input", "-o", "jsonl"]
        host = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**self.env, **env})
        end = time.monotonic() + HELD_SECONDS
        while host.poll() is None and "slow" not in self.effects() and time.monotonic() < end:
            time.sleep(0.005)
        if host.poll() is None and self.scenario.stop == "interrupt":
            host.send_signal(signal.SIGINT)
        elif host.poll() is None:
            self.call("stop", self.last_run())
        out, err = host.communicate(timeout=HELD_SECONDS)
        os.remove(self.dir + "/hold")
        return subprocess.CompletedProcess(command, host.returncode, out, err)

    def crash_env(self):
        if self.mode.startswith("io"):
            return {"RUNBOOK_CRASH_IO": "%d%s" % (self.n, self.mode[2:])}
        env = {"RUNBOOK_CRASH_AT": str(self.n)}
        if self.mode == "power":
            env["RUNBOOK_CRASH_LOSE"] = "1"
        elif self.mode in ("runner", "spawn", "worker"):
            env["RUNBOOK_CRASH_WHO"] = self.mode
        return env

    # ---- what is there ----

    def effects(self):
        found = list(Counter.seen.get(self.dir, []))
        if os.path.exists(self.dir + "/effects"):
            with open(self.dir + "/effects") as f:
                found += f.read().split()
        if self.scenario.name in ("sql", "receipt"):
            db = sqlite3.connect(self.dir + "/db")
            found += [row[0] for row in db.execute("SELECT name FROM effects")]
            db.close()
        return found

    def events(self):
        if not os.path.isfile(self.journal):
            return []
        db = sqlite3.connect("file:%s?mode=ro" % self.journal, uri=True)
        try:
            return [(run, kind, json.loads(body)) for run, kind, body in
                    db.execute("SELECT run, kind, body FROM events ORDER BY id")]
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    def open_calls(self):
        """Writes without an outcome, or with an unknown one that no verify settled, and the blocks they are in."""
        calls, announced = {}, {}
        for _, kind, body in self.events():
            if kind == "call.intent":
                (announced if body.get("announces") else calls)[body["call"]] = body
            elif kind == "call.began" and body["call"] in announced:
                calls[body["call"]] = {**announced[body["call"]], "began": body}
            elif kind == "call.outcome" and body.get("error", {}).get("code") != "unknown":
                calls.pop(body["call"], None)
        return calls

    # ---- what must hold ----

    @staticmethod
    def told(lines):
        for line in lines.splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                pass  # cut off in the middle

    def check_acknowledged(self, lines):
        """What was told is on disk; only looks of a run that says so itself ("recorded": false) need not be."""
        recorded = {(b.get("call"), b.get("frame")) for _, k, b in self.events() if k == "call.outcome"}
        marked = any(e.get("t") == "run.ended" and e.get("recorded") is False for e in self.told(lines))
        for event in self.told(lines):
            changed = event.get("effect") == "write" and event.get("ok")
            if event.get("t") == "call.outcome" and (event.get("call"), event.get("frame")) not in recorded and \
                    (changed or not marked):
                self.figures.add("lost outcomes", self.where, event.get("text"))

    def check_intents(self):
        words = {self.effect_of(b["args"]) for _, k, b in self.events() if k == "call.intent"}
        for name in set(self.effects()) - words:
            self.figures.add("effects without intent", self.where, name)

    def check_record(self):
        if os.path.isfile(self.journal):
            done = self.call("audit", "verify")
            if done.returncode != 0:
                self.figures.add("records that do not verify", self.where, done.stdout + done.stderr)

    def ended(self, run):
        return any(r == run and kind == "run.ended" for r, kind, _ in self.events())

    def check_refusal(self, code, lines):
        """The record could not be written. 10: what it has open did not happen. 1: an outcome was late, and the run says
        that this stopped it. 9: an outcome is missing. 0: a moment later it could be written."""
        happened = [c["text"] for c in self.open_calls().values() if self.effect_of(c["args"]) in self.effects()]
        stopped = any(e.get("t") == "block.ended" and e.get("code") == "journal" for e in self.told(lines))
        if code == 4 and self.scenario.others:
            return  # the error passed: it waits as it should
        if code not in (0, 9, 10) and not (code == 1 and stopped):
            self.figures.add("ends that are not true", self.where, "exit %d" % code)
        if happened and code != 9:
            self.figures.add("ends that are not true", self.where, "exit %d, but this happened: %s" % (code, happened))

    def check_end(self, code):
        effects = self.effects()
        for name in set(effects):
            if effects.count(name) > 1 and name not in self.scenario.again:
                self.figures.add("doubled writes", self.where, "%s x%d" % (name, effects.count(name)))
        missing = [e for e in self.scenario.effects if e not in effects]
        if code == 0 and missing:
            self.figures.add("ends that are not true", self.where, "ended well without %s" % missing)
        if code not in ((0, 1, 9, 10) if self.mode.startswith("io") else (0, 9)):
            self.figures.add("ends that are not true", self.where, "exit %d" % code)

    def may_settle(self, call):
        """By itself: a verify or idempotent stands in the block, or a receipt says it."""
        if "receipt" in call.get("began", {}):
            return True
        for line in self.scenario.text.splitlines():
            if '"%s"' % call["id"] in line and ("verify" in line or "idempotent" in line):
                return True
        return self.scenario.name in ("fix", "confirm", "file") or \
            (self.scenario.name in ("sql", "http") and call["id"] == "two")

    def last_run(self):
        runs = [run for run, kind, _ in self.events() if kind == "run.started"]
        return runs[-1] if runs else None

    @staticmethod
    def effect_of(args):
        """The word that this call leaves behind."""
        if "url" in args:
            return args["url"].rsplit("/", 1)[-1]
        if "params" in args:
            return args["params"][0]
        if "statements" in args:
            return args["statements"][0][1][0]
        if "channel" in args:
            return "one"
        return "mend" if "mend" in args.get("argv", [""])[-1] else args.get("argv", [""])[-1]

    def person(self, run):
        """Looks whether it happened, and says so."""
        self.figures.unknown += 1
        busy = self.exec()
        if busy.returncode != 8:
            self.figures.add("locks left or lost", self.where, "exec beside an unknown run: %d" % busy.returncode)
        if self.call("resume", run, *self.scenario.flags).returncode != 9:
            self.figures.add("unknowns self-resolved", self.where, "a second resume")
        code = 9
        for number, call in self.open_calls().items():
            happened = self.effect_of(call["args"]) in self.effects()
            self.call("resolve", run, str(number), "--done" if happened else "--not-done", "--reason", "looked")
        for _ in range(5):
            if self.scenario.others:
                self.agree()
            code = self.call("resume", run, *self.scenario.flags).returncode
            if code != 9 and not (code == 4 and self.scenario.others):
                break
        return code

    def go_on(self, run, **env):
        before = self.open_calls()
        if self.scenario.others:
            self.agree()
        done = self.call("resume", run, *self.scenario.flags, **env)
        if self.scenario.others and done.returncode == 4:
            return self.go_on(run)
        if env and done.returncode == -9:
            self.figures.compound += 1
            return self.go_on(run)
        once = [c for c in before.values() if not self.may_settle(c)]
        if once and done.returncode != 9:
            self.figures.add("unknowns self-resolved", self.where, "%s, exit %d" % (once[0]["text"], done.returncode))
        return self.person(run) if done.returncode == 9 else done.returncode

    def test(self, second=0):
        done = self.begin(**self.crash_env())
        self.figures.points += 1
        self.check_acknowledged(done.stdout.decode(errors="replace"))
        self.check_intents()
        run, code = self.last_run(), done.returncode
        if self.mode in ("runner", "spawn", "worker"):
            return self.after_a_part(run, code)
        if self.mode.startswith("io"):
            self.check_refusal(code, done.stdout.decode(errors="replace"))
        if run is None:
            code = self.exec().returncode  # it died before it was anything
            if code == 4 and self.scenario.others:
                code = self.go_on(self.last_run())
        elif code == -9 or not self.ended(run):
            code = self.go_on(run, **({"RUNBOOK_CRASH_AT": str(second)} if second else {}))
        self.check_end(code)
        self.check_intents()
        self.check_record()

    def after_a_part(self, run, code):
        """The host lives and says how it ended; it never says done when it is not."""
        open_calls = self.open_calls()
        if code == 0:
            self.check_end(code)
        elif code == 4 and self.scenario.others:
            pass  # it is parked
        elif code == 9:
            self.figures.unknown += 1
        elif [c for c in open_calls.values()]:
            self.figures.add("unknowns self-resolved", self.where, "exit %d with an open write" % code)
        effects = self.effects()
        for name in set(effects):
            if effects.count(name) > 1 and name not in self.scenario.again:
                self.figures.add("doubled writes", self.where, name)
        self.check_record()


def count_points(runbook, scenario, server):
    point = Point(runbook, scenario, "count", 0, server, Figures())
    try:
        done = point.begin(RUNBOOK_CRASH_LOG=point.dir + "/points")
        if done.returncode != scenario.ends:
            sys.exit("%s without a crash: exit %d\n%s%s" % (scenario.name, done.returncode, done.stdout.decode(),
                                                            done.stderr.decode()))
        if not os.path.exists(point.dir + "/points"):
            sys.exit("%s has no crash points: build it with RUNBOOK_CRASH_POINTS" % runbook)
        with open(point.dir + "/points") as f:
            names = f.read().split("\n")[:-1]
        return len(names), names.count("write") + names.count("sync")
    finally:
        point.close()


def plan(args, server, rng):
    """All (scenario, mode, n); again = killed, and killed once more while it goes on."""
    todo, counts = [], {}
    for scenario in SCENARIOS:
        if args.only and scenario.name != args.only:
            continue
        counts[scenario.name], operations = count_points(args.runbook, scenario, server)
        for mode in args.modes.split(","):
            spread = 1 if mode in ("kill", "power", "io", "io+") else 7 if mode == "again" else 5
            count = operations if mode.startswith("io") else counts[scenario.name]
            todo += [(scenario, mode, n) for n in range(1 + rng.randrange(spread), count + 1, spread)]
    print("  ".join("%s %d" % item for item in counts.items()), flush=True)
    rng.shuffle(todo)
    return todo


def counter_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counter)
    server.key = ""
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def begin_worker(runbook, end):
    global own, last
    own, last = (runbook, counter_server()), end


def test_one(job):
    """In a process of its own, with its own counter; None after the end, so that what is under way then still ends by itself."""
    name, mode, n, second = job
    figures = Figures()
    if last and time.monotonic() > last:
        return None
    point = Point(own[0], next(s for s in SCENARIOS if s.name == name), mode, n, own[1], figures)
    try:
        point.test(second)
    finally:
        point.close()
    return figures


def each(args, todo):
    rng = random.Random(args.seed)
    jobs = ((s.name, mode, n, 1 + rng.randrange(60) if mode == "again" else 0) for s, mode, n in todo)
    end = time.monotonic() + args.quick if args.quick else 0
    with multiprocessing.Pool(args.jobs, begin_worker, (args.runbook, end)) as pool:
        yield from filter(None, pool.imap_unordered(test_one, jobs))


def report(figures, seconds):
    print("\n%-28s %d" % ("points", figures.points))
    print("%-28s %d" % ("of them killed again", figures.compound))
    print("%-28s %d" % ("runs a person had to settle", figures.unknown))
    for what, list_ in figures.bad.items():
        print("%-28s %d" % (what, len(list_)))
    print("%-28s %.0f s" % ("took", seconds))
    return 1 if any(figures.bad.values()) else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runbook")
    parser.add_argument("--quick", type=float, default=0, help="begin no point after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", action="store_true", help="stop at the first that is not as it must be")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only")
    parser.add_argument("--modes", default="kill,power,again,runner,spawn,worker,io,io+")
    parser.add_argument("--point", help="one of them again")
    args = parser.parse_args()
    server = counter_server()
    rng, figures, started = random.Random(args.seed), Figures(), time.monotonic()
    if args.point:
        name, mode, n = args.point.split(":")
        todo = [(next(s for s in SCENARIOS if s.name == name), mode, int(n))]
    else:
        todo = plan(args, server, rng)
    for one in each(args, todo):
        figures.add_all(one)
        if args.first and any(figures.bad.values()):
            break
    return report(figures, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
