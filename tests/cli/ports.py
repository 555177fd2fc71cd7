"""Ports of the loopback for servers that a test starts, as engine/base/port.c has them."""
import random
import socket

CLAIMS = []  # end with the program


def is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port():
    """One that nobody listens on, that the kernel gives to nobody, and that no other test gets while this program runs."""
    for port in random.sample(range(10000, 32768), 1000):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind("\0runbook-port-%d" % port)
        except OSError:
            claim.close()
            continue
        if is_free(port):
            CLAIMS.append(claim)
            return port
        claim.close()
    raise OSError("no port is free")
