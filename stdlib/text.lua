-- Foreign text: plain searching, and patterns (PCRE2) with a limit on steps, so that no input can make it slow. Lua's own
-- string.find has no such limit.
local rt = require "rt"
local task = require "task"

local text = {}

local function check(value, name, where)
  if type(value) ~= "string" then error(("%s: %s is a %s, not a string"):format(where, name, type(value)), 3) end
end

--- Without blanks at both ends.
function text.trim(s)
  check(s, "s", "text.trim")
  local first, last = s:find("%S"), #s
  if not first then return "" end
  while s:find("^%s", last) do last = last - 1 end
  return s:sub(first, last)
end

--- The parts between separators, a plain text. At most max parts; the last one keeps the rest.
function text.split(s, separator, max)
  check(s, "s", "text.split")
  check(separator, "separator", "text.split")
  if separator == "" then error("text.split: the separator is empty", 2) end
  local parts, at = {}, 1
  while not max or #parts < max - 1 do
    local from, to = s:find(separator, at, true)
    if not from then break end
    parts[#parts + 1] = s:sub(at, from - 1)
    at = to + 1
  end
  parts[#parts + 1] = s:sub(at)
  return parts
end

--- The lines, without their ends (LF or CRLF); a last empty one is none.
function text.lines(s)
  check(s, "s", "text.lines")
  if s == "" then return {} end
  local lines = text.split(s, "\n")
  if lines[#lines] == "" then lines[#lines] = nil end
  for i, line in ipairs(lines) do
    if line:sub(-1) == "\r" then lines[i] = line:sub(1, -2) end
  end
  return lines
end

--- Is word, a plain text, somewhere in s?
function text.contains(s, word)
  check(s, "s", "text.contains")
  check(word, "word", "text.contains")
  return s:find(word, 1, true) ~= nil
end

--- How often word, a plain text, is in s, without overlaps.
function text.count(s, word)
  check(s, "s", "text.count")
  check(word, "word", "text.count")
  if word == "" then error("text.count: the word is empty", 2) end
  local n, at = 0, 1
  while true do
    local _, to = s:find(word, at, true)
    if not to then return n end
    n, at = n + 1, to + 1
  end
end

--- At most max characters (not bytes); what was cut is shown by "...". max: at least 3.
function text.cut(s, max)
  check(s, "s", "text.cut")
  local length = utf8.len(s)
  if not length then return s:sub(1, max) end -- not UTF-8: bytes are all there is
  if length <= max then return s end
  return s:sub(1, utf8.offset(s, max - 2) - 1) .. "..."
end

-- ---- patterns ----

-- First, last, captures; nil when there is none. A bad pattern is the author's mistake, one that gives up is an error of a verb.
local function find(s, pattern, from, where)
  check(s, "s", where)
  check(pattern, "pattern", where)
  local first, code, message = rt.find(s, pattern, from)
  if first ~= false then return first, code, message end
  if code == "usage" then error(("%s: %s"):format(where, message), 3) end
  error(task.error { code = code, message = message, verb = where }, 0)
end

--- The first match of a pattern (PCRE2): { [0] = all of it, [1] …, name = … }, or nil. Raises timeout when it takes too many steps.
function text.match(s, pattern)
  local _, _, captures = find(s, pattern, 1, "text.match")
  return captures
end

--- Every match, at most max (default 1000): a list of what text.match returns.
function text.matches(s, pattern, max)
  local list, from = {}, 1
  while #list < (max or 1000) do
    local first, last, captures = find(s, pattern, from, "text.matches")
    if not first then break end
    list[#list + 1] = captures
    from = math.max(last, first) + 1
    if last < first then from = first + 1 end -- an empty one
  end
  return list
end

--- The lines with a match, at most max (default 1000).
function text.grep(s, pattern, max)
  local list = {}
  for _, line in ipairs(text.lines(s)) do
    if #list >= (max or 1000) then break end
    if find(line, pattern, 1, "text.grep") then list[#list + 1] = line end
  end
  return list
end

--- s with every match replaced by a text, as it is, or by what a function makes of the match.
function text.replace(s, pattern, with)
  local parts, from, done = {}, 1, 1
  while true do
    local first, last, captures = find(s, pattern, from, "text.replace")
    if not first then break end
    parts[#parts + 1] = s:sub(done, first - 1)
    parts[#parts + 1] = type(with) == "function" and with(captures) or with
    done = last + 1
    from = last < first and first + 1 or last + 1
    if from > #s + 1 then break end
  end
  parts[#parts + 1] = s:sub(done)
  return table.concat(parts)
end

return text
