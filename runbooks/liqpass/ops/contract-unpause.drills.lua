-- contract-unpause on a real EVM node, with real HTTP services.

local SCRIPT = [[
import json, sys, urllib.request
url, wallet, contract, word = sys.argv[1:5]
data = {"pause": "0x8456cb59", "unpause": "0x3f4ba83a"}[word]
call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendTransaction", "params": [{"from": wallet, "to": contract, "data": data}]}
request = urllib.request.Request(url, json.dumps(call).encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request) as answer: print(json.load(answer)["result"])]]

local function chain(d)
  d.node, d.us, d.jp = d:evm {}, d:http {}, d:http {}
  d:secret("ops-key", "0xkey")
  file.write(d.dir .. "/ops-control.py", SCRIPT)
  d:set {
    rpc_nodes = { d.node.url }, contract = d.node.contract, ops_wallet = d.node.owner, ops_key = "ops-key", contracts_dir = d.dir, watch = 3,
    command = { "/usr/bin/python3", d.dir .. "/ops-control.py", d.node.url, d.node.owner, d.node.contract },
    us_health_url = d.us.url .. "/healthz", jp_health_url = d.jp.url .. "/healthz",
  }
end
local function paused(d)
  chain(d)
  d.node:rpc("eth_sendTransaction", { from = d.node.owner, to = d.node.contract, data = "0x8456cb59" })
  wait_until(function() return evm.paused(d.node.url, d.node.contract) end, { within = "60s" })
end
local function still_paused(d) assert(evm.paused(d.node.url, d.node.contract) == true, "it was let run") end
local closed = { incident = { id = "r-1", root = "found and repaired" } }
local needs = { "anvil", "python3" }

drill "runs-already" { needs = needs, inject = chain, expect = {} }
drill "unpause" {
  needs = needs, inject = paused, expect = { "to-do" }, answers = closed,
  prove = function(d) assert(evm.paused(d.node.url, d.node.contract) == false, "it is still paused") end,
}
drill "unpause-and-back" { -- it goes wrong afterwards: it is paused again
  needs = needs, inject = paused, expect = { "to-do" }, answers = closed, undo = true, prove = still_paused,
}
drill "wrong-after-all" { -- the backend dies while it is watched: it is offered to pause again, and is
  needs = needs, expect = { "to-do" }, result = "failed", fails_at = "observe", undo = true, prove = still_paused,
  inject = function(d) paused(d) d:set { watch = 15 } end,
  answers = { incident = function(d)
    d:spawn { ready = "waits", "sh", "-c", "echo waits; sleep 4; kill -9 $0", d.us:process().pid }
    return closed.incident
  end },
}
drill "backend-is-down" {
  needs = needs, expect = { "to-do", "unhealthy" }, answers = closed, result = "found", prove = still_paused,
  inject = function(d) paused(d) d.us:routes { ["*"] = { status = 503 } } end,
}
drill "incident-is-open" {
  needs = needs, inject = paused, expect = { "to-do" }, answers = { incident = false }, result = "found", prove = still_paused,
}
drill "wrong-chain" {
  needs = needs, expect = { "to-do", "wrong-chain" }, answers = closed, result = "found", prove = still_paused,
  inject = function(d) paused(d) d:set { chain_id = 1 } end,
}
drill "not-the-owner" {
  needs = needs, expect = { "to-do", "not-authorised" }, answers = closed, result = "found", prove = still_paused,
  inject = function(d) paused(d) d:set { ops_wallet = d.node:rpc("eth_accounts")[2] } end,
}
drill "no-contract" {
  needs = needs, expect = { "no-code" }, answers = closed, result = "found",
  inject = function(d) paused(d) d:set { contract = "0x00000000000000000000000000000000000000aa" } end,
}
drill "not-mined" { -- one is under way: there must be no second
  needs = needs, expect = { "to-do", "tx-pending" }, answers = closed, result = "found", prove = still_paused,
  inject = function(d)
    paused(d)
    d.node:rpc("evm_setAutomine", false)
    d.node:rpc("eth_sendTransaction", { from = d.node.owner, to = d.node.contract, data = "0x3f4ba83a" })
  end,
}
