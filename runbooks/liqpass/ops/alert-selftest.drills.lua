-- alert-selftest with a real SMTP server and an HTTP server that answers as a webhook does.

local function channels(d)
  d.hook, d.mail = d:http {}, d:smtp {}
  d:channel("chat", { kind = "webhook", url = d.hook.url .. "/hook" })
  d:channel("mail", { kind = "smtp", host = "127.0.0.1", port = d.mail.port, from = "ops@example.com", to = { "oncall@example.com" }, tls = "off" })
  file.write(d.dir .. "/env", "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T1/B2/c3\nTELEGRAM_CHAT_ID=-1001\n", { mode = "0600" })
  d:set { channels = { "chat", "mail" }, env_file = d.dir .. "/env", variables = { "SLACK_WEBHOOK_URL", "TELEGRAM_CHAT_ID" } }
end
local function nothing_sent(d) assert(#d.hook:requests() == 0 and #d.mail:mails() == 0, "a message was sent") end
local answers = { received = { all = true } }
local needs = { "python3" }

drill "both-arrive" {
  needs = needs, inject = channels, expect = {}, answers = answers, result = "fixed",
  prove = function(d)
    assert(#d.hook:requests() == 1 and #d.mail:mails() == 1, "not one message each")
    assert(d.mail:mails()[1].to[1] == "oncall@example.com", "to somebody else")
  end,
}
drill "did-not-arrive" {
  needs = needs, inject = channels, expect = {}, answers = { received = { all = false } }, result = "failed", fails_at = "received",
}
drill "placeholder" {
  needs = needs, expect = { "variable" }, answers = answers, result = "found", prove = nothing_sent,
  inject = function(d)
    channels(d)
    file.write(d.p.env_file, "SLACK_WEBHOOK_URL=https://hooks.slack.com/services/xxx\nTELEGRAM_CHAT_ID=-1001\n", { backup = false })
  end,
}
drill "no-channel" {
  needs = needs, expect = { "channel" }, answers = answers, result = "found", prove = nothing_sent,
  inject = function(d) channels(d) d:set { channels = { "chat", "telegram" } } end,
}
local function says(id) return function(_, out) assert(out.standing[1] == id, "it does not say why: " .. tostring(out.standing[1])) end end
drill "refused" {
  needs = needs, expect = {}, answers = answers, result = "failed", fails_at = "send", prove = says "rejected",
  inject = function(d) channels(d) d.hook:routes { ["*"] = { status = 403 } } end,
}
drill "nobody-answers" {
  needs = needs, expect = {}, answers = answers, result = "failed", fails_at = "send", prove = says "unreachable",
  inject = function(d) channels(d) d.hook:kill() end,
}
