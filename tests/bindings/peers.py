"""Servers on loopback, one a port: an honest one that says what it got, and those that nobody should have to talk to.

    peers.py FOLDER     writes FOLDER/ports.json {name: port}, prints "ready", and serves until it is killed

A test program and tests/cli/test_http.py use it; requests to `echo` are counted in FOLDER/count (one byte each)."""
import asyncio
import base64
import json
import os
import socket
import struct
import sys
import urllib.parse
import zlib

FOLDER = sys.argv[1]
FLAKY = {}


async def read_request(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "replace")
    first, *lines = head[:-4].split("\r\n")
    headers = [line.split(": ", 1) if ": " in line else [line.rstrip(":"), ""] for line in lines]
    length = int(next((v for k, v in headers if k.lower() == "content-length"), 0))
    method, target, _ = first.split(" ")
    return method, target, headers, await reader.readexactly(length)


def answer(status, body, headers=()):
    head = ["HTTP/1.1 %d Whatever" % status, "Content-Length: %d" % len(body), *headers]
    return ("\r\n".join(head) + "\r\n\r\n").encode("latin1") + body


async def flaky(query):
    """503 for the first `n` requests of a name, or a broken connection with how=cut; then 200."""
    seen = FLAKY[query["id"]] = FLAKY.get(query["id"], 0) + 1
    if seen > int(query["n"]):
        return answer(200, b"at last %d" % seen)
    return None if query.get("how") == "cut" else answer(503, b"later", ["Retry-After: 0"])


async def echo(reader, writer):
    """What came, as JSON; /status/N, /to?u=URL&s=302, /slow?s=1, /flaky and /big?n= do what they say."""
    while True:
        method, target, headers, body = await read_request(reader)
        with open(FOLDER + "/count", "ab") as f:
            f.write(b"x")
        path, _, query = target.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        said = json.dumps({"method": method, "target": target, "headers": headers, "body": base64.b64encode(body).decode(),
                           "big": 9007199254740993}).encode()
        out = answer(200, said, ["Content-Type: application/json; charset=utf-8", "X-Twice: 1", "x-twice: 2", "X-Odd: \xd6\xd0"])
        if path.startswith("/status/"):
            out = answer(int(path[8:]), b"because \xe7\x90\x86\xe7\x94\xb1 \x1b[31m")
        elif path == "/to":
            out = answer(int(query.get("s", 302)), b"", ["Location: " + query["u"]])
        elif path == "/slow":
            await asyncio.sleep(float(query["s"]))
        elif path == "/big":
            out = answer(200, b"x" * int(query["n"]))
        elif path == "/flaky":
            out = await flaky(query)
        if not out:
            return
        writer.write(out if method != "HEAD" else out.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        await writer.drain()


def raw(*parts, end="close", pause=0.0):
    """After the request: these bytes, then close, reset, or wait for ever."""
    async def peer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if end == "wait":
            await asyncio.sleep(3600)
        if end == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return peer


async def silent(reader, _):
    await reader.read()
    await asyncio.sleep(3600)


async def slam(_, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def for_ever(writer, first, again, pause=0.0):
    writer.write(first)
    while True:
        writer.write(again)
        await writer.drain()
        await asyncio.sleep(pause)


def endless(first, again, pause=0.0):
    async def peer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await for_ever(writer, first, again, pause)
    return peer


async def bomb(reader, writer):
    """A megabyte of zeros in a kilobyte, again and again."""
    await reader.readuntil(b"\r\n\r\n")
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
    while True:
        writer.write(packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))
        await writer.drain()


OK = b"HTTP/1.1 200 OK\r\n"
PEERS = {
    "echo": echo,
    "silent": silent,
    "slam": slam,
    "drip": endless(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a", 1),
    "drip_body": endless(OK + b"Content-Length: 1000\r\n\r\n", b"a", 1),
    "endless_headers": endless(OK, b"X-More: " + b"a" * 500 + b"\r\n"),
    "endless_line": endless(OK + b"X-More: ", b"a" * 4000),
    "endless_continue": endless(b"", b"HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"),
    "endless_body": endless(OK + b"\r\n", b"a" * 65536),
    "endless_chunks": endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"a" * 0x4000 + b"\r\n"),
    "bomb": bomb,
    "bad_gzip": raw(OK + b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n", b"\x1f\x8b\x08 this is no gzip"),
    "bad_chunk": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nabc\r\n0\r\n\r\n"),
    "short_chunk": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"ffff\r\nabc"),
    "huge_chunk": raw(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"ffffffffffffffffff\r\nabc"),
    "short_body": raw(OK + b"Content-Length: 100\r\n\r\n", b"abc"),
    "reset": raw(OK + b"Content-Length: 100\r\n\r\nabc", end="reset", pause=0.1),
    "nothing": raw(),
    "garbage": raw(b"\x00\x01\x02 this is not HTTP \xff\xfe\r\n\r\n"),
    "half_status": raw(b"HTTP/1.1 2", end="wait"),
}


async def serve(peer, reader, writer):
    try:
        await peer(reader, writer)
    except (OSError, asyncio.IncompleteReadError, LookupError, ValueError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


def deaf():
    """Listens and never accepts; its queue is full, so that the next connection gets no answer at all."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        waiting.append(one)
    return listener, waiting


async def main():
    ports, servers = {}, []
    for name, peer in PEERS.items():
        server = await asyncio.start_server(lambda r, w, peer=peer: serve(peer, r, w), "127.0.0.1", 0, limit=1 << 22, backlog=1024)
        servers.append(server)
        ports[name] = server.sockets[0].getsockname()[1]
    servers.append(await asyncio.start_unix_server(lambda r, w: serve(echo, r, w), FOLDER + "/echo.sock"))
    listener, waiting = deaf()
    ports["deaf"] = listener.getsockname()[1]
    closed = socket.socket()  # bound, so that nobody else is; it never listens
    closed.bind(("127.0.0.1", 0))
    ports["closed"] = closed.getsockname()[1]
    with open(FOLDER + "/ports.tmp", "w", encoding="utf-8") as f:
        json.dump(ports, f)
    os.rename(FOLDER + "/ports.tmp", FOLDER + "/ports.json")
    print("ready", flush=True)
    await asyncio.Event().wait()
    del waiting, closed


asyncio.run(main())
