"""A terminal of 80 x 24 with a person at it: tmux of its own, read back as a screen."""
import os
import re
import shutil
import subprocess
import time


class Terminal:
    def __init__(self, folder, argv, env, raw=False):
        self.socket = os.path.join(folder, "tmux-%d" % time.monotonic_ns())
        self.raw = self.socket + ".raw"
        inner = ["env", "-i", *("%s=%s" % item for item in {**env, "TERM": "screen-256color"}.items()), *argv]
        # The screen outlives the program, so that its last words can be read.
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in inner)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-s", "t",
                  "%s; echo \"[exit $?]\"; exec sleep 600" % quoted)
        if raw:
            self.tmux("pipe-pane", "-t", "t", "cat > %s" % self.raw)

    def tmux(self, *args):
        return subprocess.run([shutil.which("tmux"), "-S", self.socket, *args], check=True, timeout=30,
                              env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": os.path.dirname(self.socket)},
                              stdout=subprocess.PIPE, text=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "t")

    def all(self):
        return self.tmux("capture-pane", "-p", "-J", "-S", "-2000", "-t", "t")

    def type(self, text, enter=True):
        if text:
            self.tmux("send-keys", "-t", "t", "-l", text)
        if enter:
            self.tmux("send-keys", "-t", "t", "Enter")

    def paste(self, text):
        self.tmux("set-buffer", text)
        self.tmux("paste-buffer", "-t", "t")

    def wait(self, pattern, seconds=120):
        """Until pattern stands on the screen and a prompt waits below it; returns the screen."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            found = list(re.finditer(pattern, screen, re.S))
            if found:
                return screen
            if time.monotonic() > end:
                raise AssertionError("%r did not come:\n%s" % (pattern, self.all()))
            time.sleep(0.1)

    def lose(self):
        """The connection breaks: the terminal is gone, whoever sat there too."""
        self.tmux("kill-server")

    def close(self):
        subprocess.run([shutil.which("tmux"), "-S", self.socket, "kill-server"], stderr=subprocess.DEVNULL, timeout=30)
