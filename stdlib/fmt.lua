-- How sizes, durations and times are shown to people.
local fmt = {}

local units = { "kB", "MB", "GB", "TB", "PB" }

--- 1500000 -> "1.5 MB" (powers of ten, as disks are sold and df -H shows). bytes: a number.
function fmt.size(bytes)
  if bytes < 1000 then return ("%d B"):format(bytes) end
  local value, unit = bytes, nil
  for _, name in ipairs(units) do
    value, unit = value / 1000, name
    if value < 999.95 then break end
  end
  return ("%.1f %s"):format(value, unit)
end

--- 95 -> "1m 35s", 0.25 -> "250ms". seconds: a number.
function fmt.duration(seconds)
  if seconds < 1 then return ("%dms"):format(math.floor(seconds * 1000 + 0.5)) end
  if seconds < 60 then return (("%.1f"):format(seconds):gsub("%.0$", "")) .. "s" end
  local whole = math.floor(seconds + 0.5)
  if whole < 3600 then return ("%dm %02ds"):format(whole // 60, whole % 60) end
  if whole < 86400 then return ("%dh %02dm"):format(whole // 3600, whole % 3600 // 60) end
  return ("%dd %02dh"):format(whole // 86400, whole % 86400 // 3600)
end

-- Days since 1970-01-01 to year, month, day (proleptic Gregorian, eras of 400 years).
local function civil(days)
  local z = days + 719468
  local era = z // 146097
  local day_of_era = z - era * 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local shifted = (5 * day_of_year + 2) // 153
  local month = shifted < 10 and shifted + 3 or shifted - 9
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day_of_year - (153 * shifted + 2) // 5 + 1
end

--- UTC seconds -> "2026-03-08 05:30:00Z"; compact = true -> "20260308T053000Z", fit for a file name.
function fmt.time(seconds, compact)
  local whole = math.floor(seconds)
  local year, month, day = civil(whole // 86400)
  local rest = whole % 86400
  local form = compact and "%04d%02d%02dT%02d%02d%02dZ" or "%04d-%02d-%02d %02d:%02d:%02dZ"
  return form:format(year, month, day, rest // 3600, rest % 3600 // 60, rest % 60)
end

return fmt
