"""Ten thousand schedules in one service: what it costs while little is due, and how late they are.

    schedules.py RUNBOOK [SECONDS]

Every schedule fires about once an hour, each at an interval of its own: about three a second. CPU is that of the service
and of all it starts, once with nearly nothing due (every = 30 days) and once with those three runs a second."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

FILES, EACH = 100, 100
HEAD = 'runbook "bench/b%d" { title = "b", severity = "P4" }\ncheck "c" { title = "c", run = function() ok("fine") end }\n'
LINE = 'schedule "s%d" { every = "%ds", jitter = "10s" }\n'
MONTH, HOUR, SPREAD = 30 * 86400, 3600, 1200


def write(folder, every):
    os.makedirs(os.path.join(folder, "bench"))
    for n in range(FILES):
        with open(os.path.join(folder, "bench", "b%d.lua" % n), "w") as f:
            f.write(HEAD % n + "".join(LINE % (k, every + (n * EACH + k) % SPREAD - SPREAD // 2) for k in range(EACH)))


def cpu(pid):
    """Seconds of the process and of its ended children."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Pss:")) / 1024


def serve(runbook, every, seconds):
    folder = tempfile.mkdtemp(prefix="runbook-bench-")
    try:
        write(os.path.join(folder, "books"), every)
        log = os.path.join(folder, "log")
        env = dict(os.environ, HOME=folder, RUNBOOK_STATE=folder + "/state", RUNBOOK_LANG="en")
        with open(log, "w") as out:
            started = time.perf_counter()
            service = subprocess.Popen([runbook, "--runbooks", folder + "/books", "serve", "-o", "jsonl"], stdout=out,
                                       stderr=subprocess.STDOUT, env=env)
        while "service.started" not in open(log).read():
            if service.poll() is not None or time.perf_counter() - started > 300:
                sys.exit(open(log).read())
            time.sleep(0.1)
        ready = time.perf_counter() - started
        time.sleep(2)
        before, since = cpu(service.pid), time.perf_counter()
        time.sleep(seconds)
        used = (cpu(service.pid) - before) / (time.perf_counter() - since)
        size = memory(service.pid)
        service.terminate()
        service.wait()
        with open(log) as f:
            facts = [json.loads(line) for line in f if line.startswith("{")]
        late = sorted(f["late_ms"] for f in facts if f["t"] == "run.started")
        return ready, used, size, late
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main():
    runbook, seconds = os.path.abspath(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 30
    ready, used, size, _ = serve(runbook, MONTH, seconds)
    print("10,000 schedules: ready after %.1f s, %.0f MB" % (ready, size))
    print("  idle                  CPU %.2f %%   goal < 0.5 %%" % (used * 100))
    _, used, _, late = serve(runbook, HOUR, seconds)
    p99 = late[min(len(late) - 1, int(len(late) * 0.99))] if late else -1
    print("  %.1f firings a second  CPU %.1f %%   lateness p50 %d ms, p99 %d ms   goal p99 < 100 ms" %
          (len(late) / seconds, used * 100, late[len(late) // 2] if late else -1, p99))


if __name__ == "__main__":
    main()
