"""`cmake --install`: what lies in the prefix is whole, works there, and is all that was touched."""
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import unittest

RUNBOOK = os.environ.get("RUNBOOK", "")
BUILD = os.path.dirname(RUNBOOK)
MODULES = '''runbook "demo/modules" { title = "each module is loaded", severity = "P3" }
check "all" {
  title = "nobody listens there, and each client says so",
  run = function()
    local asks = {
      net = function() return http.get("http://127.0.0.1:1/") end,
      redis = function() return redis("redis://127.0.0.1:1/0"):ask("PING") end,
      postgres = function() return sql("postgres://a@127.0.0.1:1/a"):value("SELECT 1") end,
      mariadb = function() return sql("mysql://a@127.0.0.1:1/a"):value("SELECT 1") end,
    }
    for name, ask in pairs(asks) do
      local _, err = try(ask)
      note(name .. " " .. tostring(err and err.code) .. " " .. tostring(err))
    end
  end,
}
'''


def tree(folder):
    return sorted((base, tuple(files)) for base, _, files in os.walk(folder))


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = os.path.realpath(tempfile.mkdtemp(prefix="rb-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.prefix = cls.dir + "/prefix"
        cls.etc = tree("/etc/runbook")
        cls.install(cls.prefix)

    @staticmethod
    def install(prefix, **env):
        subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, timeout=200,
                       stdout=subprocess.DEVNULL, env={**os.environ, **env})

    def installed(self, *args, code=0, **env):
        keep = {k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS")}
        done = subprocess.run([self.prefix + "/bin/runbook", *args], capture_output=True, text=True, timeout=100, cwd="/",
                              stdin=subprocess.DEVNULL, env={**keep, "HOME": self.dir, "LANG": "C.UTF-8",
                                                             "PATH": self.prefix + "/bin:/usr/bin:/bin", **env})
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done.stdout

    def test_its_runbooks_are_those_of_the_prefix(self):
        listed = json.loads(self.installed("list", "-o", "json"))["runbooks"]
        self.assertGreater(len(listed), 20)
        for one in listed:
            self.assertTrue(one["file"].startswith(self.prefix), one)

    def modules(self):
        folder = self.dir + "/books/demo"
        os.makedirs(folder, exist_ok=True)
        with open(folder + "/modules.lua", "w", encoding="utf-8") as f:
            f.write(MODULES)
        run = json.loads(self.installed("exec", "demo/modules", "--no-input", "-o", "json", RUNBOOK_PATH=self.dir + "/books"))
        return {text.split(" ", 2)[0]: text.split(" ", 2)[1:] for text in (n["text"] for n in run["notes"])}

    def test_each_module_is_found(self):
        self.assertEqual({name: "refused" for name in ("net", "redis", "postgres", "mariadb")},
                         {name: said[0] for name, said in self.modules().items()})

    def test_a_lost_module_is_not_looked_for_elsewhere(self):
        path = self.prefix + "/lib/runbook/modules/redis.so"
        os.rename(path, path + ".away")
        self.addCleanup(os.rename, path + ".away", path)
        code, text = self.modules()["redis"]
        self.assertEqual("missing", code)
        self.assertIn(self.prefix, text)
        self.assertNotIn(BUILD, text)

    def test_pages_of_the_manual(self):
        for folder in ("man1", "zh_CN/man1"):
            pages = os.listdir(self.prefix + "/share/man/" + folder)
            self.assertGreater(len(pages), 25)
            for page in pages:
                with gzip.open(os.path.join(self.prefix, "share/man", folder, page), "rt", encoding="utf-8") as f:
                    self.assertRegex(f.read(), r"\A\.TH RUNBOOK.*\n\.SH NAME\n\S+ \\- \S", page)

    def test_completion_in_bash(self):
        script = ('. "$1"; COMP_WORDS=(runbook exec liqpass/db-); COMP_CWORD=2; _runbook; printf "%s\\n" "${COMPREPLY[@]}"')
        path = self.prefix + "/share/bash-completion/completions/runbook"
        done = subprocess.run(["bash", "-c", script, "bash", path], capture_output=True, text=True, timeout=60,
                              env={"HOME": self.dir, "PATH": self.prefix + "/bin:/usr/bin:/bin"})
        self.assertIn("liqpass/db-locked\n", done.stdout, done.stderr)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not here")
    def test_the_unit(self):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", self.prefix + "/lib/systemd/system/runbook.service"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual((0, ""), (done.returncode, done.stderr))

    def test_the_system_is_not_touched(self):
        self.assertEqual(self.etc, tree("/etc/runbook"))

    def test_an_operators_configuration_stays(self):
        root = self.dir + "/root"
        path = root + "/etc/runbook/config.lua"
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as f:
            f.write("-- mine\n")
        self.install("/usr", DESTDIR=root)
        with open(path, encoding="utf-8") as f:
            self.assertEqual("-- mine\n", f.read())
        with open(root + "/usr/lib/systemd/system/runbook.service", encoding="utf-8") as f:
            self.assertIn("ExecStart=/usr/bin/runbook serve\n", f.read())


if __name__ == "__main__":
    unittest.main()
