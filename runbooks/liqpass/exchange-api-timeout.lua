runbook "liqpass/exchange-api-timeout" {
  title    = { zh = "交易所 API 连接超时", en = "Exchange API timeout" },
  alias    = "exchange-api-timeout",
  severity = "P1", kind = "incident",
  target   = "{env_file}",
  codes    = { "EXCHANGE_API_TIMEOUT", "ETIMEDOUT" },
  symptoms = { "交易所API不可用", { zh = "价格验证失败", en = "price verification fails" } },
  impact   = { zh = "价格验证失败，下单和理赔会停", en = "prices cannot be verified, so orders and payouts stop" },
  source   = "LiqPass 错误处理与故障排查手册 2.1 错误2",
  escalate = { zh = "两家交易所都不通：查出口网络，再停止依赖价格的下单", en = "neither exchange answers: look at the way out, then stop what needs prices" },
}

param "endpoints" {
  type = "list(string)", min = 1, pattern = "[a-z0-9-]+=https?://.+", title = { zh = "交易所和探测地址，写成 名字=地址", en = "exchanges and what to ask, as name=address" },
  default = { "binance=https://api.binance.com/api/v3/ping", "okx=https://www.okx.com/api/v5/market/ticker?instId=BTC-USDT" },
}
param "api_log"      { type = "path", default = "{backend_dir}/logs/api-calls.log", title = { zh = "API 调用日志", en = "the log of API calls" } }
param "http_timeout" { type = "duration", default = "5s", title = { zh = "没有配置 API_TIMEOUT 时后端等多久", en = "how long the backend waits without API_TIMEOUT" } }
param "api_timeout"  { type = "duration", default = "10s", max = "15s", title = { zh = "API_TIMEOUT 最多提高到多少", en = "what API_TIMEOUT may be raised to" } }
param "slow_pct"     { type = "int", default = 60, min = 1, max = 100, title = { zh = "用掉超时的百分之几算慢", en = "percent of the time-out that counts as slow" } }
param "window"       { type = "duration", default = "15m", title = { zh = "看多久以内的日志", en = "how far back the log is read" } }
param "rate_limit_pct" { type = "number", default = 5, min = 0, max = 100, title = { zh = "限流超过百分之几算问题", en = "percent of refused calls that is too many" } }
param "quiet"        { type = "duration", default = "60s", max = "5m", title = { zh = "重启后多久不许再出现超时", en = "how long no time-out may come after a restart" } }
param "channel"
param "price_url"    { type = "url", required = false, title = { zh = "后端自己的价格验证接口", en = "the backend's own price verification" } }

-- What the backend itself waits: API_TIMEOUT is in milliseconds.
local function limit(p)
  local ms = tonumber(envfile.get(p.env_file, "API_TIMEOUT"))
  return (ms and ms > 0 and ms or p.http_timeout * 1000) / 1000
end
local LONGEST = 30 -- nobody at night waits longer for one try, whatever the backend does
local function of(word) return word:match("^([^=]+)=(.+)$") end
local REFUSED = { [429] = "exchange-rate-limited", [418] = "exchange-rate-limited", [403] = "exchange-geo-blocked", [451] = "exchange-geo-blocked" }
local LIMITS = { ["-1003"] = true, ["50011"] = true, ["50061"] = true } -- Binance's, OKX's
local FAILED = { dns = "exchange-dns", timeout = "exchange-timeout" }
-- One try: the finding and its evidence; evidence alone when it is well.
local function try_once(p, word, wait)
  local name, url = of(word)
  local answer, err = try(http.get, url, { timeout = wait, keep = { "code" } })
  local f = { exchange = name, url = url, limit = wait, code = err and err.code or "HTTP " .. answer.status, after = "-" }
  if err then return FAILED[err.code] or "exchange-down", f end
  f.ms, f.after = math.floor(answer.ms), answer.headers["retry-after"] or "-"
  if REFUSED[answer.status] then return REFUSED[answer.status], f end
  if not answer.ok then return "exchange-down", f end
  local code = type(answer.json) == "table" and answer.json.code or 0 -- OKX says 200, and what is wrong within
  if tostring(code) ~= "0" then
    f.code = "code " .. tostring(code)
    return LIMITS[tostring(code)] and "exchange-rate-limited" or "exchange-down", f
  end
  if answer.ms > wait * 10 * p.slow_pct then return "exchange-slow", f end
  return nil, f
end
-- Three tries; what two of them say counts.
local function probe(p, word, wait)
  local bad, last, f = 0, nil, nil
  for _ = 1, 3 do
    local id, seen = try_once(p, word, wait or math.min(limit(p), LONGEST))
    if id then bad, last, f = bad + 1, id, seen else f = f or seen end
    if bad == 2 then return last, f end
  end
  return nil, f
end
local function well(p, f)
  local id = probe(p, f.exchange .. "=" .. f.url)
  if id then return false, id end
  if p.price_url and not http.get(p.price_url, { timeout = "8s" }).ok then return false, { zh = "价格验证还不行", en = "the price is not verified yet" } end
  return true
end
local function exchange(id, zh, en, more)
  more = more or {}
  more.key, more.title, more.verify = "exchange", { zh = "{exchange} " .. zh, en = "{exchange} " .. en }, well
  finding(id)(more)
end
exchange("exchange-dns", "的域名解析不了：{url}", "has no address: {url}",
  { advice = { zh = "查本机 DNS：cat /etc/resolv.conf，再换一个解析服务器试", en = "look at this machine's DNS: cat /etc/resolv.conf, and try another server" } })
exchange("exchange-timeout", "{limit} 秒内没有应答：{url}", "did not answer within {limit} s: {url}")
exchange("exchange-slow", "用了 {ms} 毫秒，接近后端的超时 {limit} 秒", "took {ms} ms, close to the {limit} s that the backend waits", { severity = "P2" })
exchange("exchange-rate-limited", "限流了（{code}），Retry-After：{after}", "limits us ({code}), Retry-After: {after}")
exchange("exchange-geo-blocked", "拒绝本机所在地区（{code}）", "refuses where we call from ({code})")
exchange("exchange-down", "不可用（{code}）：{url}", "is down ({code}): {url}")
finding "single-exchange" {
  severity = "P3", title = { zh = "只有 {exchange} 有问题，{others:list} 正常", en = "only {exchange} has trouble; {others:list} answers" },
  advice = { zh = "本机网络是好的：问题在 {exchange} 一侧，看它的状态页", en = "the way out is well: it is {exchange}'s trouble, see its status page" },
}
finding "rate-limited" {
  title = { zh = "{api_log}：{n} 次调用里 {pct}% 被限流（429、418、-1003）", en = "{api_log}: {pct}% of {n} calls were refused for their rate (429, 418, -1003)" },
}
finding "key-rejected" { title = { zh = "{api_log}：交易所拒绝密钥 {n} 次（401、-2015）", en = "{api_log}: the exchange refused the key {n} times (401, -2015)" } }
finding "price-failed" {
  title = { zh = "后端的价格验证不行：{why}", en = "the backend cannot verify a price: {why}" },
  advice = { zh = "交易所和密钥都正常时，看后端日志", en = "when exchanges and keys are well, look at the backend's log" },
}

check "exchanges" {
  title = { zh = "交易所应答吗", en = "do the exchanges answer" }, timeout = "2m",
  why   = { zh = "手册的 curl -I 没有超时，404 也算成功，OKX 的地址还缺 instId；这里按后端自己的超时各试三次，看状态码",
            en = "the manual's curl -I has no deadline, takes a 404 for success, and asks OKX without instId; this tries each three times with the "
              .. "backend's own deadline and looks at the status" },
  run   = function(p)
    local bad, others = nil, {}
    local looks = parallel(p.endpoints, function(word) local id, f = probe(p, word) return { id = id, f = f } end)
    for _, one in ipairs(looks) do
      if one.id then found(one.id, one.f) bad = one.f.exchange else others[#others + 1] = one.f.exchange end
      note({ zh = "{exchange}：{code}，{took}",
             en = "{exchange}: {code}, {took}" }, { exchange = one.f.exchange, code = one.f.code, took = (one.f.ms or "-") .. " ms" })
    end
    if #looks - #others == 1 and #others > 0 then found("single-exchange", { exchange = bad, others = others }) end
    ok({ zh = "{n} 家正常", en = "{n} well" }, { n = #others })
  end,
}

-- After a restart: not one new time-out for a while. A log is never read back beyond what this run wrote.
local LATE = "ETIMEDOUT|EXCHANGE_API_TIMEOUT"
local function steady(p)
  for line in logs.follow({ p.api_log }, { within = p.quiet, match = LATE, max = 1 }) do
    fail({ zh = "重启后还在超时：{line}", en = "it still times out after the restart: {line}" }, { line = text.cut(line, 160) })
  end
end
local function no_more(p)
  local seen = logs.scan(p.api_log, LATE, { last = p.window }).matches.match
  return not seen or seen.count == 0, { zh = "重启后还在超时", en = "it still times out after the restart" }
end
local not_export = { zh = "手册在终端里 export，只对那个终端有效，服务看不到；这里改它读的文件（留备份），再重启",
                     en = "the manual exports it in a terminal, which the service never sees; this changes the file it reads, keeping a copy, and restarts it" }
generic.env_config {
  rejected = "key-rejected", steady = steady, well = no_more,
  keys = {
    { name = "BINANCE_API_KEY", param = "binance_api_key", title = { zh = "新的 Binance API Key", en = "the new Binance API key" } },
    { name = "BINANCE_SECRET_KEY", param = "binance_secret_key", title = { zh = "新的 Binance Secret Key", en = "the new Binance secret key" } },
  },
  why = {
    read    = { zh = "手册的 cat .env.us | grep API_KEY 会把密钥打在屏幕上；这里只看有没有、是不是占位符",
                en = "the manual's cat .env.us | grep API_KEY shows the keys; this says only whether they are there and real" },
    loaded  = { zh = "改了文件不重启等于没改；这里拿进程启动时的环境和文件比，不显示值",
                en = "a changed file counts for nothing without a restart; this compares it with what the process was started with" },
    set     = not_export,
    restart = { zh = "手册的 npm restart 没有 stop 脚本时会 EADDRINUSE；这里由守护程序重启，再盯 {quiet} 日志",
                en = "the manual's npm restart ends in EADDRINUSE where there is no stop script; this lets the keeper restart it and watches the log "
                  .. "for {quiet}" },
  },
}

-- A status is no price (429.5) and no duration (401 ms).
local LIMITED = [[(?<![\d.,$])(?:429|418)\b(?![.,]\d|\s*m?s\b)|-1003\b]]
local REJECTED = [[(?<![\d.,$])401\b(?![.,]\d|\s*m?s\b)|-201[45]\b]]
check "calls" {
  title = { zh = "API 调用日志", en = "the log of API calls" },
  why   = { zh = "手册的 tail -f 不会自己结束；这里数最近 {window} 的", en = "the manual's tail -f never ends; this counts the last {window}" },
  run   = function(p)
    local seen = logs.scan(p.api_log, { limited = LIMITED, rejected = REJECTED, late = LATE }, { last = p.window })
    if #seen.missing > 0 then skip { zh = "没有 {api_log}", en = "no {api_log}" } end
    local function count(name) return seen.matches[name] and seen.matches[name].count or 0 end
    local pct = seen.lines > 0 and count "limited" * 100 // seen.lines or 0
    if pct > p.rate_limit_pct then found("rate-limited", { n = seen.lines, pct = pct }) end
    if count "rejected" > 0 then found("key-rejected", { n = count "rejected" }) end
    ok({ zh = "{n} 行，{late} 次超时", en = "{n} lines, {late} time-outs" }, { n = seen.lines, late = count "late" })
  end,
}
check "price" {
  title = { zh = "后端的价格验证", en = "the backend's price verification" },
  run   = function(p)
    if not p.price_url then skip { zh = "没有配置 price_url", en = "price_url is not set" } end
    local answer, err = try(http.get, p.price_url, { timeout = p.api_timeout })
    if err or not answer.ok then found("price-failed", { why = err and err.code or "HTTP " .. answer.status }) end
  end,
}

fix "raise-timeout" {
  when  = { "exchange-timeout", "exchange-slow" }, risk = "medium", within = "30s", why = not_export,
  title = { zh = "把 API_TIMEOUT 提高到 {api_timeout}，重启后端", en = "raise API_TIMEOUT to {api_timeout} and restart the backend" },
  guard = function(p, f)
    if limit(p) >= p.api_timeout then return false, { zh = "已经是 {api_timeout} 了", en = "it is {api_timeout} already" } end
    return not probe(p, f.exchange .. "=" .. f.url, p.api_timeout), { zh = "等 {api_timeout} 也没有正常应答，加超时没有用", en = "it does not answer well within "
                                                                                                               .. "{api_timeout} either, so waiting "
                                                                                                                 .. "longer does not help" }
  end,
  run  = function(p)
    local set = envfile.set(p.env_file, "API_TIMEOUT", ("%d"):format(p.api_timeout * 1000))
    keep(set)
    keeper.renew(p.backend_keeper)
    steady(p)
    return set
  end,
  undo = function(p, _, r)
    envfile.restore(r.raise_timeout)
    keeper.renew(p.backend_keeper)
  end,
}
fix "tell" {
  when  = { "exchange-down", "exchange-geo-blocked" }, batch = true, risk = "low",
  title = { zh = "通知值班和风控（{channel}）：交易所不可用", en = "tell those on duty and risk, on {channel}: an exchange is out" },
  run   = function(p, fs)
    local facts = {}
    for i, f in ipairs(fs) do facts[i] = { f.exchange, ("%s %s"):format(f.code, f.url) } end
    notify(p.channel, { level = "P1", title = { zh = "交易所不可用，价格验证会失败", en = "an exchange is out, prices cannot be verified" }, facts = facts })
  end,
  verify = function() return true end, -- telling people repairs nothing; it is done when the message is sent
}
fix "call-less" {
  when = { "rate-limited", "exchange-rate-limited" }, title = { zh = "降低调用频率", en = "call less often" },
  by_hand = { zh = "停掉多余的轮询，等过 Retry-After 再恢复；继续请求会从 429 变成 418 封 IP",
              en = "stop what polls too often and wait for Retry-After; going on turns 429 into 418, a ban of our address" },
}
fix "switch-source" {
  when = { "exchange-down", "exchange-geo-blocked", "exchange-dns", "exchange-timeout" }, title = { zh = "换价格来源", en = "use another source of prices" },
  by_hand = { zh = "通知值班和风控，把价格来源切到还正常的交易所；恢复后再切回。这里会再探测 {exchange}",
              en = "tell those on duty and risk, and take prices from an exchange that answers; go back later. {exchange} is then tried again" },
}

prevent "two-sources" {
  title = { zh = "价格来源", en = "sources of prices" },
  by_hand = { zh = "至少两家交易所，自动切换；对 {endpoints:list} 每分钟拨测", en = "have two exchanges that stand in for each other, and probe {endpoints:list} each minute" },
}
