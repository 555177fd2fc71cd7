-- Are the endpoints of a system healthy? One check and one finding each; what fails several looks in a row is critical.
-- endpoints: list of { name, param, title, advice, expect? }. param: the parameter with its URL; expect: members that its
-- JSON answer must have, { status = "ok" }.
local function wrong(expect, answer)
  for name, value in pairs(expect or {}) do
    local said = type(answer.json) == "table" and answer.json[name] or nil
    if said ~= value then return ("%s = %s"):format(name, tostring(said)) end
  end
end
-- What is wrong with it, or nothing.
local function look(e, p)
  local answer, err = try(http.get, p[e.param], { timeout = p.timeout })
  if not answer then return ("%s (%s)"):format(err.message, err.code) end
  return not answer.ok and "HTTP " .. answer.status or wrong(e.expect, answer)
end
local function endpoint(e)
  local failed = e.name .. "-failed"
  param(e.param)
  finding(failed) {
    title  = { zh = e.title.zh .. "不健康：{why}", en = e.title.en .. " is not healthy: {why}" },
    advice = e.advice,
  }
  check(e.name) {
    title = e.title,
    why   = { zh = "手册的 curl 没有超时，服务挂起时会一直等；这里最多等 timeout",
              en = "the manual's curl has no deadline and waits for a hung service for ever; this waits for timeout at most" },
    run   = function(p)
      local why, before = look(e, p), previous(e.name)
      local times = monitor.in_a_row(why ~= nil, before and before.value and before.value.in_a_row)
      if why then found(failed, { why = why, url = p[e.param], times = times }) else ok { zh = "正常", en = "healthy" } end
      if times >= p.fail_threshold then found("lasting", { service = e.name, times = times }) end
      return { in_a_row = times }
    end,
  }
end

return function(o)
  options(o, { endpoints = "table!" })
  param "timeout" { type = "duration", default = "5s", min = "1s", max = "30s", title = { zh = "一次请求最多等多久", en = "how long one request may take" } }
  param "fail_threshold" { type = "int", default = 3, min = 1, title = { zh = "连续失败几次算严重", en = "failures in a row that are critical" } }
  finding "lasting" {
    severity = "P0", key = "service",
    title  = { zh = "{service} 已连续失败 {times} 次", en = "{service} has failed {times} times in a row" },
    advice = { zh = "不是偶发抖动：按 P0 处理，通知值班负责人", en = "this is no blip: treat it as P0 and call whoever is on duty" },
  }
  for _, e in ipairs(o.endpoints) do endpoint(e) end
end
