"""docker and compose against a real dockerd; the image is busybox, made here. About 25 s."""
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import unittest

from looks import Looks

COMPOSE = '''version: "2.4"
services:
  backend:
    image: bb:1
    network_mode: none
    environment: { PASSWORD: hunter2 }
    command: ["/bin/sh", "-c", "while :; do echo tick; echo bad >&2; /bin/busybox sleep 0.2; done"]
  sick:
    image: bb:1
    network_mode: none
    command: ["/bin/busybox", "sleep", "600"]
    healthcheck: { test: ["CMD", "/bin/busybox", "false"], interval: 1s, retries: 1 }
  idle:
    image: bb:1
    network_mode: none
    command: ["/bin/busybox", "true"]
'''


class Docker(Looks):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("dockerd needs root")
        cls.lab = tempfile.mkdtemp(prefix="rb-docker-")
        cls.socket = os.path.join(cls.lab, "d.sock")
        cls.log = open(os.path.join(cls.lab, "log"), "w")
        cls.daemon = subprocess.Popen(
            ["dockerd", "--data-root", cls.lab + "/data", "--exec-root", cls.lab + "/exec", "-p", cls.lab + "/pid", "-H",
             "unix://" + cls.socket, "--default-ulimit", "nofile=4096:4096", "--bridge=none", "--iptables=false"],
            stdout=cls.log, stderr=cls.log)
        try:
            cls.prepare()
        except Exception:
            cls.tearDownClass()
            raise

    @classmethod
    def prepare(cls):
        for _ in range(1200):
            if cls.daemon.poll() is not None:
                raise RuntimeError(open(os.path.join(cls.lab, "log")).read()[-2000:])
            if subprocess.run(["docker", "version"], env=cls.docker_env(), capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        with tarfile.open(cls.lab + "/root.tar", "w") as tar:
            tar.add("/usr/bin/busybox", "bin/busybox")
            link = tarfile.TarInfo("bin/sh")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        cls.docker("import", cls.lab + "/root.tar", "bb:1")
        os.mkdir(cls.lab + "/shop")
        with open(cls.lab + "/shop/docker-compose.yml", "w") as f:
            f.write(COMPOSE)
        subprocess.run(["docker-compose", "-p", "shop", "up", "-d"], cwd=cls.lab + "/shop", env=cls.docker_env(), check=True,
                       capture_output=True, timeout=300)
        cls.wait(lambda: "exited" in cls.docker("inspect", "-f", "{{.State.Status}}", "shop_idle_1"))

    @staticmethod
    def wait(condition):
        end = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < end, "docker is not as it should be"
            time.sleep(0.2)

    @classmethod
    def docker_env(cls):
        return {**os.environ, "DOCKER_HOST": "unix://" + cls.socket}

    @classmethod
    def docker(cls, *words):
        return subprocess.run(["docker", *words], env=cls.docker_env(), check=True, capture_output=True, text=True, timeout=180).stdout

    @classmethod
    def tearDownClass(cls):
        try:
            ids = subprocess.run(["docker", "ps", "-q"], env=cls.docker_env(), capture_output=True, text=True, timeout=30).stdout.split()
            if ids:
                subprocess.run(["docker", "kill", *ids], env=cls.docker_env(), capture_output=True, timeout=60)
        finally:
            cls.daemon.send_signal(signal.SIGTERM)
            try:
                cls.daemon.wait(30)
            except subprocess.TimeoutExpired:
                cls.daemon.kill()
                cls.daemon.wait()
            cls.log.close()
            subprocess.run(["umount", cls.lab + "/exec/netns/default"], capture_output=True)
            shutil.rmtree(cls.lab, ignore_errors=True)

    def lua(self, body):
        return f'local o = {{ socket = "{self.socket}" }} local shop = {{ project = "shop", socket = o.socket }}\n{body}'

    def started(self, name):
        return self.docker("inspect", "-f", "{{.State.StartedAt}}", name).strip()

    def test_reading(self):
        seen = self.look(self.lua('''answer { list = docker.list(o), one = docker.inspect("shop_backend_1", o),
          none = docker.inspect("nobody", o) == nil, info = docker.info(o), sizes = docker.log_sizes(o),
          large = #docker.log_sizes { socket = o.socket, larger = "1GB" }, usage = docker.usage(o), dangling = docker.reclaimable("dangling", o),
          running = #docker.list { socket = o.socket, state = "running" } }'''))
        self.assertEqual(["shop_backend_1", "shop_idle_1", "shop_sick_1"], [c["name"] for c in seen["list"]])
        self.assertEqual(["backend", "idle", "sick"], [c["service"] for c in seen["list"]])
        self.assertEqual(2, seen["running"])
        one = seen["one"]
        self.assertEqual(("running", True, 0, "shop", "backend", "json-file"),
                         (one["state"], one["running"], one["restarts"], one["project"], one["service"], one["log_driver"]))
        self.assertTrue(seen["none"])
        self.assertEqual("overlay2", seen["info"]["driver"])
        self.assertEqual({"shop_backend_1", "shop_idle_1", "shop_sick_1"}, {s["name"] for s in seen["sizes"]})
        self.assertEqual("shop_backend_1", seen["sizes"][0]["name"])
        self.assertEqual(os.path.getsize(seen["sizes"][1]["path"]), seen["sizes"][1]["bytes"])
        self.assertEqual(0, seen["large"])
        self.assertEqual(1, seen["usage"]["containers"]["count"])
        self.assertEqual(0, seen["dangling"])
        self.assertNotIn("hunter2", self.recorded(), "a container's environment is in the record")

    def test_logs(self):
        self.wait(lambda: self.docker("logs", "shop_backend_1").count("tick") >= 6)
        seen = self.look(self.lua('''local lines, cut = docker.logs("shop_backend_1", { socket = o.socket, tail = 6 })
          local both = compose.logs(shop, "backend", { tail = 4, since = "10m" })
          answer { lines = lines, cut = cut, both = both }'''))
        self.assertEqual(6, len(seen["lines"]))
        self.assertFalse(seen["cut"])
        for line in seen["lines"]:
            self.assertEqual({"out": "tick", "err": "bad"}[line["stream"]], line["text"])
            self.assertRegex(line["at"], r"^20\d\d-\d\d-\d\dT")
        self.assertEqual({"shop_backend_1"}, {line["container"] for line in seen["both"]})

    def test_compose_state(self):
        self.wait(lambda: "unhealthy" in self.docker("ps"))
        seen = self.look(self.lua('''answer { state = compose.state(shop), sick = compose.service(shop, "sick"),
          none = compose.service(shop, "nobody") == nil, services = compose.services(shop), valid = compose.valid(shop) }'''))
        self.assertEqual([("backend", "running"), ("idle", "stopped"), ("sick", "unhealthy")],
                         [(s["service"], s["state"]) for s in seen["state"]])
        self.assertEqual(1, seen["sick"]["unhealthy"])
        self.assertTrue(seen["none"])
        self.assertEqual(["backend", "idle", "sick"], seen["services"])
        self.assertTrue(seen["valid"])
        os.mkdir(self.dir + "/broken")
        with open(self.dir + "/broken/docker-compose.yml", "w") as f:
            f.write("version: '2.4'\nservices:\n  a: { imag: x }\n")
        bad = self.look(self.lua(f'''local good, why = compose.valid {{ project = "broken", dir = "{self.dir}/broken" }}
          answer {{ good = good, why = why }}'''))
        self.assertFalse(bad["good"])
        self.assertIn("imag", bad["why"])

    def test_a_check_cannot_write(self):
        before = self.started("shop_backend_1")
        stop = f'"http://docker/containers/shop_backend_1/stop", {{ socket = "{self.socket}" }}'
        for body in (f"http.post({stop})", f"http.delete({stop})", 'docker.restart("shop_backend_1", o)',
                     'docker.exec("shop_backend_1", { "/bin/busybox", "true" }, o)', 'compose.stop(shop, "backend")', "compose.up(shop)"):
            self.assertEqual("forbidden", self.check(self.lua(body))["code"], body)
        for net in ("true", "false"):
            seen = self.look(self.lua(f'''answer(shell.read {{ net = {net}, sh = [[
              docker -H unix://{self.socket} stop shop_backend_1
              /usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("{self.socket}")']] }})'''))
            self.assertFalse(seen["ok"])
            self.assertIn("ermission denied", seen["err"])
        self.assertEqual(before, self.started("shop_backend_1"))
        self.assertIn("true", self.docker("inspect", "-f", "{{.State.Running}}", "shop_backend_1"))

    def test_writing(self):
        before = self.started("shop_backend_1")
        self.step(self.lua('compose.restart(shop, "backend", { grace = "0s" })'))
        self.assertNotEqual(before, self.started("shop_backend_1"))
        run = self.step(self.lua('local out = docker.exec("shop_sick_1", { "/bin/busybox", "echo", "a b; $HOME" }, o).out assert(out == "a b; $HOME\\n")'))
        self.assertEqual("done", run["result"])
        self.step(self.lua('compose.exec(shop, "nobody", { "true" })'), code=1)
        self.docker("rm", "-f", "shop_idle_1")
        self.step(self.lua(f'compose.up({{ project = "shop", dir = "{self.lab}/shop", socket = o.socket }}, {{ "idle" }})'))
        self.assertIn("shop_idle_1", self.docker("ps", "-a"))

    def test_asking_inside(self):
        os.makedirs(self.dir + "/config/runbook")
        with open(self.dir + "/config/runbook/config.lua", "w") as f:
            f.write(f'''connection "shop" {{ driver = "compose", project = "shop", socket = "{self.socket}",
              asks = {{ sick = {{ hello = {{ "/bin/busybox", "echo", "a b; $HOME" }} }}, idle = {{ x = {{ "true" }} }} }} }}''')
        seen = self.look('''local _, none = try(compose.ask, "shop", "sick", "restart")
          local _, idle = try(compose.ask, "shop", "idle", "x")
          answer { said = compose.ask("shop", "sick", "hello").out, none = none.code, idle = idle.code }''')
        self.assertEqual({"said": "a b; $HOME\n", "none": "not_found", "idle": "not_running"}, seen)

    def test_without_a_daemon(self):
        seen = self.look('''local info, why = docker.info { socket = "/run/no/docker.sock" }
          local list, err = try(docker.list, { socket = "/run/no/docker.sock" })
          answer { info = info == nil, why = why, code = err.code }''')
        self.assertTrue(seen["info"])
        self.assertEqual("not_found", seen["code"])
        self.assertIn("docker.sock", seen["why"])


if __name__ == "__main__":
    unittest.main()
