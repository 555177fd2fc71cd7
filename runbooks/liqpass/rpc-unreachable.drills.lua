-- Real EVM nodes and a backend that reads its environment file. Loaded with rpc-unreachable.lua; drill and test only.

local needs = { "anvil", "python3" }
local MINING = { "--block-time", "1" }

-- o: url of the main node, in place of a healthy one; more: lines of the environment file.
local function lab(d, o)
  o = o or {}
  d.main = o.main or d:evm { options = MINING }
  d.spare = d:evm { options = MINING }
  d:set { env_file = d.dir .. "/.env.us", backups = { d.spare.url }, max_block_age = "30s" }
  file.write(d.p.env_file, ("# us-backend\nBASE_RPC_URL=%s\n%sOTHER=kept\n"):format(o.url or d.main.url, o.more or ""))
  d.backend = d:keep { argv = { "sh", "-c", 'set -a; . "$0"; exec sleep 3600', d.p.env_file } }
  d:set { backend_keeper = "init:" .. d.backend.service }
end
local function switched(d)
  local now = file.read(d.p.env_file)
  assert(now:find("BASE_RPC_URL=" .. d.spare.url, 1, true) and now:find("OTHER=kept", 1, true), now)
end

drill "healthy" { needs = needs, expect = {}, inject = function(d) lab(d) end }
drill "down" { needs = needs, expect = { "down" }, repair = "switch", prove = switched, inject = function(d) lab(d) d.main:kill() end }
-- A way to the node that is slow, answers null, or fails the first and every third question for its chain.
local WAY = [[
import http.server, json, sys, time, urllib.request
node, mood, asked = sys.argv[3], sys.argv[4], 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        global asked
        body = self.rfile.read(int(self.headers["content-length"]))
        probe = isinstance(json.loads(body), dict) and json.loads(body)["method"] == "eth_chainId"
        asked += probe
        if mood == "slow": time.sleep(1.3)
        status, reply = 503, b"busy"
        if not (mood == "flaky" and probe and asked % 3 == 1):
            request = urllib.request.Request(node, body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request) as answer: status, reply = 200, answer.read()
        if mood == "null" and probe: reply = json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "result": None}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer((sys.argv[2], int(sys.argv[1])), Handler).serve_forever()
]]
local function by_way(mood)
  return function(d)
    local node, port = d:evm { options = MINING }, tostring(d:port())
    d:keep { argv = { "/usr/bin/python3", "-c", WAY, port, "127.0.0.1", node.url, mood } }
    wait_until(function() return net.listener(tonumber(port)) end, { within = "60s", every = "100ms" })
    lab(d, { main = node, url = "http://127.0.0.1:" .. port })
    d:set { slow = "1s" }
  end
end
drill "slow" { needs = needs, expect = { "slow" }, repair = "switch", prove = switched, inject = by_way "slow" }
drill "answers-null" { -- it is there, and of no use
  needs = needs, expect = { "down" }, repair = "switch", prove = switched, inject = by_way "null",
}
drill "flaky" {
  needs = needs, expect = { "flaky" }, repair = "set-retries", inject = by_way "flaky",
  prove = function(d) assert(envfile.get(d.p.env_file, "RPC_RETRY_ATTEMPTS") == "3" and envfile.get(d.p.env_file, "OTHER") == "kept", "not set") end,
}
drill "down-and-back" { -- the old address comes back: the switch is taken back
  needs = needs, expect = { "down" }, repair = "switch", undo = true, inject = function(d) lab(d) d.main:kill() end,
  prove = function(d) assert(envfile.get(d.p.env_file, "BASE_RPC_URL") == d.main.url, "another address stands there") end,
}
drill "both-down" {
  needs = needs, expect = { "down" }, repair = "switch", result = "found",
  inject = function(d) lab(d) d.main:kill() d.spare:kill() end,
}
drill "wrong-chain" {
  needs = needs, expect = { "wrong-chain" }, repair = "switch", prove = switched,
  inject = function(d) lab(d, { main = d:evm { chain_id = 1, options = MINING } }) end,
}
drill "spare-on-another-chain" { -- no way out: nothing is changed
  needs = needs, expect = { "down" }, repair = "switch", result = "found",
  inject = function(d)
    lab(d)
    d:set { backups = { d:evm { chain_id = 1, options = MINING }.url } }
    d.main:kill()
  end,
}
drill "lagging" {
  needs = needs, expect = { "lagging" }, repair = "switch", prove = switched,
  inject = function(d)
    lab(d, { main = d:evm {} })
    d:set { lag = 2, max_block_age = "1h" }
    wait "5s"
  end,
}
drill "stalled" {
  needs = needs, expect = { "stalled" }, repair = "switch", prove = switched,
  inject = function(d)
    lab(d, { main = d:evm {} })
    d:set { lag = 1000, max_block_age = "5s" }
    wait "8s"
  end,
}
drill "placeholder" {
  needs = needs, expect = { "invalid" }, repair = "switch", prove = switched,
  inject = function(d) lab(d, { url = "https://base-mainnet.g.alchemy.com/v2/your-api-key" }) end,
}
drill "not-loaded" {
  needs = needs, expect = { "not-loaded" }, repair = "reload",
  inject = function(d)
    lab(d)
    envfile.set(d.p.env_file, "BASE_RPC_URL", d.spare.url)
  end,
}
drill "dead-proxy" {
  needs = needs, expect = { "proxy-dead" }, result = "found", inject = function(d) lab(d, { more = "HTTPS_PROXY=http://127.0.0.1:1\n" }) end,
}
drill "blocked" { -- nothing gets through: the other provider is reached another way
  needs = { "iptables", "root", table.unpack(needs) }, expect = { "down", "blocked" }, repair = "switch", prove = switched,
  inject = function(d)
    local n = d.netns()
    lab(d, { url = "http://" .. n.address .. ":8545" })
    d:set { slow = "1s" }
    n:run { "iptables", "-A", "INPUT", "-p", "tcp", "-j", "DROP" }
  end,
}
