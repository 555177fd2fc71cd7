-- Lua 5.4 for the standard library; runbooks see the block language and its helpers, nothing else.
std = "lua54"
max_line_length = 160
codes = true

-- "p" and "f" stand in every signature, used or not.
unused_args = false

local sealed = {
  globals = {},
  read_globals = {
    "assert", "error", "ipairs", "next", "pairs", "select", "tonumber", "tostring", "type",
    "math", "string", "table", "utf8",
    "runbook", "param", "finding", "check", "prevent", "fix", "step", "schedule", "drill", "test", "profile",
    "found", "ok", "recorded", "advise", "skip", "fail", "note", "attach", "keep", "try", "wait", "wait_until", "parallel",
    "progress", "previous", "findings", "now", "options", "fmt", "json", "null", "text", "generic",
    "notify", "secret", "shell", "file", "system", "sql", "sqlite", "postgres", "mysql", "http", "net",
    "redis", "rpc", "ws", "evm", "jwt", "docker", "compose", "service", "pm2", "nginx",
    "logs", "disk", "backup", "retention", "envfile", "archive", "monitor", "cjson", "keeper", "ufw",
  },
}
stds.runbook = sealed

files["runbooks"] = { std = "runbook" }
files["stdlib/generic"] = { std = "runbook", globals = {} }
files["examples"] = { std = "runbook" }
