"""ready.py NGINX_CONF: becomes nginx in the foreground, after a child of it has seen the first listening port take connections.

The line "ready" goes to standard output; ended by a signal to this process, which is nginx itself."""
import os
import re
import socket
import sys
import time

config = sys.argv[1]
with open(config, encoding="utf-8") as f:
    port = int(re.search(r"listen 127\.0\.0\.1:(\d+)", f.read()).group(1))
if os.fork() == 0:
    for _ in range(2000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            print("ready", flush=True)
            break
        except OSError:
            time.sleep(0.05)
    os._exit(0)
os.execv("/usr/sbin/nginx", ["nginx", "-c", config, "-e", "stderr"])
