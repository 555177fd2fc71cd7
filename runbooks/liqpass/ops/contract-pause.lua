runbook "liqpass/ops/contract-pause" {
  title    = { zh = "暂停合约（紧急止损）", en = "Pause the contract (emergency)" },
  alias    = "contract-pause",
  severity = "P0", kind = "emergency",
  target   = "{contract}",
  when     = "to-do",
  symptoms = { "紧急止损", { zh = "暂停合约", en = "pause the contract" } },
  impact   = { zh = "暂停期间用户不能下单和赔付", en = "while it is paused nobody can order or be paid" },
  source   = "LiqPass 运维管理指南 1.1",
}

step "reason" {
  when    = "to-do",
  title   = { zh = "为什么暂停", en = "why it is paused" },
  by_hand = { zh = "一句话写明原因，会进审计记录和通知", en = "one sentence; it goes into the record" },
  asks    = { text = { type = "string", title = { zh = "原因", en = "reason" } } },
}
generic.contract_switch {
  to    = "pause", risk = "high",
  title = { zh = "暂停合约 {contract}（链 {chain_id}）：{reason.text}", en = "pause the contract {contract} (chain {chain_id}): {reason.text}" },
  why   = { zh = "手册直接跑脚本，不确认、不验证，私钥写在 shell 配置里。这里私钥只从 secret 进环境变量；有未上链的交易就不再发；以各节点的 paused() 为准。"
              .. "脚本失败或超时后不要重发，先看 nonce",
            en = "the manual just runs the script, asks nobody, looks at nothing, and keeps the key in the shell's profile. Here the key comes from a "
              .. "secret; nothing is "
              .. "sent while a transaction is under way; what the nodes say of paused() counts. After a failure look at the nonce before sending again" },
}
prevent "key" {
  title = { zh = "私钥", en = "the key" },
  by_hand = { zh = "OPS_WALLET_PRIVATE_KEY 不要 export 在 shell 里；大额合约的 owner 换成多签", en = "export OPS_WALLET_PRIVATE_KEY in no shell; make a multisig the owner" },
}
