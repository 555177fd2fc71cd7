"""A real WebSocket server (npm ws), and liars. Starts peers/ws.js and hands its words on; argument: a folder for its
certificate."""
import ctypes
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
folder = sys.argv[1]
modules = subprocess.run([os.path.join(here, "..", "..", "npm"), "ws@8.18.0"], check=True, capture_output=True, text=True).stdout.strip()
key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, f"ws-{os.getpid()}.pem")
subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
child = subprocess.Popen(["node", os.path.join(here, "ws.js"), key, cert], stdout=1,
                         env={**os.environ, "NODE_PATH": os.path.join(modules, "node_modules")},
                         preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 9))
sys.stdin.read()
child.kill()
