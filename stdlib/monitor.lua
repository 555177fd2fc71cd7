-- Values against thresholds, and against what they were in the last run. Plain computing: what is measured comes from a check, what
-- was comes from previous(id).
local rt = require "rt"
local task = require "task"

local monitor = {}

--- "ok", "warning" or "critical": above a threshold, not at it. limits: { warning?, critical?, below? = true for values that must not
--- fall under them }. nil is "unknown".
function monitor.level(value, limits)
  if value == nil then return "unknown" end
  local function over(limit)
    if limit == nil then return false end
    if limits.below then return value < limit end
    return value > limit
  end
  return over(limits.critical) and "critical" or over(limits.warning) and "warning" or "ok"
end

--- All of a table against a table of limits: a list of { name, value, level, limit } of what is not ok, by name.
function monitor.judge(values, limits)
  local names, list = {}, rt.array {}
  for name in pairs(limits) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local level = monitor.level(values[name], limits[name])
    if level ~= "ok" then list[#list + 1] = { name = name, value = values[name], level = level, limit = limits[name][level] } end
  end
  return list
end

--- How often in a row something failed, this time included: 0 when it did not. before: the number of the last run, or nil.
function monitor.in_a_row(failed, before) return failed and (before or 0) + 1 or 0 end

--- Change a second between two looks: values and times (UTC seconds). nil without a look before, or when no time passed.
function monitor.rate(value, at, before, before_at)
  if before == nil or before_at == nil or at <= before_at then return nil end
  return (value - before) / (at - before_at)
end

--- Days until free space is used up at the rate between two looks; nil when it does not shrink.
function monitor.days_to_full(free, at, before_free, before_at)
  local rate = monitor.rate(free, at, before_free, before_at)
  if not rate or rate >= 0 then return nil end
  return free / -rate / 86400
end

--- The value below which so many percent of a list lie (nearest rank); nil for an empty one.
function monitor.percentile(values, percent)
  if #values == 0 then return nil end
  local order = {}
  for i, value in ipairs(values) do order[i] = value end
  table.sort(order)
  return order[math.max(1, math.ceil(percent / 100 * #order))]
end

local function cpu_times()
  local text = task.call("file.read", { path = "/proc/stat" })
  local times = {}
  for number in text:match("^cpu +([^\n]*)"):gmatch("%d+") do times[#times + 1] = math.tointeger(number) end
  return times
end

--- Percent of the processors in use over a while (default 1 s): { used_pct, iowait_pct, steal_pct }.
function monitor.cpu(seconds)
  local before = cpu_times()
  task.call("time.wait", { seconds = rt.seconds(seconds or 1) })
  local now, total, part = cpu_times(), 0, {}
  for i = 1, 8 do
    part[i] = (now[i] or 0) - (before[i] or 0)
    total = total + part[i]
  end
  local function percent(ticks) return total > 0 and ticks * 100 / total or 0 end
  return { used_pct = percent(total - part[4] - part[5]), iowait_pct = percent(part[5]), steal_pct = percent(part[8]) }
end

return monitor
