"""What shell.start leaves behind: a service after a run, nothing after a drill, nothing after a killed host."""
import os
import signal
import subprocess
import time
import unittest

from lab import RUNBOOK, Lab

SERVICE = '''runbook "demo/service" { title = "start it", severity = "P3" }
param "dir" { type = "path", required = true }
step "start" {
  title = "start", risk = "low",
  run = function(p)
    return shell.start { sh = "echo $$ > pid; echo up; exec sleep 1000", cwd = p.dir, log = p.dir .. "/log", ready = "up" }
  end,
  verify = function(p, r) return file.read(p.dir .. "/log") == "up\\n" end,
}
step "hang" {
  title = "hang", risk = "low",
  run = function(p) if file.stat(p.dir .. "/hang") then shell.run { sh = "echo $$ > hung; exec sleep 1000", cwd = p.dir } end end,
}
drill "starts" {
  inject = function(d) d:set { dir = d.dir } end, expect = {},  result = "done",
  prove = function(d) shell.run { "cp", d.dir .. "/pid", "%s" } end,
}
'''


class Children(Lab):
    def pid_in(self, name):
        path = os.path.join(self.dir, name)
        for _ in range(6000):
            if os.path.exists(path) and os.path.getsize(path):
                with open(path) as f:
                    return int(f.read())
            time.sleep(0.01)
        self.fail("no pid in " + path)

    def alive(self, pid):
        try:
            with open(f"/proc/{pid}/stat") as f:
                return f.read().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def gone_soon(self, pid):
        for _ in range(3000):
            if not self.alive(pid):
                return True
            time.sleep(0.01)
        return False

    def setUp(self):
        super().setUp()
        self.book("demo/service", SERVICE % os.path.join(self.dir, "copy"))

    def end(self, pid):
        if self.alive(pid):
            os.kill(pid, signal.SIGKILL)

    def test_a_service_outlives_the_run(self):
        done = self.json("exec", "demo/service", f"dir={self.dir}", "--yes")
        self.assertEqual("done", done["result"])
        pid = self.pid_in("pid")
        self.addCleanup(self.end, pid)
        time.sleep(0.2)
        self.assertTrue(self.alive(pid))

    def test_and_a_host_that_is_killed(self):
        open(os.path.join(self.dir, "hang"), "w").close()
        host = subprocess.Popen([RUNBOOK, "exec", "demo/service", f"dir={self.dir}", "--yes"], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        service, hung = self.pid_in("pid"), self.pid_in("hung")
        self.addCleanup(self.end, service)
        self.assertTrue(self.alive(hung))
        host.kill()
        host.wait(10)
        self.assertTrue(self.gone_soon(hung), "what was under way outlived its host")
        self.assertTrue(self.alive(service), "what was started for good did not stay")

    def test_a_drill_ends_it(self):
        self.run_it("drill", "demo/service", code=0)
        self.assertTrue(self.gone_soon(self.pid_in("copy")))


if __name__ == "__main__":
    unittest.main()
