"""A real EVM node: anvil, from npm. Prints its port; ends with its standard input. Arguments: its
options, else the chain 8453."""
import ctypes
import glob
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
modules = subprocess.run([os.path.join(here, "..", "..", "npm"), "@foundry-rs/anvil@1.7.1"], check=True, capture_output=True,
                         text=True).stdout.strip()
binary = glob.glob(os.path.join(modules, "node_modules", "@foundry-rs", "anvil-linux-*", "bin", "anvil"))[0]
child = subprocess.Popen([binary, "--port", "0", *(sys.argv[1:] or ["--chain-id", "8453"])], stdout=subprocess.PIPE, text=True,
                         preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 9))
for line in child.stdout:
    if line.startswith("Listening on "):
        print(json.dumps({"port": int(line.rsplit(":", 1)[1])}), flush=True)
        break
else:
    sys.exit("anvil does not start")
sys.stdin.read()
child.kill()
