runbook "liqpass/ops/alert-selftest" {
  title    = { zh = "告警通道配置与测试", en = "Alert channels: configuration and self-test" },
  alias    = "alert-selftest",
  severity = "P2", kind = "operation",
  symptoms = { { zh = "收不到告警", en = "no alerts arrive" }, "测试告警系统" },
  source   = "LiqPass 运维管理指南 1.1、2.1、7.2",
}

param "channels" { type = "list(string)", default = { "slack", "telegram", "mail" }, min = 1, title = { zh = "要测试的渠道（配置里的 channel）",
                                                                                                        en = "channels of the configuration to test" } }
param "env_file" { type = "path", default = "/opt/liqpass/us-backend/.env.us", title = { zh = "后端的环境变量文件", en = "the backend's environment file" } }
param "variables" {
  type = "list(string)", default = { "SLACK_WEBHOOK_URL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID", "EMAIL_CONFIG", "OPS_WALLET_PRIVATE_KEY" },
  title = { zh = "后端需要的变量", en = "variables that the backend needs" },
}

finding "variable" {
  key = "name", blocks = true, title = { zh = "{env_file} 里的 {name}：{problem}", en = "{name} in {env_file}: {problem}" },
  advice = { zh = "补上 {name} 的真实值后重启后端；不要 export，也不要用 env 整个打印出来",
             en = "put the real value of {name} in, and restart the backend; neither export it nor print all of env" },
}
finding "channel" {
  key = "name", blocks = true, title = { zh = "渠道 {name} 没有配好：{why}", en = "the channel {name} is not configured: {why}" },
  advice = { zh = "在配置里写 channel \"{name}\"，见 runbook help channel", en = "put channel \"{name}\" into the configuration; see runbook help channel" },
}
finding "unreachable" { key = "name", title = { zh = "渠道 {name} 连不上：{why}", en = "the channel {name} cannot be reached: {why}" } }
finding "rejected"    { key = "name", title = { zh = "渠道 {name} 拒收：{why}", en = "the channel {name} refuses: {why}" } }

local MESSAGE = {
  level = "P4", title = { zh = "[测试] 告警通道自检，请忽略", en = "[TEST] self-test of the alert channels, please ignore" },
  text = { zh = "收到请在运行里确认", en = "confirm in the run that it arrived" },
}
local AWAY = { refused = true, dns = true, tls = true, timeout = true, unreachable = true, reset = true }

check "variables" {
  title = { zh = "后端的环境变量", en = "the backend's variables" },
  why   = { zh = "只看有没有、长度和占位符（xxx、ABCDEF…、your-email），不显示值", en = "whether they are there, their length, and placeholders; never their values" },
  run   = function(p)
    if not file.stat(p.env_file) then skip { zh = "没有 {env_file}", en = "no {env_file}" } end
    for _, one in ipairs(envfile.check(p.env_file, p.variables, { min = 5 })) do found("variable", one) end
  end,
}
check "channels" {
  title = { zh = "渠道的配置", en = "the channels' configuration" },
  run   = function(p)
    for _, name in ipairs(p.channels) do
      local shown, err = try(notify.preview, name, MESSAGE)
      if not shown then found("channel", { name = name, why = err.message })
      elseif shown.kind == "console" then found("channel", { name = name, why = "console" }) end
    end
  end,
}
step "send" {
  risk = "low", title = { zh = "给每个渠道发一条测试消息：{channels:list}", en = "send a test message to each channel: {channels:list}" }, timeout = "5m",
  run  = function(p)
    local sent, bad = {}, {}
    for _, name in ipairs(p.channels) do
      local done, err = try(notify, name, MESSAGE, { timeout = "40s" })
      if done then sent[#sent + 1] = name else
        found(AWAY[err.code] and "unreachable" or "rejected", { name = name, why = ("%s (%s)"):format(err.message, err.code) })
        bad[#bad + 1] = name
      end
    end
    keep { sent = sent, bad = bad }
    if #bad > 0 then fail({ zh = "没有发出去：{bad:list}", en = "not sent: {bad:list}" }, { bad = bad }) end
    return { sent = sent, bad = bad }
  end,
}
step "received" {
  title   = { zh = "确认收到", en = "did it arrive" },
  by_hand = { zh = "在每个渠道里看到带 [测试] 的消息：{send.sent:list}", en = "see the message with [TEST] in each channel: {send.sent:list}" },
  asks    = { all = { type = "bool", title = { zh = "都收到了吗", en = "did all arrive" } } },
  verify  = function(_, r) return r.received.all == true, { zh = "有渠道没收到：对方返回成功也可能发错了群", en = "one did not arrive: success may be the wrong group" } end,
}
schedule "weekly" { cron = "0 10 * * 1", tz = "Asia/Shanghai", mode = "diagnose" }
prevent "mail-password" {
  title = { zh = "邮箱密码", en = "the mail password" },
  by_hand = { zh = "不要把 SMTP 密码放进 EMAIL_CONFIG 的 JSON：打印 env 就泄露了；用 secret",
              en = "no SMTP password inside EMAIL_CONFIG: any print of env leaks it; use a secret" },
}
