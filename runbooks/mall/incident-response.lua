runbook "mall/incident-response" {
  title    = { zh = "故障响应流程", en = "Incident response" },
  alias    = "incident",
  severity = "P0", kind = "emergency",
  target   = "incident {health_url}",
  symptoms = { { zh = "故障响应", en = "incident response" }, "监控告警", "用户反馈" },
  escalate = { zh = "P0、P1：运维负责人；涉及业务：产品负责人", en = "P0, P1: head of operations; business: product owner" },
  source   = "Mall 故障处理手册 三 3.1-3.5",
}

param "health_url"
param "channel"    { type = "string", default = "oncall", title = { zh = "通知渠道（配置里的 channel）", en = "the channel to tell people on" } }
param "report_dir" { type = "path", default = "/var/lib/runbook/incidents", title = { zh = "复盘报告放在哪里", en = "where reports of incidents go" } }

local LEVELS = { P0 = 300, P1 = 900, P2 = 3600, P3 = 86400 } -- seconds to respond, from 1.1 of the manual

local function line(zh, en, more)
  local question = { type = "string", title = { zh = zh, en = en } }
  for name, value in pairs(more or {}) do question[name] = value end
  return question
end
-- One row of the manual's tables: what a person does, and what the person reports.
local function by_person(id, title, hand, asks) step(id) { title = title, by_hand = hand, asks = asks } end

-- The channel may be down with all the rest: then people are called, and the incident goes on.
local function tell(p, message)
  local _, err = try(notify, p.channel, message)
  if not err then return p.channel end
  note({ zh = "{channel} 发不出去（{why}）：打电话通知", en = "{channel} does not work ({why}): call people by telephone" }, { channel = p.channel, why = err.message })
  return "by telephone, " .. p.channel .. " failed"
end

-- 3.1 发现故障
step "open" { risk = "low", title = { zh = "开始计时", en = "start the clock" }, run = function() return { at = now() } end }
by_person("discovered", { zh = "3.1 发现故障", en = "3.1 how it was noticed" }, { zh = "记下故障是怎么发现的", en = "note how it was noticed" }, {
  how  = { type = "enum", choices = { "alert", "user", "inspection" }, title = { zh = "发现途径：alert 监控告警，user 用户反馈，inspection 日常巡检",
                                                                                 en = "by an alert, a user, an inspection" } },
  what = line("现象", "what is seen"),
})

-- 3.2 故障评估
by_person("level", { zh = "3.2.1 确认故障级别", en = "3.2.1 its level" },
  { zh = "P0 完全不可用（5 分钟响应），P1 核心功能失效（15 分钟），P2 次要功能异常（1 小时），P3 轻微（1 天）",
    en = "P0 nothing works (respond in 5 minutes), P1 a core function fails (15 minutes), P2 a lesser one (1 hour), P3 minor (1 day)" },
  { level = { type = "enum", choices = { "P0", "P1", "P2", "P3" }, title = { zh = "级别", en = "level" } } })
by_person("scope", { zh = "3.2.2 评估影响", en = "3.2.2 its impact" }, { zh = "评估影响范围和影响程度", en = "judge whom it hits, and how hard" },
  { scope = line("影响范围", "who is hit"), degree = line("影响程度", "how hard") })
step "tell" {
  risk = "low", title = { zh = "3.2.3 通知相关人员（{channel}）", en = "3.2.3 tell people ({channel})" },
  run  = function(p, r)
    local told = tell(p, {
      level = r.level.level, event = "open", dedup = p.health_url, title = { zh = "[" .. r.level.level .. "] " .. r.discovered.what,
                                                                             en = "[" .. r.level.level .. "] " .. r.discovered.what },
      facts = { { { zh = "影响范围", en = "scope" }, r.scope.scope }, { { zh = "影响程度", en = "degree" }, r.scope.degree } },
    })
    local took, limit = now() - r.open.at, LEVELS[r.level.level]
    if took > limit then note({ zh = "响应超时：用了 {took:duration}，要求 {limit:duration}",
                                en = "late: it took {took:duration}, {limit:duration} are allowed" }, { took = took, limit = limit }) end
    return { took = took, limit = limit, late = took > limit, told = told }
  end,
}
by_person("plan", { zh = "3.2.4 准备应急方案", en = "3.2.4 an emergency plan" },
  { zh = "先想怎么止损：回滚、降级、切换、限流", en = "stop the damage first: roll back, degrade, switch over, limit" },
  { plan = line("应急方案", "the plan") })

-- 3.3 故障定位
by_person("metrics", { zh = "3.3.1 查看监控数据", en = "3.3.1 metrics" },
  { zh = "CPU、内存、磁盘、连接数、错误率、延迟，从发现前 30 分钟看起", en = "CPU, memory, disk, connections, errors, latency, from 30 minutes before" },
  { seen = line("看到什么", "what they show") })
by_person("logs", { zh = "3.3.2 查看日志文件", en = "3.3.2 logs" },
  { zh = "runbook find \"日志里的那一行\" 会给出对应的手册", en = "runbook find \"the line of the log\" names the runbook for it" },
  { seen = line("看到什么", "what they show") })
by_person("reproduce", { zh = "3.3.3 复现故障现象", en = "3.3.3 reproduce it" },
  { zh = "不要在生产上复现会丢数据的故障", en = "nothing that can lose data, on production" },
  { how = line("怎么复现；复现不了就写原因", "how; or why it cannot be") })
by_person("cause", { zh = "3.3.4 定位故障原因", en = "3.3.4 find the cause" }, { zh = "把诊断过的 runbook 运行编号也写上", en = "note the runs of runbooks that looked, too" },
  { cause = line("原因", "the cause"), run = line("runbook 运行编号", "id of the run", { required = false, default = "-" }) })

-- 3.4 故障修复
by_person("act", { zh = "3.4.1 实施应急方案", en = "3.4.1 carry the plan out" },
  { zh = "按方案执行：{plan.plan}。有对应手册的用 runbook exec，不要手敲命令", en = "do it: {plan.plan}. Where a runbook exists, run it, and type no commands" },
  { done = line("做了什么", "what was done") })
by_person("effect", { zh = "3.4.2 监控修复效果", en = "3.4.2 watch the effect" },
  { zh = "至少看 10 分钟", en = "for 10 minutes at least" },
  { seen = line("看到什么", "what is seen") })
step "verified" {
  title   = { zh = "3.4.3 验证故障恢复", en = "3.4.3 prove that it is over" }, within = "20s",
  by_hand = { zh = "从用户的角度走一遍主流程（浏览、下单、支付）；机器同时查 {health_url}", en = "go through the main path as a user does; the machine looks at {health_url} meanwhile" },
  verify  = function(p)
    for _ = 1, 3 do
      local answer = http.get(p.health_url, { timeout = "2s" })
      if not answer.ok then return false, { zh = "健康检查返回 " .. answer.status, en = "health answers " .. answer.status } end
    end
    return true
  end,
}
by_person("normal", { zh = "3.4.4 恢复正常服务", en = "3.4.4 back to normal" },
  { zh = "撤掉降级、限流和临时改动，通知用户", en = "take back what was degraded or limited, and tell users" },
  { at = line("恢复时间", "since when") })

-- 3.5 复盘总结: without these the incident is not closed.
by_person("analysis", { zh = "3.5.1 分析故障原因", en = "3.5.1 root cause" },
  { zh = "问五个为什么，写到能预防为止", en = "ask why five times, until it can be prevented" },
  { root = line("根本原因", "the root cause") })
by_person("lessons", { zh = "3.5.2 总结经验教训", en = "3.5.2 lessons" },
  { zh = "哪些做得好，哪些慢了", en = "what went well, what was slow" },
  { lessons = line("经验教训", "lessons") })
by_person("measures", { zh = "3.5.3 制定预防措施", en = "3.5.3 measures" },
  { zh = "每条有负责人和期限", en = "each with an owner and a date" },
  { measures = line("预防措施", "measures") })
by_person("documents", { zh = "3.5.4 更新文档和流程", en = "3.5.4 documents" },
  { zh = "改了哪些手册和 runbook", en = "which manuals and runbooks were changed" },
  { changed = line("更新了什么", "what was changed") })

step "report" {
  risk = "low", title = { zh = "写复盘报告", en = "write the report" },
  run  = function(p, r)
    local rows = {
      { "级别 / level", r.level.level }, { "现象 / seen", r.discovered.what }, { "发现途径 / noticed by", r.discovered.how },
      { "影响 / impact", r.scope.scope .. ", " .. r.scope.degree },
      { "响应 / responded after", ("%s%s"):format(fmt.duration(r.tell.took), r.tell.late and " (late)" or "") },
      { "通知 / told", r.tell.told or p.channel }, { "监控 / metrics", r.metrics.seen }, { "日志 / logs", r.logs.seen }, { "复现 / reproduced", r.reproduce.how },
      { "原因 / cause", r.cause.cause }, { "运行 / run", r.cause.run or "-" }, { "方案 / plan", r.plan.plan },
      { "处理 / done", r.act.done }, { "效果 / effect", r.effect.seen },
      { "恢复 / restored", r.normal.at }, { "根本原因 / root cause", r.analysis.root }, { "教训 / lessons", r.lessons.lessons },
      { "预防 / measures", r.measures.measures }, { "文档 / documents", r.documents.changed },
    }
    local list = { "# " .. r.discovered.what, "" }
    for _, row in ipairs(rows) do list[#list + 1] = ("- **%s**: %s"):format(row[1], row[2]) end
    local path = ("%s/incident-%s.md"):format(p.report_dir, fmt.time(now(), true))
    file.mkdir(p.report_dir, { mode = "0750" })
    file.write(path, table.concat(list, "\n") .. "\n", { backup = false })
    return { path = path }
  end,
  verify = function(_, r) return (file.read(r.report.path) or ""):find(r.analysis.root, 1, true) ~= nil end,
}
step "close" {
  risk = "low", title = { zh = "通知恢复，关闭故障", en = "tell that it is over, and close it" },
  run  = function(p, r)
    tell(p, { level = r.level.level, event = "resolved", dedup = p.health_url, facts = { { { zh = "报告", en = "report" }, r.report.path } },
      title = { zh = "已恢复：" .. r.discovered.what, en = "over: " .. r.discovered.what } })
  end,
}
