runbook "coze/start-failure" {
  title    = { zh = "服务启动失败", en = "The service does not start" },
  severity = "P0", kind = "incident",
  target   = "{keeper}",
  symptoms = { "服务启动失败", "failed to start", "code=exited, status=1" },
  source   = "扣子平台故障排除指南 一.1、一.2",
  escalate = { zh = "没有找到原因时，把附件发给技术支持", en = "when no cause is found, send the attachments to support" },
}

param "keeper"
param "config"
param "app_log"
param "error_log"
param "lines" { type = "int", default = 200, min = 10, max = 5000, title = { zh = "看日志最后几行", en = "last lines of the logs to read" } }
param "steady" { type = "duration", default = "30s", max = "5m", title = { zh = "连续运行多久才算起来了", en = "how long it must run to count as started" } }

finding "down" {
  title  = { zh = "服务没有在运行（{detail}）", en = "the service is not running ({detail})" },
  advice = { zh = "没有找到原因：把附件里的日志发给技术支持", en = "no cause was found: send the logs attached to support" },
  verify = function(p)
    local kept = keeper.state(p.keeper)
    if kept.state ~= "running" then return false, { zh = "没有在运行", en = "it is not running" } end
    if not kept.pid then return true end -- its keeper tells no process to look at
    local one = system.processes { pid = kept.pid }[1]
    return one and system.load().uptime - one.started / 100 >= p.steady, { zh = "还没稳定运行 {steady}", en = "it has not run for {steady} yet" }
  end,
  within = "10m",
}
-- In the order in which they are put right: what is missing, the configuration, rights, the port.
finding "dependency" {
  explains = "down", key = "line", title = { zh = "缺少依赖：{line}", en = "something it needs is missing: {line}" },
  advice = { zh = "补上缺的文件、库或上游服务，再启动", en = "install or start what is missing, then start it" },
}
finding "config" {
  explains = "down", key = "line", title = { zh = "配置错误：{line}", en = "the configuration is wrong: {line}" },
  advice = { zh = "对照模板改 {config}；改之前先备份，不要整个恢复成默认", en = "compare {config} with its template; keep a copy, and do not reset all of it" },
}
finding "permission" {
  explains = "down", key = "line", title = { zh = "权限不足：{line}", en = "permission denied: {line}" },
  advice = { zh = "把那个文件的属主改成服务用户；不要用 sudo 运行服务", en = "give the file to the service's user; do not run the service by sudo" },
}
finding "port" {
  explains = "down", key = "line", title = { zh = "拿不到端口：{line}", en = "it does not get its port: {line}" },
  advice = { zh = "runbook exec coze/port-conflict", en = "runbook exec coze/port-conflict" },
}

-- What programs say, most telling first; a line counts for the first that fits.
local CAUSES = {
  { "port", "EADDRINUSE|[Aa]ddress already in use|listen EACCES|\\bbind\\b.*[Pp]ermission denied" },
  { "permission", "EACCES|[Pp]ermission denied|PermissionError" },
  { "config", "yaml:|YAMLException|unknown (key|field)|invalid (value|config)|config:.*(invalid|unknown)|SyntaxError" },
  { "dependency", "No such file or directory|cannot open shared object|MODULE_NOT_FOUND|Cannot find module|ModuleNotFoundError|ImportError|"
    .. "Dependency failed|ECONNREFUSED" },
}

local function cause_of(line)
  for _, cause in ipairs(CAUSES) do
    if text.match(line, cause[2]) then return cause[1] end
  end
end
-- When a line was written, to compare with others of the same log; nil where it does not say.
local function written(line)
  local year, month, day, hour, minute = line:match("^%W?(%d%d%d%d)[-/](%d%d)[-/](%d%d)[T ](%d%d):(%d%d)")
  return year and ((((year * 12 + month) * 31 + day) * 24 + hour) * 60 + minute) * 60
end
-- What belongs to this failure: the lines since the last start that the log knows of, and none of an hour before its end. One that
-- runs (again: it starts again and again) has not failed yet; then the start before it counts, too.
local OLD = 3600
local function recent(words, runs)
  local lines, newest, from, before = text.lines(words), nil, 1, 1
  for i, line in ipairs(lines) do
    if text.match(line, "(?i)\\b(?:starting|started|listening)\\b") and not cause_of(line) then before, from = from, i + 1 end
    newest = math.max(newest or 0, written(line) or 0)
  end
  local list, at, first = {}, nil, runs and before or from
  for i, line in ipairs(lines) do
    at = written(line) or at
    if i >= first and (not at or at >= newest - OLD) then list[#list + 1] = line end
  end
  return list
end

check "service" {
  timeout = "6m", title = { zh = "服务状态", en = "the service's state" },
  why   = { zh = "手册的 ps aux | grep coze 会找到 grep 自己；这里问守护程序，再看进程", en = "the manual's ps aux | grep coze finds the grep itself; this asks the keeper" },
  run = function(p)
    local kept = keeper.state(p.keeper)
    ok({ zh = "{state}（{detail}），重启过 {n} 次",
         en = "{state} ({detail}), restarted {n} times" }, { state = kept.state, detail = kept.detail, n = kept.restarts or 0 })
    if kept.state ~= "running" then found("down", { detail = kept.detail }) return kept end
    local one = kept.pid and system.processes { pid = kept.pid }[1]
    local left = one and p.steady - (system.load().uptime - one.started / 100) or 0
    if left > 0 then -- between two crashes it runs, too
      wait(left)
      local again = keeper.state(p.keeper)
      if again.state ~= "running" or again.pid ~= kept.pid then found("down", { detail = "starts again and again" }) end
    end
    return kept
  end,
}
check "log" {
  when  = "down", title = { zh = "日志说什么", en = "what the logs say" },
  why   = { zh = "手册的 /var/log/system.log 是 macOS 的；这里看守护程序的日志和两个应用日志，只看最后 {lines} 行、最后一次启动",
            en = "the manual's /var/log/system.log is macOS's; this reads the keeper's log and the two of the application, the last {lines} lines" },
  run = function(p, r)
    local parts, newest = { keeper.logs(p.keeper, nil, p.lines) }, 0
    local stats = { file.stat(p.app_log) or false, file.stat(p.error_log) or false }
    for _, stat in ipairs(stats) do newest = math.max(newest, stat and stat.mtime or 0) end
    for i, path in ipairs { p.app_log, p.error_log } do -- one that was not written this time is of another failure
      if stats[i] and stats[i].mtime >= newest - OLD then parts[#parts + 1] = file.tail(path, { lines = p.lines }) end
    end
    attach("log", table.concat(parts, "\n"))
    for _, part in ipairs(parts) do
      for _, line in ipairs(recent(part, r.service.state == "running")) do
        local cause = cause_of(line)
        if cause then found(cause, { line = text.cut(text.trim(line), 160) }) end
      end
    end
  end,
}
check "config" {
  title = { zh = "配置文件", en = "the configuration" },
  run = function(p)
    local stat = file.stat(p.config)
    if not stat then
      if #findings "down" > 0 then found("dependency", { line = p.config .. ": No such file or directory" }) end
      return
    end
    ok({ zh = "{size:size}，属于 {owner}", en = "{size:size}, owned by {owner}" }, stat)
  end,
}

fix "start" {
  when = "down", risk = "medium", within = "2m", title = { zh = "启动服务 {keeper}", en = "start the service {keeper}" },
  guard = function()
    local causes = #findings "port" + #findings "permission" + #findings "config" + #findings "dependency"
    return causes == 0, { zh = "先消除原因，不然启动还是失败", en = "remove the cause first, or it fails again" }
  end,
  run  = function(p) keeper.start(p.keeper) end,
  undo = function(p) keeper.stop(p.keeper) end,
}

prevent "config-check" {
  title   = { zh = "配置", en = "configuration" },
  by_hand = { zh = "发布前在测试环境用新配置启动一次", en = "start it once with the new configuration on a test machine before releasing" },
}
