-- contract-pause on a real EVM node with a deployed contract. The script stands in for ops-control.js, which the manual does
-- not supply.

local SCRIPT = [[
import json, os, sys, urllib.request
if os.environ.get("OPS_WALLET_PRIVATE_KEY") != "0xkey": sys.exit("wrong key")
url, wallet, contract, word = sys.argv[1:5]
data = {"pause": "0x8456cb59", "unpause": "0x3f4ba83a"}[word]
call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": [{"from": wallet, "to": contract, "data": data}]}
with urllib.request.urlopen(urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})) as answer: got = json.load(answer)
if "error" in got: sys.exit(got["error"]["message"])
print("transaction", got["result"])]]

local function chain(d, o)
  d.node = d:evm(o or {})
  d:secret("ops-key", "0xkey")
  file.write(d.dir .. "/ops-control.py", SCRIPT)
  d:set {
    rpc_nodes = { d.node.url, d.node.url .. "/" }, chain_id = 8453, contract = d.node.contract, ops_wallet = d.node.owner,
    ops_key = "ops-key", contracts_dir = d.dir,
    command = { "/usr/bin/python3", d.dir .. "/ops-control.py", d.node.url, d.node.owner, d.node.contract },
  }
  d.sent = evm.nonces(d.node.url, d.node.owner).pending
end
-- A second way to the same chain, which can die by itself.
local function two_nodes(d)
  chain(d)
  d.second = d:nginx { http = ("server { listen @PORT@; location / { proxy_pass http://127.0.0.1:%d; } }"):format(d.node.port) }
  d:set { rpc_nodes = { d.node.url, d.second.url } }
end
local function sent(d) return evm.nonces(d.node.url, d.node.owner).pending - d.sent end
local function nothing_sent(d) assert(sent(d) == 0, "a transaction was sent") end
local why = { reason = { text = "a drill" } }
local needs = { "anvil", "python3" }

drill "already-paused" {
  needs = needs, expect = {}, prove = nothing_sent,
  inject = function(d)
    chain(d)
    d.node:rpc("eth_sendTransaction", { from = d.node.owner, to = d.node.contract, data = "0x8456cb59" })
    wait_until(function() return evm.paused(d.node.url, d.node.contract) end, { within = "60s" })
    d.sent = evm.nonces(d.node.url, d.node.owner).pending
  end,
}
drill "pause" {
  needs = needs, inject = chain, expect = { "to-do" }, answers = why,
  prove = function(d)
    assert(evm.paused(d.node.url, d.node.contract) == true, "it still runs")
    assert(sent(d) == 1, "it was sent more than once")
  end,
}
drill "two-nodes" { -- both say so, the contract's own event is there, people are told
  needs = { "anvil", "nginx", "python3" }, expect = { "to-do" }, answers = why,
  inject = function(d)
    two_nodes(d)
    d.hook = d:http { routes = { ["*"] = { status = 200, body = "ok" } } }
    d:set { channel = d:channel("oncall", { kind = "webhook", url = d.hook.url .. "/hook" }) }
  end,
  prove = function(d, out)
    for _, url in ipairs(d.p.rpc_nodes) do assert(evm.paused(url, d.node.contract) == true, url .. " does not say so") end
    assert(out.r.receipt.events == 1, "the event was not seen")
    assert(sent(d) == 1, "it was sent more than once")
    assert(d.hook:requests()[1].body:find("paused", 1, true), "nobody was told")
  end,
}
drill "first-node-lags" { -- it still tells of the pause that was lifted since: the contract runs
  needs = needs, expect = { "to-do" }, answers = why,
  inject = function(d)
    chain(d)
    local old = d:evm {}
    assert(old.contract == d.node.contract, "two chains that begin alike differ")
    old:rpc("eth_sendTransaction", { from = old.owner, to = old.contract, data = "0x8456cb59" })
    wait_until(function() return evm.paused(old.url, old.contract) end, { within = "60s" })
    for _ = 1, 5 do d.node:rpc "evm_mine" end
    d:set { rpc_nodes = { old.url, d.node.url } }
  end,
  prove = function(d) assert(evm.paused(d.node.url, d.node.contract) == true and sent(d) == 1, "it still runs") end,
}
drill "one-node-is-dead" { -- one that answers is enough to stop the damage
  needs = { "anvil", "nginx", "python3" }, expect = { "to-do" }, answers = why,
  inject = function(d) two_nodes(d) d.second:kill() end,
  prove = function(d) assert(evm.paused(d.node.url, d.node.contract) == true and sent(d) == 1, "it still runs") end,
}
drill "node-dies-after-sending" { -- the script never hears of it and fails; the nonce says that it was sent, the other node that it worked
  needs = { "anvil", "nginx", "python3" }, expect = { "to-do" }, answers = why,
  inject = function(d)
    two_nodes(d)
    local dies = SCRIPT:gsub("print%b()$", "os.kill(int(sys.argv[4]), 9)\nsys.exit('connection reset')")
    file.write(d.dir .. "/dies.py", (dies:gsub("sys.argv%[1:5%]", "sys.argv[1:4] + sys.argv[5:]")))
    local pid = tostring(d.second:process().pid)
    d:set { command = { "/usr/bin/python3", d.dir .. "/dies.py", d.second.url, d.node.owner, d.node.contract, pid } }
  end,
  prove = function(d, out)
    assert(evm.paused(d.node.url, d.node.contract) == true and sent(d) == 1, "it was not sent exactly once")
    assert(not d.second:process(), "the node did not die")
    assert(out.r.send.hash == nil, "the script was heard")
  end,
}
drill "not-the-owner" {
  needs = needs, expect = { "to-do", "not-authorised" }, answers = why, result = "found", prove = nothing_sent,
  inject = function(d) chain(d) d:set { ops_wallet = d.node:rpc("eth_accounts")[2] } end,
}
drill "wrong-chain" {
  needs = needs, expect = { "to-do", "wrong-chain" }, answers = why, result = "found", prove = nothing_sent,
  inject = function(d) chain(d) d:set { chain_id = 1 } end,
}
drill "no-contract" {
  needs = needs, expect = { "no-code" }, answers = why, result = "found", prove = nothing_sent,
  inject = function(d) chain(d) d:set { contract = "0x00000000000000000000000000000000000000aa" } end,
}
drill "not-mined" { -- one is under way: there must be no second
  needs = needs, expect = { "to-do", "tx-pending" }, answers = why, result = "found",
  inject = function(d)
    chain(d)
    d.node:rpc("evm_setAutomine", false)
    d.node:rpc("eth_sendTransaction", { from = d.node.owner, to = d.node.contract, data = "0x8456cb59" })
  end,
  prove = function(d) assert(sent(d) == 1, "a second transaction was sent") end,
}
drill "script-fails" {
  needs = needs, expect = { "to-do" }, answers = why, result = "failed", fails_at = "send", prove = nothing_sent,
  inject = function(d) chain(d) d:secret("other-key", "0xother") d:set { ops_key = "other-key" } end,
}
