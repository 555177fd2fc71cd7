runbook "liqpass/rpc-unreachable" {
  title    = { zh = "区块链网络连接问题", en = "Blockchain RPC unreachable" },
  alias    = "rpc-unreachable",
  severity = "P1", kind = "incident",
  target   = "{env_file}",
  codes    = { "BLOCKCHAIN_NETWORK_ERROR", "RPC_CONNECTION_FAILED" },
  symptoms = { "无法连接到区块链网络", "交易无法提交" },
  source   = "LiqPass 错误处理与故障排查手册 2.4 错误8；运维管理指南 8.1",
  escalate = { zh = "主备都不通时：暂停接单，再找节点服务商", en = "when neither answers: stop taking orders, then call the node's provider" },
}

param "env_file"
param "backend_keeper"
param "env_key" { type = "string", default = "BASE_RPC_URL", title = { zh = "RPC 地址的变量名", en = "variable that holds the RPC address" } }
param "backups" { type = "list(url)", default = {}, title = { zh = "备用 RPC 地址，按顺序", en = "spare RPC addresses, in order" } }
param "chain_id" { type = "int", default = 8453, title = { zh = "应当在哪条链上", en = "the chain it must be" } }
param "slow" { type = "duration", default = "5s", title = { zh = "多慢算慢", en = "a slower answer counts as slow" } }
param "lag" { type = "int", default = 10, min = 0, title = { zh = "最多落后多少块", en = "blocks it may be behind" } }
param "max_block_age" { type = "duration", default = "60s", title = { zh = "最新块最多多旧", en = "how old the newest block may be" } }
param "probes" { type = "int", default = 3, min = 1, max = 20, title = { zh = "试几次", en = "how often it is tried" } }

-- Keys stand in the path of an address: nobody has to see them.
local function masked(url) return (url:gsub("/v(%d)/.*", "/v%1/…")) end
local function current(p) return envfile.get(p.env_file, p.env_key) end
local function good(p, url)
  local state = try(evm.status, url)
  return state and state.chain_id == p.chain_id and state.age <= p.max_block_age and state
end
local function healthy_backup(p)
  for _, url in ipairs(p.backups) do
    if url ~= current(p) and good(p, url) then return url end
  end
end
local function loaded(p)
  local pid = keeper.state(p.backend_keeper).pid
  local entry = pid and envfile.read(p.env_file, { pid = pid })
  return entry ~= nil and entry[p.env_key] ~= nil and entry[p.env_key].loaded ~= false
end
local function retries(p) return (tonumber(envfile.get(p.env_file, "RPC_RETRY_ATTEMPTS")) or 0) >= 3 end
local function chain_of(answer) return answer and answer.ok and tostring(answer.value):match("^0x%x+$") end
local function works(p)
  local url = current(p)
  local c = url and rpc(url, { timeout = p.slow * 2 })
  local answer = c and try(c.answer, c, "eth_chainId")
  if answer and answer.ok and not chain_of(answer) then return false, { zh = "现在的地址答非所问", en = "the address in use answers something else" } end
  if answer and answer.ok and answer.ms > p.slow * 1000 then return false, { zh = "现在的地址太慢", en = "the address in use is too slow" } end
  local own = url and evm.agree({ url, table.unpack(p.backups) }, { lag = p.lag, chain_id = p.chain_id }).nodes[1]
  if not (own and own.ok and own.chain_id == p.chain_id and own.lag <= p.lag and own.age <= p.max_block_age) then
    return false, { zh = "现在的地址还不行", en = "the address in use does not do yet" }
  end
  return loaded(p), { zh = "后端还没有用上新地址", en = "the backend does not use it yet" }
end

finding "invalid" {
  title  = { zh = "{env_key} 不是可用的地址：{why}", en = "{env_key} is no address that works: {why}" }, verify = works, within = "30s",
  advice = { zh = "填上真实的地址和密钥", en = "put in the real address and key" },
}
finding "down" { title = { zh = "RPC 不通（{code}）：{url}", en = "the RPC does not answer ({code}): {url}" }, verify = works, within = "30s" }
finding "blocked" {
  explains = "down", title = { zh = "连不到 {host}:{port}（{code}）", en = "nothing gets through to {host}:{port} ({code})" },
  advice = { zh = "查出口防火墙、DNS 和路由", en = "look at the outgoing firewall, DNS and routes" },
}
finding "wrong-chain" {
  severity = "P0", title = { zh = "RPC 在链 {got} 上，应为 {chain_id}", en = "the RPC is on chain {got}, not {chain_id}" }, verify = works, within = "30s",
}
finding "slow" { severity = "P2", title = { zh = "RPC 用了 {ms} 毫秒", en = "the RPC took {ms} ms" }, verify = works, within = "30s" }
finding "lagging" { title = { zh = "RPC 落后备用节点 {n} 块", en = "the RPC is {n} blocks behind a spare one" }, verify = works, within = "30s" }
finding "stalled" {
  title  = { zh = "最新的块已经 {age:duration}", en = "the newest block is {age:duration} old" }, verify = works, within = "30s",
  advice = { zh = "所有节点都一样时是链停了：暂停接单", en = "when it is so on all nodes the chain has halted: stop taking orders" },
}
finding "flaky" { severity = "P2", title = { zh = "{n} 次里失败 {failed} 次，后端没有配重试", en = "{failed} of {n} tries failed, and the backend does not try again" } }
finding "not-loaded" {
  severity = "P2", title = { zh = "后端运行时用的不是 {env_file} 里的地址",
                             en = "the backend runs with another address than {env_file} has" }, verify = loaded, within = "30s",
}
finding "proxy-dead" {
  key = "proxy", title = { zh = "后端配了代理 {proxy}，但连不上它", en = "the backend is told to use the proxy {proxy}, which does not answer" },
  advice = { zh = "修好代理，或从 {env_file} 里去掉它再重启", en = "repair the proxy, or take it out of {env_file} and restart" },
}

check "address" {
  title = { zh = "配置的地址", en = "the configured address" },
  run = function(p)
    local entry = envfile.read(p.env_file, { show = { p.env_key } })
    local one = entry and entry[p.env_key]
    if not one then found("invalid", { why = p.env_file }) return {} end
    if one.placeholder or (one.value or ""):find("your-api-key", 1, true) then found("invalid", { why = "your-api-key" }) return {} end
    local host, port = (one.value or ""):match("^https?://([%w.-]+):?(%d*)")
    if not host then found("invalid", { why = masked(one.value or "") }) return {} end
    ok("{url}", { url = masked(one.value) })
    return { url = one.value, host = host, port = tonumber(port) or (one.value:find("^https") and 443 or 80) }
  end,
}
check "rpc" {
  title = { zh = "RPC 应答吗", en = "does the RPC answer" },
  why   = { zh = "手册看了 net_version，却不和 8453 比；telnet 会一直挂着；这里比较链号，每次都有时限",
            en = "the manual asks net_version and compares it with nothing, and its telnet hangs; this compares the chain, with a deadline" },
  run = function(p, r)
    local url = r.address.url or skip { zh = "没有可用的地址", en = "there is no address" }
    local failed, last, slowest = 0, nil, 0
    for _ = 1, p.probes do
      local c = rpc(url, { timeout = p.slow * 2 })
      local answer, err = try(c.answer, c, "eth_chainId")
      local chain = chain_of(answer)
      if chain then slowest = math.max(slowest, answer.ms) else failed, last = failed + 1, err or answer.error or { code = "rpc" } end
      if chain and evm.int(chain) ~= p.chain_id then found("wrong-chain", { got = evm.int(chain) }) return {} end
    end
    if failed == p.probes then
      found("down", { url = masked(url), code = last.code })
      local open, code = net.reachable(r.address.host, r.address.port, { timeout = "5s" })
      if not open and code ~= "refused" then found("blocked", { host = r.address.host, port = r.address.port, code = code }) end
      return {}
    end
    if failed > 0 and retries(p) then
      note({ zh = "{n} 次里失败 {failed} 次，后端会重试", en = "{failed} of {n} tries failed; the backend tries again" }, { n = p.probes, failed = failed })
    elseif failed > 0 then
      found("flaky", { n = p.probes, failed = failed })
    end
    if slowest > p.slow * 1000 then found("slow", { ms = slowest }) end
    ok({ zh = "{ms} 毫秒", en = "{ms} ms" }, { ms = slowest })
    return { answers = true }
  end,
}
check "height" {
  title = { zh = "高度", en = "height" },
  why   = { zh = "只看自己的高度说明不了同步；这里和备用节点比，并看最新块的时间",
            en = "its own height proves no sync; this compares with the spare nodes and looks at the newest block's time" },
  run = function(p, r)
    if not r.rpc.answers then return end
    local nodes = { r.address.url, table.unpack(p.backups) }
    local seen = evm.agree(nodes, { lag = p.lag, chain_id = p.chain_id })
    local own = seen.nodes[1]
    if not own.ok then fail({ zh = "问不出它的高度：{error}", en = "its height cannot be told: {error}" }, own) end
    for i = 2, #seen.nodes do note("{node}: {state}", { node = masked(nodes[i]), state = seen.nodes[i].ok and "ok" or seen.nodes[i].error }) end
    if own.lag and own.lag > p.lag then found("lagging", { n = own.lag }) end
    if own.age and own.age > p.max_block_age then found("stalled", { age = own.age }) end
    ok({ zh = "{height}", en = "{height}" }, own)
  end,
}
check "backend" {
  title = { zh = "后端用的是什么", en = "what the backend uses" },
  why   = { zh = "手册看的是自己终端的 HTTP_PROXY；要看的是后端进程的", en = "the manual looks at HTTP_PROXY of one's own terminal; what counts is the backend's" },
  run = function(p)
    local pid = keeper.state(p.backend_keeper).pid or skip { zh = "后端没有在运行", en = "the backend is not running" }
    if not loaded(p) then found "not-loaded" end
    local told = shell.read { sh = 'tr "\\0" "\\n" <"/proc/$1/environ" | grep -iE "^https?_proxy="', args = { tostring(pid) } }.out
    for proxy in told:gmatch("=%s*%a*:?/*([^%s]+)") do
      local host, port = proxy:match("([%w.-]+):(%d+)")
      if host and not net.reachable(host, tonumber(port), { timeout = "3s" }) then found("proxy-dead", { proxy = host .. ":" .. port }) end
    end
  end,
}

fix "set-retries" {
  when = "flaky", risk = "low", title = { zh = "后端重试 3 次，间隔 1 秒", en = "let the backend retry three times, a second apart" },
  run  = function(p)
    envfile.set(p.env_file, "RPC_RETRY_ATTEMPTS", "3")
    envfile.set(p.env_file, "RPC_RETRY_DELAY", "1000")
    keeper.renew(p.backend_keeper)
  end,
}
fix "reload" {
  when = "not-loaded", risk = "medium", within = "30s", no_undo = { zh = "后端会中断几秒", en = "the backend is gone for some seconds" },
  title = { zh = "重启后端，让它读新的地址", en = "restart the backend, so that it reads the address" },
  run   = function(p) keeper.renew(p.backend_keeper) end,
}
fix "switch" {
  when = { "down", "wrong-chain", "lagging", "slow", "stalled", "invalid" }, risk = "medium", within = "60s",
  title = { zh = "{env_key} 换成第一个健康的备用地址，再重启后端", en = "point {env_key} at the first healthy spare address and restart the backend" },
  why   = { zh = "手册在终端里 export，只对那个终端有效；这里改后端读的文件，并先确认备用节点在同一条链上、没有落后",
            en = "the manual exports it in a terminal, which only that terminal sees; this changes the file the backend reads, after making sure that the "
              .. "spare is on the same chain and not behind" },
  guard = function(p) return healthy_backup(p) ~= nil, { zh = "没有健康的备用地址", en = "no spare address is healthy" } end,
  run   = function(p)
    local set = envfile.set(p.env_file, p.env_key, healthy_backup(p))
    keep(set)
    keeper.renew(p.backend_keeper)
    return set
  end,
  undo  = function(p, f, r)
    envfile.restore(r.switch)
    keeper.renew(p.backend_keeper)
  end,
}

prevent "second" { title = { zh = "备用节点", en = "a second node" }, by_hand = { zh = "配两个不同服务商的地址", en = "have addresses of two providers" } }
