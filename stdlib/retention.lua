-- What may go and what stays, by age and by number. Nothing here deletes: it only says which.
local fmt = require "fmt"
local rt = require "rt"
local task = require "task"

local retention = {}

local days_in = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function days_of(year, month)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  return month == 2 and leap and 29 or days_in[month]
end

-- Days since 1970-01-01 (proleptic Gregorian, eras of 400 years).
local function days_from(year, month, day)
  local y = month <= 2 and year - 1 or year
  local era = y // 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  local year_of_era = y - era * 400
  return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + of_year - 719468
end

local function date_of(seconds)
  local year, month, day = fmt.time(seconds, true):match("^(%d%d%d%d)(%d%d)(%d%d)")
  return math.tointeger(year), math.tointeger(month), math.tointeger(day)
end

--- The same moment so many calendar months ago (UTC seconds); 31 March less one month is the last of February.
function retention.months_ago(months, now)
  now = now or task.now()
  local year, month, day = date_of(now)
  local index = year * 12 + month - 1 - months
  year, month = index // 12, index % 12 + 1
  return days_from(year, month, math.min(day, days_of(year, month))) * 86400 + math.floor(now) % 86400
end

local periods = {
  { name = "daily", key = function(t) return t // 86400 end },
  { name = "weekly", key = function(t) return (t // 86400 + 3) // 7 end }, -- from Monday
  { name = "monthly", key = function(t) local year, month = date_of(t) return year * 12 + month end },
}

-- The newest of each of the last so many days, weeks or months that have any.
local function keep_period(items, period, count, kept)
  local last
  for _, item in ipairs(items) do
    local key = period.key(math.floor(item.mtime))
    if count > 0 and key ~= last then
      kept[item], last, count = period.name, key, count - 1
    end
  end
end

--- Divides a list of { mtime, … } into { keep, drop }, each the newest first. policy: older = "30d" (only what is older may go),
--- keep_min = how many of the newest always stay, daily, weekly, monthly = of so many days, weeks, months the newest stays;
--- good = function(item) that an item must pass to count as one that stays (a verified backup).
function retention.divide(items, policy)
  local now, order, kept = task.now(), {}, {}
  for i, item in ipairs(items) do order[i] = item end
  table.sort(order, function(a, b)
    if a.mtime ~= b.mtime then return a.mtime > b.mtime end
    return tostring(a.path) > tostring(b.path)
  end)
  local good = {}
  for _, item in ipairs(order) do
    local needed = #good < (policy.keep_min or 0) or policy.daily or policy.weekly or policy.monthly
    if needed and (not policy.good or policy.good(item)) then good[#good + 1] = item end
  end
  for i = 1, math.min(policy.keep_min or 0, #good) do kept[good[i]] = "keep_min" end
  for _, period in ipairs(periods) do keep_period(good, period, policy[period.name] or 0, kept) end
  local limit = policy.older and now - rt.seconds(policy.older) or policy.months and retention.months_ago(policy.months, now) or now + 1
  local result = { keep = rt.array {}, drop = rt.array {} }
  for _, item in ipairs(order) do
    local stays = kept[item] or item.mtime >= limit
    local list = stays and result.keep or result.drop
    list[#list + 1] = item
  end
  return result
end

--- Files below a folder that may go: a list of { path, bytes, mtime }. options: name = pattern, except, and the policy of divide.
function retention.expired(dir, options)
  local found = task.call("file.find", { dir = dir, name = options.name, except = options.except, max = options.max })
  local items = {}
  for i, one in ipairs(found) do items[i] = { path = one.path, bytes = one.size, mtime = one.mtime } end
  return retention.divide(items, options).drop
end

return retention
