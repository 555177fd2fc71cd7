"""Chat vendors, as their documents describe them. Prints every request it gets, one JSON object a line, and answers by
the path: /PLATFORM/what. Signatures are checked as the vendor does, with code of its own."""
import base64
import hashlib
import hmac
import http.server
import json
import sys
import threading
import time
import urllib.parse

SECRETS = {"dingtalk": "SECtest", "feishu": "feishu-test", "webhook": base64.b64encode(b"0123456789abcdef").decode()}
counts = {}
lock = threading.Lock()


def say(value):
    """A line of its own: print writes a line and its end apart, and each request has its thread."""
    with lock:
        print(json.dumps(value), flush=True)


def count_of(path):
    with lock:
        counts[path] = counts.get(path, 0) + 1
        return counts[path]


def mac(key, message):
    return base64.b64encode(hmac.new(key.encode() if isinstance(key, str) else key, message.encode(), hashlib.sha256).digest()).decode()


def dingtalk(query, body, headers):
    stamp, sign = query.get("timestamp", [""])[0], query.get("sign", [""])[0]
    fresh = stamp.isdigit() and abs(time.time() * 1000 - int(stamp)) < 3600000
    if not fresh or sign != mac(SECRETS["dingtalk"], f"{stamp}\n{SECRETS['dingtalk']}"):
        return {"errcode": 310000, "errmsg": "sign not match"}
    return {"errcode": 0, "errmsg": "ok"}


def feishu(query, body, headers):
    sent = json.loads(body)
    stamp = sent.get("timestamp", "0")
    if abs(time.time() - int(stamp)) > 3600 or sent.get("sign") != mac(f"{stamp}\n{SECRETS['feishu']}", ""):
        return {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    return {"code": 0, "msg": "success"}


def webhook(query, body, headers):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}"
    good = "v1," + mac(base64.b64decode(SECRETS["webhook"]), signed)
    return {} if good in headers.get("webhook-signature", "").split() else None


ANSWERS = {"dingtalk": dingtalk, "feishu": feishu, "webhook": webhook}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, text, **headers):
        data = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode("utf-8")
        parts = url.path.strip("/").split("/")
        count = count_of(url.path)
        say({"path": url.path, "query": url.query, "body": body, "at": time.time(), "count": count,
             "headers": {k.lower(): v for k, v in self.headers.items()}})
        platform, what = parts[0], parts[1] if len(parts) > 1 else "ok"
        if what == "limited" and count < 3:
            return self.answer(429, "slow down", Retry_After="1")
        if what == "broken":
            return self.answer(500, "oops")
        if what == "gone":
            return self.answer(404, "no_service")
        if what == "reset" and count < 2:
            self.close_connection = True
            return None
        if what == "silent":
            time.sleep(30)
            return None
        if what == "clock":
            self.date_time_string = lambda timestamp=None: "Thu, 01 Jan 2015 00:00:00 GMT"
            return self.answer(200, json.dumps({"errcode": 310000, "errmsg": "invalid timestamp"}))
        if platform == "slack":
            return self.answer(200, "ok")
        if platform == "wecom":
            return self.answer(200, '{"errcode":0,"errmsg":"ok"}')
        if platform.startswith("bot"):
            return self.answer(200, '{"ok":true,"result":{"message_id":77}}')
        if platform == "pagerduty":
            return self.answer(202, '{"status":"success","dedup_key":"d"}')
        result = ANSWERS[platform](urllib.parse.parse_qs(url.query), body, self.headers)
        return self.answer(200 if result is not None else 401, json.dumps(result))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
say({"port": server.server_port})
sys.stdin.read()
