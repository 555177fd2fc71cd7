"""Ratios against what an operator would use instead, both taken in turn in the same run.

    bench.py RUNBOOK [--quick]

Only ratios count: the machine is noisy. "Cool" is after 100 ms of idleness, what somebody typing a command sees."""
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ONE = """
runbook "one" { title = "one step", severity = "P4" }
step "true" { title = "true", risk = "low", run = function() shell.run { "/bin/true" } end }
"""
MANY = """
runbook "many" { title = "a hundred", severity = "P4" }
step "true" { title = "true", risk = "low", run = function() for _ = 1, 100 do shell.run { "/bin/true" } end end }
"""
CALLS = """
runbook "calls" { title = "calls", severity = "P4" }
param "n" { type = "int", default = 0 }
check "calls" { title = "calls", run = function(p) for _ = 1, p.n do now() end end }
"""
READS = """
runbook "reads" { title = "reads", severity = "P4" }
param "n" { type = "int", default = 0 }
check "reads" { title = "reads", timeout = "5m", run = function(p)
  local list = {}
  for i = 1, p.n do list[i] = i end
  parallel(list, function() shell.read { "/bin/true" } end, { max = 50 })
end }
"""
PROBES = """
runbook "probes" { title = "probes", severity = "P4" }
param "n" { type = "int", default = 0 }
param "url" { type = "string", default = "http://127.0.0.1/" }
check "probes" { title = "probes", timeout = "5m", run = function(p)
  local list = {}
  for i = 1, p.n do list[i] = i end
  parallel(list, function() http.get(p.url) end, { max = 100 })
end }
"""
NGINX = """daemon off; master_process off; pid %(dir)s/nginx.pid; error_log %(dir)s/nginx.log;
events { worker_connections 1000; }
http { access_log off; keepalive_requests 1000000; client_body_temp_path %(dir)s/b; proxy_temp_path %(dir)s/p;
fastcgi_temp_path %(dir)s/f; uwsgi_temp_path %(dir)s/u; scgi_temp_path %(dir)s/s;
server { listen 127.0.0.1:%(keep)d backlog=1024; location / { return 200 ok; } }
server { listen 127.0.0.1:%(new)d backlog=1024; keepalive_timeout 0; location / { return 200 ok; } } }
"""
WAIT = """
runbook "wait" { title = "wait", severity = "P4" }
check "wait" { title = "wait", run = function() wait "2s" end }
"""


class Bench:
    def __init__(self, runbook, quick):
        self.runbook, self.rounds = os.path.abspath(runbook), 5 if quick else 15
        self.dir = tempfile.mkdtemp(prefix="runbook-bench-")
        self.folder = os.path.join(self.dir, "runbooks")
        os.mkdir(self.folder, 0o755)
        for name, text in (("one", ONE), ("many", MANY), ("calls", CALLS), ("reads", READS), ("probes", PROBES), ("wait", WAIT)):
            with open(os.path.join(self.folder, name + ".lua"), "w") as f:
                f.write(text)
        self.env = dict(os.environ, HOME=self.dir, XDG_STATE_HOME=self.dir + "/state", RUNBOOK_LANG="en")

    def script(self, shell, lines):
        path = os.path.join(self.dir, "%s-%d" % (shell, lines))
        with open(path, "w") as f:
            f.write("#!/bin/%s\n" % shell + "/bin/true\n" * lines)
        os.chmod(path, 0o755)
        return [path]

    def exec(self, *args):
        return [self.runbook, "--runbooks", self.folder, "exec", *args, "--no-input", "--yes", "-q"]

    def once(self, argv, cool):
        if cool:
            time.sleep(0.1)
        start = time.perf_counter()
        done = subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, check=False)
        took = (time.perf_counter() - start) * 1000
        if done.returncode != 0:
            sys.exit("%s: exit %d\n%s" % (" ".join(argv), done.returncode, done.stderr.decode(errors="replace")))
        return took

    def pair(self, ours, theirs, cool=True, rounds=None):
        """Medians of both, and the median of the ratios of neighbours."""
        self.once(ours, False)
        pairs = [(self.once(ours, cool), self.once(theirs, cool)) for _ in range(rounds or self.rounds)]
        return (statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
                statistics.median(a / b for a, b in pairs))

    def probes(self, n):
        """HTTP probes through `parallel`, 100 at once, beside libcurl on libuv and curl --parallel, on kept and new connections."""
        loop = os.path.join(self.dir, "probe_loop")
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libcurl", "libuv"], stdout=subprocess.PIPE, text=True, check=True).stdout
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe_loop.c")
        subprocess.run(["cc", "-O2", source, "-o", loop, *flags.split()], check=True)
        ports = {"keep": free_port(), "new": free_port()}
        config = os.path.join(self.dir, "nginx.conf")
        with open(config, "w") as f:
            f.write(NGINX % dict(ports, dir=self.dir))
        nginx = subprocess.Popen(["/usr/sbin/nginx", "-c", config, "-e", self.dir + "/nginx.log"])
        try:
            wait_for(ports["new"])
            for name, port in ports.items():
                url = "http://127.0.0.1:%d/" % port
                with open(os.path.join(self.dir, "urls"), "w") as f:
                    f.write(('url = "%s"\noutput = "/dev/null"\n' % url) * n)
                ours = self.exec("probes", "n=%d" % n, "url=" + url)
                curl = ["curl", "-s", "--parallel", "--parallel-max", "100", "-K", os.path.join(self.dir, "urls")]
                for other, argv in (("libcurl + libuv", [loop, url, str(n), "100"]), ("curl --parallel", curl)):
                    mine, theirs, ratio = self.pair(ours, argv, False, 3)
                    goal = ">= 0.60" if argv[0] == loop else "> 1" if name == "new" else ""
                    line("HTTP probes, %s connections" % ("kept" if name == "keep" else "new"), "%.0f/s" % (n * 1000 / mine),
                         "%s %.0f/s" % (other, n * 1000 / theirs), "%.2f" % (1 / ratio), goal)
        finally:
            nginx.terminate()
            nginx.wait()

    def spawn_loop(self, n):
        """A small C program that only starts commands; None without a compiler."""
        program = os.path.join(self.dir, "spawn_loop")
        if not os.path.exists(program):
            compiler = shutil.which("cc")
            if not compiler:
                return None
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spawn_loop.c")
            subprocess.run([compiler, "-O2", "-o", program, source], check=True)
        return [program, str(n)]

    def spawning(self, n):
        """Recorded reads by shell beside what else starts as many commands, 50 at once."""
        ours = self.exec("reads", "n=%d" % n)
        bash = "for i in $(seq %d); do /bin/true & [ $i -le 50 ] || wait -n; done; wait" % n
        beside = [("posix_spawn loop", self.spawn_loop(n), "<= 1.5"), ("bash wait -n", ["bash", "-c", bash], ""),
                  ("xargs -P50", ["sh", "-c", "seq %d | xargs -P50 -n1 /bin/true" % n], "")]
        for name, argv, goal in beside:
            if argv is None:
                line("%d recorded reads, 50 at once" % n, "", name + ": no cc", "", goal)
                continue
            took, theirs, ratio = self.pair(ours, argv, False, 5)
            line("%d recorded reads, 50 at once" % n, "%.0f ms" % took, "%s %.0f ms" % (name, theirs), "%.2f" % ratio, goal)

    def memory(self):
        """Proportional memory of all our processes while a check waits, in MB."""
        child = subprocess.Popen(self.exec("wait"), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        time.sleep(1)
        total, count = 0, 0
        for pid in family(child.pid):
            with open("/proc/%d/smaps_rollup" % pid) as f:
                total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
            count += 1
        child.wait()
        return total / 1024, count


def family(root):
    """The process and all its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    parents.setdefault(int(f.read().rpartition(")")[2].split()[1]), []).append(int(name))
            except OSError:
                continue
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def wait_for(port):
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("nginx does not start")


def line(*cells):
    print("%-44s %12s %24s %10s %12s" % cells, flush=True)


def main():
    quick = "--quick" in sys.argv
    bench = Bench(sys.argv[1], quick)
    try:
        line("measure", "ours", "beside it", "ratio", "goal")
        for cool in (True, False):
            ours, theirs, ratio = bench.pair(bench.exec("one"), bench.script("bash", 1), cool)
            line("one step, %s" % ("cool" if cool else "hot"), "%.1f ms" % ours, "bash %.1f ms" % theirs,
                 "%.2f" % ratio, "<= 2 (3)" if cool else "")
        ours, theirs, _ = bench.pair(bench.exec("many"), bench.script("dash", 100), False)
        one, dash, _ = bench.pair(bench.exec("one"), bench.script("dash", 1), False)
        step, shell = (ours - one) / 99, (theirs - dash) / 99
        line("a step of 100, intent and outcome synced", "%.2f ms" % step, "dash %.2f ms" % shell,
             "%.2f" % (step / shell), "<= 1.8")
        n = 2000 if quick else 10000
        many, none, _ = bench.pair(bench.exec("calls", "n=%d" % n), bench.exec("calls"), False, 5)
        line("a call and its reply", "%.1f us" % ((many - none) * 1000 / n), "", "", "<= 25 us")
        bench.spawning(200 if quick else 1000)
        bench.probes(2000 if quick else 10000)
        mb, count = bench.memory()
        line("memory of a run", "%.1f MB" % mb, "%d processes" % count, "", "<= 16 MB")
    finally:
        shutil.rmtree(bench.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
