// A WebSocket server by the package ws; what it does is the path. Prints one JSON object a line.
const fs = require("fs"), http = require("http"), https = require("https"), net = require("net"), crypto = require("crypto");
const { WebSocketServer } = require("ws");
const [, , key, cert] = process.argv;
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const sockets = new WebSocketServer({ noServer: true, handleProtocols: (set) => (set.has("v2") ? "v2" : false) });
sockets.on("connection", (ws, request) => {
  const path = request.url.split("?")[0];
  say({ path, url: request.url, protocol: ws.protocol, token: request.headers["x-token"] || null });
  ws.on("message", (data, binary) => {
    say({ got: binary ? data.toString("hex") : data.toString(), binary });
    if (path === "/echo") ws.send(data, { binary });
    if (path === "/once") ws.close(4001, "再见");
    if (path === "/rpc") {
      const { id, method, params } = JSON.parse(data);
      ws.send(JSON.stringify({ jsonrpc: "2.0", method: "tick", params: [1] }));
      ws.send(JSON.stringify({ jsonrpc: "2.0", id, result: { method, params } }));
    }
  });
  ws.on("close", (code) => say({ closed: code, path }));
  ws.on("error", () => {});
  if (path === "/greet") ws.send("hello 世界");
  if (path === "/ticks") for (let i = 0; i < 5; i++) ws.send("tick " + i);
  if (path === "/binary") ws.send(Buffer.from([0, 255, 1]));
  if (path === "/parts") { ws.send("one ", { fin: false }); ws.send("two", { fin: true }); ws.ping("x"); }
  if (path === "/big") ws.send("x".repeat(5 << 20));
  if (path === "/flood") { const more = () => { while (ws.readyState === 1 && ws.bufferedAmount < 1 << 20) ws.send("y".repeat(1000)); if (ws.readyState === 1) setImmediate(more); }; more(); }
  if (path === "/leave") ws.close(1012, "restarting");
  if (path === "/drop") setTimeout(() => ws._socket.destroy(), 50);
  if (path === "/nonsense") ws._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]));
});

const accept = (request) =>
  crypto.createHash("sha1").update(request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest("base64");

function upgrade(request, socket, head) {
  const path = request.url.split("?")[0];
  socket.on("error", () => {});
  if (path === "/refused") return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  if (path === "/lies") return socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n");
  if (path === "/extra")
    return socket.write("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept(request) + "\r\nSec-WebSocket-Protocol: other\r\n\r\n");
  if (path === "/glued") { // the first frame comes with the head
    const text = Buffer.from("glued");
    return socket.write(Buffer.concat([Buffer.from("HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept(request) + "\r\n\r\n"), Buffer.from([0x81, text.length]), text]));
  }
  if (path === "/mute") return;
  if (path === "/headers") { const more = () => socket.writable && socket.write("X-Filler: " + "a".repeat(100) + "\r\n", () => setImmediate(more)); socket.write("HTTP/1.1 101 x\r\n"); return more(); }
  sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit("connection", ws, request));
}

const plain = http.createServer((request, response) => response.end("no socket")).on("upgrade", upgrade);
const secure = https.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }).on("upgrade", upgrade);
fs.unlinkSync(key);
const raw = net.createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9\r\n\r\n"));
plain.listen(0, "127.0.0.1", () => secure.listen(0, "127.0.0.1", () => raw.listen(0, "127.0.0.1", () =>
  say({ port: plain.address().port, secure: secure.address().port, raw: raw.address().port, ca: cert }))));
