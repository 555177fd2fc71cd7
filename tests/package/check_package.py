"""Installs the Debian package into a fresh Debian in a folder and uses it there, as script/package --check does: a
locked database is repaired, and `runbook serve` runs a schedule as its own user. Needs root, mmdebstrap and a mirror."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

RUNBOOK = '''runbook "demo/t" { title = "t", severity = "P3" }
finding "missing" { title = "no {path}", key = "path" }
check "look" { title = "look", run = function() if not file.stat("/var/lib/runbook/hello") then found("missing", { path = "hello" }) end end }
fix "write" { when = "missing", title = "write", risk = "low", run = function() file.write("/var/lib/runbook/hello", "hello") end }
schedule "s" { every = "2s", mode = "fix" }
'''
HOLDER = '''import sqlite3, time
c = sqlite3.connect("/srv/us.sqlite", isolation_level=None)
c.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(600)
'''


def run(*argv, **more):
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    print("$", " ".join(argv), "->", done.returncode, flush=True)
    return done


def must(*argv, **more):
    done = run(*argv, **more)
    if done.returncode != 0:
        sys.exit(f"failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def mirror():
    """(suite, address) that this machine's apt uses for the main archive of its own release."""
    with open("/etc/os-release", encoding="utf-8") as f:
        suite = dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)["VERSION_CODENAME"]
    for line in must("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)").splitlines():
        codename, component, url = line.split()
        if (codename, component) == (suite, "main"):
            return suite, url
    sys.exit("apt knows no main archive of " + suite)


def check(root, package):
    os.chmod(root, 0o755) # its own user must get in
    suite, url = mirror()
    must("mmdebstrap", "--quiet", "--variant=apt", "--include=python3-minimal,libpython3-stdlib",
         "--dpkgopt=force-unsafe-io", suite, root, url)
    shutil.copy(package, root + "/root")
    inside = ["chroot", root, "env", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    must("mount", "-t", "proc", "proc", os.path.join(root, "proc"))
    must(*inside, "apt-get", "update", "-qq")
    must(*inside, "sh", "-c", "cd /root && apt-get install -y -qq --no-install-recommends ./runbook_*.deb")
    must(*inside, "runbook", "version")
    print(must(*inside, "runbook", "list"))
    for path in ("/usr/share/man/man1/runbook-serve.1.gz", "/usr/share/man/zh_CN/man1/runbook.1.gz",
                 "/usr/share/bash-completion/completions/runbook", "/usr/lib/systemd/system/runbook.service",
                 "/etc/runbook/config.lua"):
        assert os.path.exists(root + path), path
    for module in os.listdir(root + "/usr/lib/runbook/modules"):
        linked = must(*inside, "ldd", "/usr/lib/runbook/modules/" + module)
        assert "not found" not in linked, linked
    repair(root, inside)
    serve(root, inside)
    must(*inside, "dpkg", "-P", "runbook")
    assert os.path.exists(root + "/var/lib/runbook/journal.db"), "the record must outlive the package"


def repair(root, inside):
    must(*inside, "python3", "-c", "import sqlite3; sqlite3.connect('/srv/us.sqlite').execute('create table t(x)')")
    holder = subprocess.Popen([*inside, "python3", "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        found = run(*inside, "runbook", "exec", "db-locked", "db=/srv/us.sqlite", "--no-input", "-o", "json")
        assert found.returncode == 3, found.stdout + found.stderr
        argv = json.loads(found.stdout)["next"][0]["argv"]
        fixed = run(*inside, *argv)
        assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    finally:
        holder.kill()
        holder.wait()


def serve(root, inside):
    os.makedirs(root + "/etc/runbook/runbooks/demo", exist_ok=True)
    with open(root + "/etc/runbook/runbooks/demo/t.lua", "w", encoding="utf-8") as f:
        f.write(RUNBOOK)
    must(*inside, "runbook", "schedule", "list")
    uid = must(*inside, "id", "-u", "runbook").strip()
    service = subprocess.Popen(["chroot", f"--userspec={uid}:{uid}", root, "env", "LANG=C.UTF-8",
                                "RUNBOOK_STATE=/var/lib/runbook", "HOME=/var/lib/runbook", "runbook", "serve"])
    try:
        end = time.monotonic() + 60
        while not os.path.exists(root + "/var/lib/runbook/hello"):
            assert time.monotonic() < end, "the service did not repair"
            time.sleep(0.2)
    finally:
        service.terminate()
        assert service.wait(60) == 0
    state = os.stat(root + "/var/lib/runbook/hello")
    assert str(state.st_uid) == uid
    must(*inside, "env", "RUNBOOK_STATE=/var/lib/runbook", "runbook", "audit", "verify")


def main():
    root = tempfile.mkdtemp(prefix="rb-package-", dir="/var/tmp")
    try:
        check(root, sys.argv[1])
        print("ok")
    finally:
        subprocess.run(["umount", os.path.join(root, "proc")], check=False)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
