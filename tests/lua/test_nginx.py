"""nginx with its real program: what it calls wrong, where it listens, whom it asks. About 5 s."""
import http.server
import os
import socket
import subprocess
import threading
import time
import unittest

from looks import Looks
from ports import free_port

CONF = '''# comment {{ ; }}
daemon off; master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log notice;
events {{ worker_connections 64; }}
http {{
  access_log "{dir}/access log.txt";
  log_format odd 'a "quoted" {{ brace; }} $uri';
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  upstream app {{ server 127.0.0.1:{back}; server 127.0.0.1:9 backup; server unix:/run/app.sock down; }}
  include {dir}/sites/*.conf;
}}
'''
SITE = '''server {{
  listen 127.0.0.1:{front}; server_name shop.example;
  location / {{ proxy_pass http://app; proxy_connect_timeout 1s; }}
  location /api/ {{ proxy_pass http://127.0.0.1:{back}/v1/; }}
  location /tls/ {{ proxy_pass https://127.0.0.1; }}
  location /var/ {{ set $up 127.0.0.1; proxy_pass http://$up:1/; }}
}}
'''


class Nginx(Looks):
    def setUp(self):
        super().setUp()
        self.front, self.back = free_port(), free_port()
        os.mkdir(self.dir + "/sites")
        self.write("nginx.conf", CONF)
        self.write("sites/shop.conf", SITE)
        self.write("sites/.hidden.conf", "rubbish {{")
        self.env["PATH"] += ":/usr/sbin"

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text.format(dir=self.dir, front=self.front, back=self.back))

    def lua(self, body):
        return f'local o = {{ conf = "{self.dir}/nginx.conf" }}\n{body}'

    def start(self):
        server = subprocess.Popen(["nginx", "-c", self.dir + "/nginx.conf"], env={**os.environ, "PATH": self.env["PATH"]}, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        for _ in range(1200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.front)) == 0:
                    return server
            time.sleep(0.05)
        self.fail("nginx did not start")

    def test_configuration(self):
        seen = self.look(self.lua("answer { listens = nginx.listens(o), ups = nginx.upstreams(o), files = nginx.log_files(o) }"))
        self.assertEqual([("127.0.0.1", self.front, False, "shop.example", self.dir + "/sites/shop.conf", 2)],
                         [(x["host"], x["port"], x["tls"], x["server_name"], x["file"], x["line"]) for x in seen["listens"]])
        self.assertEqual([("app", "127.0.0.1", self.back), ("app", "127.0.0.1", 9), ("app", None, None),
                          (f"127.0.0.1:{self.back}", "127.0.0.1", self.back), ("127.0.0.1", "127.0.0.1", 443)],
                         [(u["name"], u.get("host"), u.get("port")) for u in seen["ups"]])
        self.assertTrue(seen["ups"][1]["backup"])
        self.assertEqual("/run/app.sock", seen["ups"][2]["socket"])
        self.assertEqual({"error": [self.dir + "/error.log"], "access": [self.dir + "/access log.txt"]}, seen["files"])

    def test_is_it_good(self):
        self.assertEqual([True], self.look(self.lua("answer { nginx.test(o) }")))
        self.assertFalse(os.path.exists(self.dir + "/error.log"), "looking made a file")
        self.write("sites/shop.conf", SITE + "\nserver {{ lissten 80; }}\n")
        good, why = self.look(self.lua("answer { nginx.test(o) }"))
        self.assertFalse(good)
        self.assertEqual((self.dir + "/sites/shop.conf", 9), (why["file"], why["line"]))
        self.assertIn("lissten", why["message"])

    def test_reload(self):
        self.start()
        self.write("sites/shop.conf", SITE.replace("location / {{", "location /new/ {{ return 204; }} location / {{"))
        self.step(self.lua("nginx.reload(o)"))
        for _ in range(1200):
            with open(self.dir + "/error.log") as f:
                log = f.read()
            if "signal" in log:
                break
            time.sleep(0.05)
        self.assertIn("signal", log)
        self.write("sites/shop.conf", "server {{ lissten 80; }}\n")
        run = self.step(self.lua("nginx.reload(o)"), code=1)
        self.assertIn("lissten", str(run))
        with socket.socket() as s:
            self.assertEqual(0, s.connect_ex(("127.0.0.1", self.front)), "the running one is still there")

    def test_why_502(self):
        self.start()
        self.look(f'answer(http.get("http://127.0.0.1:{self.front}/api/x").status)')
        seen = self.look(self.lua('''local lines = text.lines(file.tail(nginx.log_files(o).error[1]))
          answer(nginx.classify(lines))'''))
        self.assertEqual(1, seen["refused"])
        self.assertIn(str(self.back), seen["last"]["refused"])

    def test_what_cannot_be_read(self):
        for text, words in (("http {{", "ends inside"), ("http {{ }} }}", "unexpected"), ("a 'b", "quote"), ("a", "unexpected"), (";", "unexpected"),
                            ("include {dir}/nginx.conf;", "deep"), ("include {dir}/no.conf;", "does not exist"),
                            ("content_by_lua_block {{ }}", "Lua")):
            self.write("nginx.conf", text)
            check = self.check(self.lua("answer(nginx.config(o))"))
            self.assertEqual(("failed", "status"), (check["result"], check["code"]), text)
            self.assertIn(words, check["error"], text)

    def test_bytes_thrown_at_it_end(self):
        import random
        rand = random.Random(7)
        whole = (CONF + SITE).format(dir=self.dir, front=1, back=2)
        for _ in range(25):
            at = rand.randrange(len(whole))
            text = whole[:at] + "".join(rand.choice("{};'\"\\$# \n") for _ in range(rand.randrange(6))) + whole[at + rand.randrange(9):]
            with open(self.dir + "/nginx.conf", "w") as f:
                f.write(text)
            check = self.check(self.lua("try(nginx.listens, o) try(nginx.upstreams, o) answer(true)"))
            self.assertEqual("ok", check["result"], (text, check))


if __name__ == "__main__":
    unittest.main()
