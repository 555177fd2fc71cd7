"""Real servers for one test: in the foreground, as their own user, in a private folder, on loopback, stopped by pid."""
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from ports import free_port


class Server:
    """Subclasses give `argv` and `answers`; `self.dir` belongs to the user it runs as."""
    user = None

    def __init__(self, test):
        self.dir = tempfile.mkdtemp(prefix="rb-server-")
        test.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.as_user = {}
        os.chmod(self.dir, 0o755)
        if self.user and os.geteuid() == 0:
            who = pwd.getpwnam(self.user)  # script/setup installs the server
            os.chown(self.dir, who.pw_uid, who.pw_gid)
            self.as_user = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}
        self.port = free_port()
        self.prepare()
        with open(os.path.join(self.dir, "log"), "wb") as log:
            self.child = subprocess.Popen(self.argv(), cwd=self.dir, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self.as_user)
        test.addCleanup(self.child.wait)
        test.addCleanup(self.child.kill)
        for _ in range(2400):
            if self.answers():
                return
            time.sleep(0.05)
        test.fail(f"{self.argv()[0]} did not start; see {self.dir}/log")

    def prepare(self):
        pass

    def run(self, *argv):
        return subprocess.run(argv, cwd=self.dir, capture_output=True, text=True, **self.as_user)

    def must(self, *argv):
        done = self.run(*argv)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout


class Postgres(Server):
    user = "postgres"
    bin = "/usr/lib/postgresql/15/bin/"

    def prepare(self):
        self.must(self.bin + "initdb", "--no-sync", "-D", "data", "-U", "admin", "--auth=trust", "--no-locale", "-E", "UTF8")

    def argv(self):
        return [self.bin + "postgres", "-D", "data", "-k", self.dir, "-p", str(self.port), "-c", "listen_addresses=", "-c", "fsync=off"]

    def ask(self, query):
        return self.run("psql", "-X", "-h", self.dir, "-p", str(self.port), "-U", "admin", "-d", "postgres", "-Atc", query)

    def answers(self):
        return self.ask("SELECT 1").returncode == 0


class MariaDB(Server):
    user = "mysql"
    small = ["--no-defaults", "--innodb-log-file-size=4M", "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0",
             "--aria-log-file-size=8M"]

    def prepare(self):
        self.must("mariadb-install-db", *self.small, f"--datadir={self.dir}/data", "--sync-frm=0", "--skip-test-db",
                  "--auth-root-authentication-method=normal")

    def argv(self):
        return ["mariadbd", *self.small, f"--datadir={self.dir}/data", f"--socket={self.dir}/socket", "--skip-networking",
                "--innodb-buffer-pool-size=8M", "--secure-file-priv="]

    def ask(self, query):
        return self.run("mariadb", "--no-defaults", "-S", self.dir + "/socket", "-u", "root", "-BNe", query)

    def answers(self):
        return self.ask("CREATE DATABASE IF NOT EXISTS shop").returncode == 0


class Redis(Server):
    def prepare(self):
        with open(self.dir + "/conf", "w", encoding="ascii"):
            pass  # one that CONFIG REWRITE may write

    def argv(self):
        return ["redis-server", self.dir + "/conf", "--enable-debug-command", "local", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.dir]

    def ask(self, *words):
        return self.run("redis-cli", "-p", str(self.port), *words)

    def answers(self):
        return self.ask("PING").stdout == "PONG\n"
