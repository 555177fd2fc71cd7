"""JSON-RPC peers that do what the method says, good and bad: over TCP (lines), a UNIX socket, and HTTP. Prints its
addresses, then every request as it came. Argument: the path of the UNIX socket."""
import http.server
import json
import os
import socketserver
import sys
import threading
import time

lock = threading.Lock()


def say(value):
    with lock:
        print(json.dumps(value), flush=True)


def ok(request, result):
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result})


def answer(text):
    """The text to send, or None for silence; an exception closes."""
    request = json.loads(text)
    say({"request": request})
    if isinstance(request, list):
        replies = [json.loads(answer_one(one)) for one in request]
        if any(one["method"] == "short" for one in request):
            replies = replies[1:]
        return json.dumps(list(reversed(replies)))
    return answer_one(request)


def answer_one(request):
    method = request["method"]
    if method == "never":
        return None
    if method == "close":
        raise ConnectionResetError
    if method == "half":
        return ok(request, "x" * 50)[:40]
    if method == "wrong_id":
        return json.dumps({"jsonrpc": "2.0", "id": request["id"] + 1, "result": 1})
    if method == "string_id":
        return json.dumps({"jsonrpc": "2.0", "id": str(request["id"]), "result": 1})
    if method == "nothing":
        return json.dumps({"jsonrpc": "2.0", "id": request["id"]})
    if method == "not_json":
        return "<html>502</html>"
    if method == "deep":
        return "[" * 200 + "]" * 200
    if method == "huge":
        return ok(request, "z" * (100 << 20))
    if method == "fails":
        return json.dumps({"jsonrpc": "2.0", "id": request["id"],
                           "error": {"code": -32000, "message": "execution reverted", "data": "0x08c379a0"}})
    if method == "no_id":
        return json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}})
    if method == "exact":
        return '{"jsonrpc":"2.0","id":%d,"result":[9007199254740993,-9223372036854775808,1.5,null,[],{}]}' % request["id"]
    if method == "chatty":
        return '{"jsonrpc":"2.0","method":"tick","params":[1]}' + ok(request, "after a notification")
    return ok(request, {"method": method, "params": request["params"]})


class Stream(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            try:
                text = answer(line)
            except ConnectionResetError:
                return
            if text is None:
                time.sleep(20)
                return
            try:
                self.wfile.write(text.encode())  # without a line end
                self.wfile.flush()
            except OSError:
                return
            if json.loads(line).get("method") == "half" if line.startswith(b"{") else False:
                return


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 429 if b"limited" in body else 500 if b"fails" in body else 200
        try:
            text = answer(body)
        except ConnectionResetError:
            self.close_connection = True
            return
        if text is None:
            time.sleep(20)
            return
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode()) + (10 if b"half" in body else 0)))
            self.end_headers()
            self.wfile.write(b"slow down" if status == 429 else text.encode())
            if b"half" in body or status == 429:
                self.close_connection = True
        except OSError:
            pass


class Tcp(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


path = sys.argv[1]
tcp, unix = Tcp(("127.0.0.1", 0), Stream), Unix(path, Stream)
web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Http)
web.daemon_threads = True
for server in (tcp, unix, web):
    threading.Thread(target=server.serve_forever, daemon=True).start()
say({"tcp": tcp.server_address[1], "unix": path, "http": web.server_port})
sys.stdin.read()
