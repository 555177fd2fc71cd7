-- Pauses a contract, or lets it run again (G17), by the team's own script; judged by what the nodes say. options: to = "pause" or
-- "unpause"; title = { zh, en } of the step; risk; approvals; why. Steps before it in the file come first. The system's profile
-- declares rpc_nodes, chain_id, contract, ops_wallet, ops_key, contracts_dir, channel.
local TOPICS = { -- Paused(address), Unpaused(address)
  pause = "0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258",
  unpause = "0x5db9ee0a495bf2e6ff9c91a7834c1ba4fdd244a5e8aa4e537bd38aeae4b073aa",
}
local OTHER = { pause = "unpause", unpause = "pause" }

return function(o)
  options(o, { to = "string!", title = "table!", risk = "string!", why = "table!", approvals = "number" })
  local paused = o.to == "pause"

  param "rpc_nodes"
  param "chain_id"
  param "contract"
  param "ops_wallet"
  param "ops_key"
  param "contracts_dir"
  param "channel"
  param "command" { type = "list(string)", default = { "node", "ops-control.js" }, title = { zh = "合约控制脚本", en = "the script that controls the contract" } }

  finding "wrong-chain" {
    blocks = true, key = "node", title = { zh = "节点 {node} 是链 {chain}，应为 {chain_id}", en = "node {node} is of chain {chain}, not {chain_id}" },
    advice = { zh = "改正 rpc_nodes；在错误的链上什么都不要发", en = "correct rpc_nodes; send nothing on the wrong chain" },
  }
  finding "no-code" {
    blocks = true, title = { zh = "{contract} 上没有合约", en = "there is no contract at {contract}" },
    advice = { zh = "核对合约地址和链", en = "compare address and chain" },
  }
  finding "not-authorised" {
    blocks = true, title = { zh = "运维钱包 {ops_wallet} 不是合约的 owner（{owner}）", en = "the wallet {ops_wallet} is not the contract's owner ({owner})" },
    advice = { zh = "由 owner（多签时由签名人）操作；用这个钱包发出去只会失败并花 gas", en = "let the owner do it, or its signers; from this wallet it fails and costs gas" },
  }
  finding "tx-pending" {
    blocks = true, title = { zh = "运维钱包有 {waiting} 笔交易还没上链", en = "{waiting} transactions of the wallet are not mined yet" },
    advice = { zh = "先等它上链或用同一 nonce 替换；不要再发一笔", en = "wait, or replace it with the same nonce; send no second one" },
  }
  finding "to-do" { title = paused and { zh = "合约正在运行", en = "the contract runs" } or { zh = "合约处于暂停状态", en = "the contract is paused" } }

  -- One node that answers is enough to look, and to stop the damage.
  local function answering(p)
    local state = evm.agree(p.rpc_nodes, { chain_id = p.chain_id })
    local list = {}
    for i, node in ipairs(state.nodes) do
      if node.ok then list[#list + 1] = { name = p.rpc_nodes[i], chain_id = node.chain_id, height = node.height } end
    end
    return #list > 0 and list or fail { zh = "没有一个节点有应答", en = "no node answers" }
  end
  local function is_so(p)
    for _, node in ipairs(answering(p)) do
      if evm.paused(node.name, p.contract) ~= paused then return false, { zh = node.name .. " 还没有变", en = node.name .. " does not say so yet" } end
    end
    return true
  end
  local function script(p, word)
    local argv = { cwd = p.contracts_dir, env = { OPS_WALLET_PRIVATE_KEY = p.ops_key }, timeout = "2m", table.unpack(p.command) }
    argv[#argv + 1] = word
    return shell.run(argv)
  end
  -- What a script that failed says is no proof that nothing was sent: the wallet's nonce is.
  local function pending(p)
    local most = 0
    for _, node in ipairs(answering(p)) do most = math.max(most, evm.nonces(node.name, p.ops_wallet).pending) end
    return most
  end
  local function send(p, word)
    local before = pending(p)
    local done, err = try(script, p, word)
    if done then return { hash = done.out:match("0x" .. ("%x"):rep(64)) } end
    if pending(p) == before then fail({ zh = "脚本失败，没有发出交易（nonce 未变）：{why}", en = "the script failed and sent nothing (the nonce is as it was): {why}" },
                                      { why = err.message }) end
    note({ zh = "脚本失败，但交易已经发出（nonce 变了），不要重发：{why}", en = "the script failed, yet it sent a transaction (the nonce moved); send no second one: {why}" },
         { why = err.message })
    return {}
  end

  check "nodes" {
    title = { zh = "节点", en = "the nodes" },
    run   = function(p)
      local list = answering(p)
      local best = list[1] -- one that lags tells of a contract as it was
      for _, node in ipairs(list) do
        if node.height > best.height then best = node end
        if node.chain_id ~= p.chain_id then found("wrong-chain", { node = node.name, chain = node.chain_id }) end
      end
      ok({ zh = "{n} 个有应答", en = "{n} answer" }, { n = #list })
      return { first = best.name, head = best.height }
    end,
  }
  check "contract" {
    title = { zh = "合约状态", en = "the contract" },
    run   = function(p, r)
      local one = evm.contract(r.nodes.first, p.contract)
      if not one.code then found "no-code" return end
      if one.paused == nil then fail { zh = "合约没有 paused()", en = "the contract has no paused()" } end
      if one.paused ~= paused then found "to-do" end
      if one.paused ~= paused and one.owner and one.owner ~= p.ops_wallet:lower() then found("not-authorised", { owner = one.owner }) end
      return { paused = one.paused, owner = one.owner }
    end,
  }
  check "pending" {
    when = "to-do", title = { zh = "未上链的交易", en = "transactions under way" },
    run  = function(p, r)
      local nonces = evm.nonces(r.nodes.first, p.ops_wallet)
      if nonces.waiting > 0 then found("tx-pending", { waiting = nonces.waiting }) end
    end,
  }

  step "send" {
    when = "to-do", risk = o.risk, key = "contract", approvals = o.approvals, within = "60s", timeout = "3m",
    title = o.title, why = o.why,
    run    = function(p) return send(p, o.to) end,
    verify = is_so,
    no_undo = paused and { zh = "用 liqpass/ops/contract-unpause 恢复，它会先做检查", en = "liqpass/ops/contract-unpause takes it back, after its own checks" } or nil,
    undo   = not paused and function(p) send(p, OTHER[o.to]) end or nil,
  }
  step "receipt" {
    when = "to-do", risk = "low", title = { zh = "交易回执和事件", en = "receipt and event" },
    run  = function(p, r)
      local hash = r.send.hash
      if not hash then note { zh = "脚本没有打印交易哈希", en = "the script printed no hash" } return { hash = "-" } end
      local receipt = evm.receipt(r.nodes.first, hash) or fail({ zh = "节点不认识交易 {hash}", en = "the node does not know {hash}" }, { hash = hash })
      if receipt.state ~= "success" then fail({ zh = "交易 {hash}：{state}", en = "{hash}: {state}" }, { hash = hash, state = receipt.state }) end
      local events = evm.logs(r.nodes.first, { address = p.contract, topics = { TOPICS[o.to] }, from = receipt.block })
      if #events == 0 then note { zh = "没有看到合约的事件，以 paused() 为准", en = "the contract sent no event; paused() counts" } end
      return { hash = hash, block = receipt.block, events = #events }
    end,
  }
  step "tell" {
    when = "to-do", risk = "low", title = { zh = "通知（{channel}）", en = "tell people ({channel})" },
    run  = function(p, r)
      notify(p.channel, { level = paused and "P0" or "P2",
        title = paused and { zh = "合约已暂停", en = "the contract is paused" } or { zh = "合约已恢复运行", en = "the contract runs again" },
        facts = { { { zh = "合约", en = "contract" }, p.contract }, { { zh = "交易", en = "transaction" }, r.receipt.hash } } })
    end,
  }
end
