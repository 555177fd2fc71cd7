"""service: what it makes of systemctl's and journalctl's words. systemd does not run where tests run, so a program in
its place says what the real one (252) said; that the real one may reach systemd's socket: tests/fault/test_shape.c."""
import os
import subprocess
import unittest

import looks
from looks import Looks

SYSTEMCTL = r'''#!/bin/sh
case "$1 $2" in
"show gone"*) cat <<'END'
MainPID=0
NRestarts=0
Result=success
Id=gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead
MemoryCurrent=[not set]
END
;;
show*) cat <<'END'
MainPID=4711
NRestarts=2
ExecMainStatus=0
Result=success
Id=nginx.service
Description=A high performance web server = proxy
LoadState=loaded
ActiveState=active
SubState=running
FragmentPath=/lib/systemd/system/nginx.service
UnitFileState=enabled
ActiveEnterTimestamp=Mon 2026-03-02 10:11:12 UTC
MemoryCurrent=7340032
END
;;
list-units*) cat <<'END'
coze.service loaded failed failed Coze the service
old.mount    loaded failed failed /old
END
;;
*) echo "$0 $*" >> "$CALLS"; echo "Failed to restart x.service: Unit x.service not found." >&2; exit 5 ;;
esac
'''
JOURNALCTL = r'''#!/bin/sh
printf -- '-- Boot 3f2a --\n2026-03-02T10:11:12+0000 host nginx[1]: one\n2026-03-02T10:11:13+0000 host nginx[1]: two\n'
'''


class Service(Looks):
    def setUp(self):
        super().setUp()
        os.mkdir(self.dir + "/bin")
        for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
            with open(f"{self.dir}/bin/{name}", "w") as f:
                f.write(text.replace("$CALLS", self.dir + "/calls"))
            os.chmod(f"{self.dir}/bin/{name}", 0o755)
        self.env["PATH"] = self.dir + "/bin:" + self.env["PATH"]

    def test_words_of_the_real_program(self):
        """Without systemd the real systemctl says so, and that is the error: the table runs it, not what is first in PATH."""
        if os.path.isdir("/run/systemd/system"):
            self.skipTest("systemd runs here")
        check = self.check('answer(service.show("nginx"))')
        self.assertEqual(("failed", "status"), (check["result"], check["code"]))
        self.assertIn("systemd", check["error"])
        self.assertFalse(os.path.exists(self.dir + "/calls"))

    def in_its_place(self):
        """Until the end of the test, the program runs where this systemctl lies over the real one."""
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode != 0:
            self.skipTest("a mount namespace needs root")
        wrapper, program = self.dir + "/wrapped", looks.lab.RUNBOOK
        with open(wrapper, "w") as f:
            f.write(f"#!/bin/sh\nexec unshare -m sh -c 'mount --bind {self.dir}/bin/systemctl /usr/bin/systemctl && exec {program} \"$@\"' sh \"$@\"\n")
        os.chmod(wrapper, 0o755)
        looks.lab.RUNBOOK = wrapper
        self.addCleanup(setattr, looks.lab, "RUNBOOK", program)

    def test_reading(self):
        self.in_its_place()
        seen = self.look('answer { one = service.show("nginx"), gone = service.show("gone"), is = { service.is_active("nginx") }, failed = service.failed() }')
        self.assertEqual({"unit": "nginx.service", "description": "A high performance web server = proxy", "load": "loaded", "active": "active",
                          "sub": "running", "result": "success", "enabled": "enabled", "pid": 4711, "restarts": 2, "exit_code": 0,
                          "since": "Mon 2026-03-02 10:11:12 UTC", "memory": 7340032, "file": "/lib/systemd/system/nginx.service"}, seen["one"])
        self.assertEqual(("not-found", "inactive", None), (seen["gone"]["load"], seen["gone"]["active"], seen["gone"].get("pid")))
        self.assertEqual([True, "active"], seen["is"])
        self.assertEqual([("coze.service", "Coze the service"), ("old.mount", "/old")], [(u["unit"], u["description"]) for u in seen["failed"]])

    def test_logs(self):
        self.assertEqual(["2026-03-02T10:11:12+0000 host nginx[1]: one", "2026-03-02T10:11:13+0000 host nginx[1]: two"],
                         self.look('answer(service.logs("nginx", { lines = 2, since = "15m" }))'))

    def test_writing(self):
        run = self.step('service.restart("x")', code=1)
        self.assertIn("Unit x.service not found", str(run))
        with open(self.dir + "/calls") as f:
            self.assertEqual(self.dir + "/bin/systemctl restart x\n", f.read())
        self.assertEqual("forbidden", self.check('service.stop("x")')["code"])


if __name__ == "__main__":
    unittest.main()
