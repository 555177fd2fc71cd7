runbook "liqpass/ops/contract-unpause" {
  title    = { zh = "恢复合约运行", en = "Let the contract run again" },
  alias    = "contract-unpause",
  severity = "P1", kind = "operation",
  target   = "{contract}",
  when     = "to-do",
  symptoms = { { zh = "恢复合约运行", en = "unpause the contract" } },
  source   = "LiqPass 运维管理指南 1.1",
}

param "us_health_url"
param "jp_health_url"
param "canary" { type = "string", default = "0x8da5cb5b", pattern = "0x[0-9a-f]+", title = { zh = "恢复后试读的调用（默认 owner()）",
                                                                                             en = "a call that must answer afterwards (owner())" } }
param "watch"  { type = "duration", default = "10m", title = { zh = "恢复后观察多久", en = "how long it is watched afterwards" } }

finding "unhealthy" {
  blocks = true, key = "url", title = { zh = "{url} 不健康：{why}", en = "{url} is not healthy: {why}" },
  advice = { zh = "先把服务修好：runbook exec liqpass/health-check", en = "repair the service first: runbook exec liqpass/health-check" },
}
local function sick(url)
  local answer, err = try(http.get, url, { timeout = "5s" })
  if not answer then return err.message end
  return not answer.ok and "HTTP " .. answer.status or nil
end
check "health" {
  title = { zh = "服务健康", en = "health of the services" },
  run   = function(p)
    for _, url in ipairs { p.us_health_url, p.jp_health_url } do
      local why = sick(url)
      if why then found("unhealthy", { url = url, why = why }) end
    end
  end,
}
step "incident" {
  when    = "to-do",
  title   = { zh = "故障已关闭", en = "the incident is closed" },
  by_hand = { zh = "没有查明原因之前不要恢复", en = "not before the cause is known" },
  asks    = {
    id   = { type = "string", title = { zh = "故障编号（暂停时的运行）", en = "the incident, the run that paused" } },
    root = { type = "string", title = { zh = "根本原因", en = "root cause" } },
  },
}
generic.contract_switch {
  to    = "unpause", risk = "high", approvals = 1,
  title = { zh = "恢复合约 {contract}（链 {chain_id}），故障 {incident.id}", en = "let {contract} (chain {chain_id}) run again, incident {incident.id}" },
  why   = { zh = "手册没有前提条件；这里要求故障已关闭、服务健康、另一个人批准，恢复后观察，出问题就撤回", en = "the manual has no conditions; this wants the incident closed, the services well, "
    .. "and a second person, watches afterwards, and offers to pause again" },
}
step "canary" {
  when = "to-do", risk = "low", title = { zh = "试读合约", en = "try a call" },
  run  = function(p, r) return { answer = evm.call(r.nodes.first, p.contract, p.canary) } end,
}
step "observe" {
  when = "to-do", risk = "low", timeout = "1h", title = { zh = "观察 {watch}", en = "watch for {watch}" },
  run  = function(p, r)
    local ends = now() + p.watch
    repeat
      if evm.paused(r.nodes.first, p.contract) then fail { zh = "又被暂停了", en = "it was paused again" } end
      local why = sick(p.us_health_url)
      if why then fail({ zh = "后端不健康：{why}", en = "the backend is not healthy: {why}" }, { why = why }) end
      wait(math.min(15, math.max(1, p.watch / 4)))
    until now() >= ends
  end,
}
