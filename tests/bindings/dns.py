"""A name server on loopback: `dns.py FOLDER` writes FOLDER/dns (its port) and prints "ready".

What it answers is in the first label of the name: plain.test, both.test, alias.test, slow.test (0.3 s), half.test (the AAAA
question is never answered), silent.test, gone.test, empty.test, broken.test, odd.test (an answer that is no answer), many.test."""
import socket
import struct
import sys
import threading

A, CNAME, AAAA = 1, 5, 28


def name_bytes(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def record(owner, kind, data):
    return name_bytes(owner) + struct.pack(">HHIH", kind, 1, 60, len(data)) + data


def v4(n):
    return bytes([127, 0, 0, n])


def answers(name, kind):
    """Records, or a response code, or None for no answer."""
    label = name.split(".")[0]
    if label in ("gone", "broken"):
        return {"gone": 3, "broken": 2}[label]
    if label == "silent" or (label == "half" and kind == AAAA):
        return None
    if label == "empty" or (kind == AAAA and label != "both"):
        return []
    if kind == AAAA:
        return [record(name, AAAA, bytes(15) + b"\1")]
    if label == "alias":
        return [record(name, CNAME, name_bytes("plain.test")), record("plain.test", A, v4(1))]
    if label == "many":
        return [record(name, A, v4(n)) for n in range(1, 19)]
    return [record(name, A, v4(1))]


def reply(server, query, client):
    end = query.index(b"\0", 12)
    name, at = [], 12
    while query[at]:
        name.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind = struct.unpack(">H", query[end + 1:end + 3])[0]
    found = answers(".".join(name).lower(), kind)
    if found is None:
        return
    if name[0].lower() == "odd":
        server.sendto(query[:2] + b"\x81\x80\xff\xff\xff\xff" + b"\xc0\x0c" * 20, client)
        return
    code, records = (found, []) if isinstance(found, int) else (0, found)
    head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0)
    packet = head + query[12:end + 5] + b"".join(records)
    if name[0].lower() == "slow":
        threading.Timer(0.3, server.sendto, (packet, client)).start()
    else:
        server.sendto(packet, client)


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    with open(sys.argv[1] + "/dns", "w", encoding="ascii") as f:
        f.write(str(server.getsockname()[1]))
    print("ready", flush=True)
    while True:
        query, client = server.recvfrom(4096)
        reply(server, query, client)


main()
