-- Small programs of a drill's lab, in the languages that every lab has: what a real server is kept by, and servers that
-- do what they are told. Not a module of runbooks.
local programs = {}

--- keeper.py FOLDER SIGNAL once|again COMMAND…: runs a server as a child, its number in FOLDER/pid, its words in
--- FOLDER/log. HUP starts it anew, USR1 ends it, USR2 starts it, TERM ends both. again: also when it ends by itself.
programs.keeper = [[
import os, signal, subprocess, sys, time
folder, how, mood, *argv = sys.argv[1:]
signals = {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGCHLD}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
signal.signal(signal.SIGCHLD, lambda *_: None)
child = group = None
def put(number):
    with open(folder + "/pid.new", "w") as f: f.write(str(number))
    os.rename(folder + "/pid.new", folder + "/pid")
def start():
    global child, group
    with open(folder + "/log", "ab") as log:
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, restore_signals=True, process_group=0,
                                 preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, signals))
    group = child.pid
    put(group)
def gone():
    global child
    if child and child.poll() is not None:
        child = None
        os.unlink(folder + "/pid")
    return child is None
def end():
    if gone(): return
    child.send_signal(signal.SIGCONT)
    child.send_signal(getattr(signal, "SIG" + how))
    until = time.monotonic() + 5
    while not gone() and time.monotonic() < until: time.sleep(0.02)
    if not gone():
        child.kill()
        child.wait()
        gone()
start()
print("keeping", flush=True)
while True:
    got = signal.sigwait(signals)
    if got == signal.SIGCHLD:
        if gone() and mood == "again":
            time.sleep(0.2)
            start()
    elif got == signal.SIGTERM:
        end()
        try: os.killpg(group, signal.SIGKILL)  # what a server that was killed left behind
        except ProcessLookupError: pass
        sys.exit()
    elif got == signal.SIGUSR1: end()
    elif got == signal.SIGUSR2: gone() and start()
    else:
        end()
        start()
]]

--- What a runbook restarts a lab's server by: an init script, as LSB has them.
programs.service = [[
#!/bin/sh
# status restart stop start of the server in @DIR@
number() { cat '@DIR@/pid' 2>/dev/null || true; }
await() { # $1: word, $2: the number it had
    for _ in $(seq 300); do
        now=$(number)
        case $1 in
        stop) [ -n "$now" ] || exit 0 ;;
        *) [ -z "$now" ] || [ "$now" = "$2" ] || exit 0 ;;
        esac
        sleep 0.05
    done
    exit 1
}
old=$(number)
case $1 in
status) [ -n "$old" ] && [ -d "/proc/$old" ] || exit 3; echo "$old" ;;
restart) kill -HUP @KEEPER@; await restart "$old" ;;
stop) [ -n "$old" ] || exit 0; kill -USR1 @KEEPER@; await stop ;;
start) [ -z "$old" ] || exit 0; kill -USR2 @KEEPER@; await start '' ;;
*) exit 2 ;;
esac
]]

--- stub.py PORT FOLDER ADDRESS: an HTTP server that answers by FOLDER/routes.json (a copy of first.json when it starts), read at each request:
--- { "/path": { "status": 200, "body": "…", "delay": 0, "headers": {…} }, "*": … }. It writes what it was asked to
--- FOLDER/requests, a JSON object a line.
programs.http = [[
import http.server, json, shutil, sys, threading, time
port, folder, address = int(sys.argv[1]), sys.argv[2], sys.argv[3]
shutil.copy(folder + "/first.json", folder + "/routes.json")
lock = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.partition("?")[0]
        with lock, open(folder + "/requests", "a") as f:
            seen = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode("utf-8", "replace")}
            f.write(json.dumps(seen) + "\n")
        with open(folder + "/routes.json") as f: routes = json.load(f)
        route = routes.get(self.command + " " + path) or routes.get(path) or routes.get("*") or {"status": 404}
        time.sleep(route.get("delay", 0))
        reply, kind = route.get("body", ""), "text/plain"
        if not isinstance(reply, str): reply, kind = json.dumps(reply), "application/json"
        reply = reply.encode()
        self.send_response(route.get("status", 200))
        for name, value in {"Content-Type": kind, **(route.get("headers") or {})}.items(): self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(reply)
    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer
    def log_message(self, *words): print(*words, flush=True)
http.server.ThreadingHTTPServer((address, port), Handler).serve_forever()
]]

--- app.py CONFIG ADDRESS: see servers.app.
programs.app = [[
import http.server, re, sys
config = {}
for n, line in enumerate(open(sys.argv[1]), 1):
    if not re.fullmatch(r"\s*(#.*|[\w-]+:( .*)?)?\s*", line):
        sys.exit("yaml: line %d: could not find expected ':'" % n)
    if ": " in line and not line.lstrip().startswith("#"):
        name, value = line.split(": ", 1)
        config[name.strip()] = value.strip()
if not config.get("port", "").isdigit(): sys.exit("config: invalid value for port: %r" % config.get("port"))
if "needs" in config: open(config["needs"]).close()
if "data" in config: open(config["data"], "a").close()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *words): pass
print("starting", flush=True)
http.server.ThreadingHTTPServer((sys.argv[2], int(config["port"])), Handler).serve_forever()
]]

--- mail.py PORT FOLDER: an SMTP server (aiosmtpd) that writes each mail to FOLDER/mails, a JSON object a line.
programs.smtp = [[
import json, sys, threading
from aiosmtpd.controller import Controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[2] + "/mails", "a") as f:
            f.write(json.dumps({"from": envelope.mail_from, "to": envelope.rcpt_tos, "text": envelope.content.decode("utf-8", "replace")}) + "\n")
        return "250 OK"
Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1])).start()
threading.Event().wait()
]]

--- ws.py PORT FOLDER ADDRESS: a WebSocket server (websockets). FOLDER/mood.json, read at each connection: { "greet": ["…"], "close":
--- code, "after": seconds, "silent": bool }. Otherwise it says every message back.
programs.websocket = [[
import asyncio, json, sys, websockets
async def talk(socket, *_):
    with open(sys.argv[2] + "/mood.json") as f: mood = json.load(f)
    for text in mood.get("greet") or []: await socket.send(text)
    if mood.get("close"):
        await asyncio.sleep(mood.get("after", 0))
        await socket.close(mood["close"], mood.get("reason", ""))
        return
    async for message in socket:
        if not mood.get("silent"): await socket.send(message)
async def main():
    async with websockets.serve(talk, sys.argv[3], int(sys.argv[1])): await asyncio.Future()
asyncio.run(main())
]]

--- A contract that can be paused: paused(), owner(), pause(), unpause() with their events; anything else reverts with
--- Error("nope").
programs.pausable = "0x3360015560cd601060003960cd6000f360003560e01c80635c975abb1460535780638da5cb5b14605f5780638456cb5914606b57"
  .. "80633f4ba83a14609c576308c379a060e01b60005260206004526004602452636e6f706560e01b60445260646000fd5b60005460005260206000f3"
  .. "5b60015460005260206000f3"
  .. "5b6001600055336000527f62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a25860206000a100" -- Paused(address)
  .. "5b6000600055336000527f5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa60206000a100" -- Unpaused(address)

return programs
