-- Two HTTP servers as exchanges, and a backend that reads its environment file. Loaded with exchange-api-timeout.lua; drill and test only.

local needs = { "python3" }
local OLD, NEW = "an-old-key-of-the-lab", "a-fresh-key-of-the-lab"

-- o: env = lines of the file, log = words of the last call each, starts = what the backend does when it starts.
local function lab(d, o)
  o = o or {}
  d.binance, d.okx = d:http {}, d:http {}
  d:set {
    endpoints = { "binance=" .. d.binance.url .. "/api/v3/ping", "okx=" .. d.okx.url .. "/api/v5/market/ticker?instId=BTC-USDT" },
    env_file = d.dir .. "/.env.us", api_log = d.dir .. "/api-calls.log", http_timeout = "2s", api_timeout = "8s", quiet = "1s",
  }
  file.write(d.p.env_file, o.env or ("# us-backend\nBINANCE_API_KEY=%s\nBINANCE_SECRET_KEY='%s'\nOTHER=kept\n"):format(OLD, OLD), { mode = "0600" })
  local lines = {}
  for i, word in ipairs(o.log or { "200", "200" }) do lines[i] = ("%s GET /api/v3/ticker %s"):format(fmt.time(now()), word) end
  file.write(d.p.api_log, table.concat(lines, "\n") .. "\n")
  d.backend = d:keep { argv = { "sh", "-c", 'set -a; . "$0"; ' .. (o.starts or "") .. " exec sleep 3600", d.p.env_file, d.p.api_log } }
  d:set { backend_keeper = "init:" .. d.backend.service }
  d.sum, d.pid = file.hash(d.p.env_file), d.backend:process().pid
end
local function fresh(d)
  d:secret("key", NEW)
  d:secret("secret-key", NEW .. "-2")
  d:set { binance_api_key = "key", binance_secret_key = "secret-key" }
end
local function unchanged(d)
  assert(file.hash(d.p.env_file) == d.sum, "the file was changed")
  assert(d.backend:process().pid == d.pid, "the backend was restarted")
end
local function runs_with(d, line) -- compared there: what it prints would have its secrets taken out
  local same = shell.read { sh = 'tr "\\0" "\\n" <"/proc/$1/environ" | grep -qxF -- "$2"', args = { tostring(d.backend:process().pid), line } }.ok
  assert(same, "the backend does not run with it")
  assert(file.read(d.p.env_file):find("OTHER=kept", 1, true), "other lines were lost")
end
local function new_keys(d)
  runs_with(d, "BINANCE_API_KEY=" .. NEW)
  runs_with(d, "BINANCE_SECRET_KEY=" .. NEW .. "-2")
  assert(file.stat(d.p.env_file).mode & 63 == 0, "others can read it")
end
local function answers(route) return function(d) lab(d) d.binance:routes { ["*"] = route } end end

drill "healthy" {
  needs = needs, expect = {}, prove = unchanged,
  inject = function(d)
    lab(d, { log = { "200", "404", "200" } })
    d.okx:routes { ["*"] = { status = 200 } }
    d:set { price_url = d.okx.url .. "/price" }
  end,
}
drill "timeout" {
  needs = needs, expect = { "exchange-timeout", "single-exchange" }, repair = "raise-timeout", inject = answers { body = "{}", delay = 3 },
  prove = function(d) runs_with(d, "API_TIMEOUT=8000") end,
}
drill "hangs" { -- waiting longer would not help, and is refused
  needs = needs, expect = { "exchange-timeout", "single-exchange" }, repair = "raise-timeout", result = "found", prove = unchanged,
  inject = answers { body = "{}", delay = 20 },
}
drill "slow" {
  needs = needs, expect = { "exchange-slow" }, repair = "raise-timeout", prove = function(d) runs_with(d, "API_TIMEOUT=8000") end,
  inject = function(d)
    lab(d)
    for _, one in ipairs { d.binance, d.okx } do one:routes { ["*"] = { body = "{}", delay = 1.4 } } end
  end,
}
drill "rate-limited" {
  needs = needs, expect = { "exchange-rate-limited", "single-exchange" }, result = "found", prove = unchanged,
  inject = answers { status = 429, headers = { ["Retry-After"] = "60" } },
}
drill "banned" { needs = needs, expect = { "exchange-rate-limited", "single-exchange" }, result = "found", inject = answers { status = 418 } }
drill "geo-blocked" { needs = needs, expect = { "exchange-geo-blocked", "single-exchange" }, result = "found", inject = answers { status = 451 } }
drill "answers-503" { needs = needs, expect = { "exchange-down", "single-exchange" }, result = "found", inject = answers { status = 503 } }
drill "both-down" {
  needs = needs, expect = { "exchange-down" }, result = "found", prove = unchanged,
  inject = function(d) lab(d) d.binance:kill() d.okx:kill() end,
}
drill "people-are-told" { -- once, of both; the source of prices is theirs to switch
  needs = needs, expect = { "exchange-down" }, repair = "tell", result = "found",
  inject = function(d)
    lab(d)
    d.binance:kill()
    d.okx:kill()
    d.hook = d:http {}
    d:set { channel = d:channel("oncall", { kind = "webhook", url = d.hook.url .. "/hook" }) }
  end,
  prove = function(d)
    local said = d.hook:requests()
    assert(#said == 1 and said[1].body:find("binance", 1, true) and said[1].body:find("okx", 1, true), "not one message of both")
    unchanged(d)
  end,
}
drill "raised-and-back" {
  needs = needs, expect = { "exchange-timeout", "single-exchange" }, repair = "raise-timeout", undo = true,
  inject = answers { body = "{}", delay = 3 },
  prove = function(d) assert(file.hash(d.p.env_file) == d.sum, "the file is not what it was") end,
}
drill "no-such-name" {
  needs = needs, expect = { "exchange-dns" }, result = "found",
  inject = function(d) lab(d) d:set { endpoints = { "binance=http://exchange.invalid/api/v3/ping" } } end,
}
drill "key-missing" {
  needs = needs, expect = { "key-missing" }, repair = "set-keys", prove = new_keys,
  inject = function(d) lab(d, { env = "BINANCE_API_KEY=" .. OLD .. "\nOTHER=kept\n" }) fresh(d) end,
}
drill "placeholder" {
  needs = needs, expect = { "key-missing" }, repair = "set-keys", prove = new_keys,
  inject = function(d) lab(d, { env = "BINANCE_API_KEY=new_api_key\nBINANCE_SECRET_KEY=\nOTHER=kept\n" }) fresh(d) end,
}
drill "no-new-key" { -- getting one is a person's work
  needs = needs, expect = { "key-missing" }, repair = "set-keys", result = "found", prove = unchanged,
  inject = function(d) lab(d, { env = "BINANCE_API_KEY=new_api_key\nBINANCE_SECRET_KEY=" .. OLD .. "\n" }) end,
}
drill "key-rejected" {
  needs = needs, expect = { "key-rejected" }, repair = "set-keys", prove = new_keys,
  inject = function(d) lab(d, { log = { "200", "401 code=-2015", "200" } }) fresh(d) end,
}
drill "calls-too-often" {
  needs = needs, expect = { "rate-limited" }, result = "found", prove = unchanged,
  inject = function(d) lab(d, { log = { "200", "429", "200", "418", "code=-1003" } }) end,
}
drill "not-loaded" {
  needs = needs, expect = { "env-not-loaded" }, repair = "reload", prove = function(d) runs_with(d, "BINANCE_API_KEY=" .. NEW) end,
  inject = function(d) lab(d) envfile.set(d.p.env_file, "BINANCE_API_KEY", NEW) end,
}
drill "still-times-out" { -- restarted, and not well: the run does not call that repaired
  needs = needs, expect = { "env-not-loaded" }, repair = "reload", result = "failed",
  inject = function(d)
    local again_and_again = '(while sleep 1; do echo "$(date -u +%FT%TZ) ETIMEDOUT api.binance.com" >>"$1"; done) &'
    lab(d, { starts = ('[ ! -e "$1.second" ] || { %s } ; : >"$1.second";'):format(again_and_again) })
    d:set { quiet = "10s" }
    envfile.set(d.p.env_file, "BINANCE_API_KEY", NEW)
  end,
}
drill "price-failed" {
  needs = needs, expect = { "price-failed" }, result = "found", prove = unchanged,
  inject = function(d) lab(d) d.okx:routes { ["/price"] = { status = 500 }, ["*"] = { status = 200 } } d:set { price_url = d.okx.url .. "/price" } end,
}
drill "prices-and-durations" { -- numbers that are no status
  needs = needs, expect = {}, prove = unchanged,
  inject = function(d) lab(d, { log = { "200 401 ms", "200 price=429.50", "200 took 401ms", "200 $418" } }) end,
}
drill "wrong-within" { -- 200, and an error in the answer
  needs = needs, expect = { "exchange-rate-limited", "single-exchange" }, result = "found", prove = unchanged,
  inject = answers { body = { code = "50011", msg = "Too Many Requests" } },
}
drill "reads-its-file" { -- as dotenv does: its process was started with none of it, and runs with all of it
  needs = needs, expect = {}, prove = unchanged,
  inject = function(d)
    lab(d)
    d.backend = d:keep { argv = { "sleep", "3600" } }
    d:set { backend_keeper = "init:" .. d.backend.service }
    d.pid = d.backend:process().pid
  end,
}
drill "waits-too-short" { -- milliseconds that were taken for seconds
  needs = needs, expect = { "exchange-timeout" }, repair = "raise-timeout", prove = function(d) runs_with(d, "API_TIMEOUT=8000") end,
  inject = function(d)
    lab(d, { env = ("BINANCE_API_KEY=%s\nBINANCE_SECRET_KEY=%s\nOTHER=kept\nAPI_TIMEOUT=10\n"):format(OLD, OLD) })
    for _, one in ipairs { d.binance, d.okx } do one:routes { ["*"] = { body = "{}", delay = 0.3 } } end
  end,
}
