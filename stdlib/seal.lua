-- The sealed world of a runbook: which names it has, and what they may do. Everything a
-- runbook can reach is either its own, or frozen. The process around it is the real wall
-- (runner/sandbox.c); this file is about accidents, replays and clear words.
local rt = require "rt"

local seal = {}

local COUNT_MAX = 1000000 -- elements a list function handles
local BYTES_MAX = rt.memory // 2 -- of one string: a clear error instead of the end of the process

-- ---- frozen tables ----

local function refuse_write(_, name)
  error(rt.text("frozen", tostring(name)), 2)
end

-- An empty table that shows target and takes nothing. __target: what pairs and JSON look at.
local function proxy(target, index, original)
  local given = rt.metatable(original or target) or {}
  local call, print = given.__call, given.__tostring
  return setmetatable({}, {
    __index = index or target,
    __newindex = refuse_write,
    __len = function() return #target end,
    __call = call and function(_, ...) return call(original or target, ...) end,
    __tostring = print and function() return print(original or target) end,
    __target = target,
    __metatable = false,
  })
end

local function freeze(value, seen)
  if type(value) ~= "table" or rt.target(value) then return value end
  if seen[value] then return seen[value] end
  local copy = {}
  local frozen = proxy(copy, nil, value)
  seen[value] = frozen
  for key, item in next, value do copy[key] = freeze(item, seen) end
  if rt.is_array(value) then
    rt.array(copy)
  elseif rt.metatable(value) then
    setmetatable(copy, rt.metatable(value))
  end
  return frozen
end

--- A read-only picture of a value: tables all the way down, as they are now.
function seal.freeze(value)
  return freeze(value, {})
end

--- A read-only window on a table that may still grow. missing(name) is called for an absent
--- name and should raise with level 3.
function seal.view(target, missing)
  local children = {}
  return proxy(target, function(_, name)
    local value = target[name]
    if value == nil then
      missing(name)
      return nil
    end
    if type(value) ~= "table" then return value end
    children[value] = children[value] or seal.freeze(value)
    return children[value]
  end)
end

-- ---- order ----

local rank = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local ra, rb = rank[type(a)], rank[type(b)]
  if ra ~= rb then return ra < rb end
  if ra == 3 then return not a and b end
  return a < b
end

-- Keys by type, then by value; other keys have no order that a replay would see again.
local function sorted_keys(t)
  local keys, ascending, last = {}, true, nil
  for key in next, t do
    if not rank[type(key)] then error(rt.text("pairs_keys", type(key)), 3) end
    ascending = ascending and (last == nil or before(last, key))
    keys[#keys + 1], last = key, key
  end
  if not ascending then table.sort(keys, before) end
  return keys
end

local function need_table(value, name)
  if type(value) ~= "table" then error(rt.text("need_table", name, value == rt.null and "null" or type(value)), 3) end
end

local function sealed_pairs(t)
  need_table(t, "pairs")
  local given = rt.metatable(t)
  if given and given.__pairs then return given.__pairs(t) end
  local keys, i = sorted_keys(rt.target(t) or t), 0
  return function()
    while true do
      i = i + 1
      local key = keys[i]
      if key == nil then return nil end
      local value = t[key]
      if value ~= nil then return key, value end -- the body may have taken it away
    end
  end, t, nil
end

local function sealed_next(t, key)
  need_table(t, "next")
  local nearest
  for other in next, rt.target(t) or t do
    if not rank[type(other)] then error(rt.text("pairs_keys", type(other)), 2) end
    if (key == nil or before(key, other)) and (nearest == nil or before(other, nearest)) then nearest = other end
  end
  if nearest == nil then return nil end
  return nearest, t[nearest]
end

-- ---- words without addresses ----

local function shown(value)
  local kind = type(value)
  if kind ~= "table" and kind ~= "function" and kind ~= "userdata" and kind ~= "thread" then return tostring(value) end
  if value == rt.null then return "null" end
  local given = rt.metatable(value)
  if not given or not given.__tostring then return kind end
  local text = given.__tostring(value)
  if type(text) ~= "string" then error("'__tostring' must return a string", 3) end
  return text
end

local function sealed_tostring(...)
  if select("#", ...) == 0 then error(rt.text("need_value", "tostring"), 2) end
  return shown((...))
end

local function sealed_type(...)
  if select("#", ...) == 0 then error(rt.text("need_value", "type"), 2) end
  local value = ...
  return value == rt.null and "null" or rt.is_secret(value) and "secret" or type(value)
end

-- Texts only: tables with a kind are how the engine's own ends travel.
local function sealed_error(message, level)
  local depth = math.tointeger(level) or 1
  error(shown(message), depth > 0 and depth + 1 or 0)
end

local function sealed_assert(...)
  if select("#", ...) == 0 then error(rt.text("need_value", "assert"), 2) end
  local value, message = ...
  if value then return ... end
  error(message == nil and "assertion failed!" or shown(message), 2)
end

local string_format = string.format

local function sealed_format(format, ...)
  if type(format) == "string" and format:gsub("%%%%", ""):find("%%[-+ #%d.]*p") then
    error(rt.text("format_p"), 2)
  end
  local args = table.pack(...)
  for i = 1, args.n do
    if type(args[i]) == "table" or rank[type(args[i])] == nil and args[i] ~= nil then args[i] = shown(args[i]) end
  end
  return string_format(format, table.unpack(args, 1, args.n))
end

-- ---- limits ----

local string_rep = string.rep

local function sealed_rep(text, count, separator)
  local whole = math.tointeger(count)
  local unit = #text + #(separator or "")
  if unit == 0 then return "" end -- the C function would count to the end all the same
  if whole and whole > BYTES_MAX // unit then error(rt.text("limit_bytes", "string.rep", BYTES_MAX), 2) end
  return string_rep(text, count, separator)
end

-- A list whose length is what its memory says: a script's __len could claim any.
local function plain_list(list, name, writes)
  if type(list) ~= "table" then error(rt.text("need_table", name, type(list)), 3) end
  local target = rt.target(list)
  if target and writes then error(rt.text("frozen", name), 3) end
  list = target or list
  local given = rt.metatable(list)
  if given and (given.__len or given.__newindex and writes) then error(rt.text("list_plain", name), 3) end
  return list
end

local function limited(count, name)
  if count > COUNT_MAX then error(rt.text("limit_count", name, COUNT_MAX), 3) end
end

local function whole_number(value, name)
  local whole = math.tointeger(value)
  if not whole then error(rt.text("need_integer", name, sealed_type(value)), 3) end
  return whole
end

local lists = {}

function lists.insert(list, ...)
  list = plain_list(list, "table.insert", true)
  limited(#list + 1, "table.insert")
  return table.insert(list, ...)
end

function lists.remove(list, ...)
  return table.remove(plain_list(list, "table.remove", true), ...)
end

function lists.concat(list, separator, from, to)
  list = plain_list(list, "table.concat")
  from, to = whole_number(from or 1, "table.concat"), whole_number(to or #list, "table.concat")
  if to >= from then limited(math.ult(to - from, COUNT_MAX) and 1 or COUNT_MAX + 1, "table.concat") end
  return table.concat(list, separator, from, to)
end

function lists.move(source, from, to, at, target)
  source = plain_list(source, "table.move", target == nil)
  if target ~= nil then target = plain_list(target, "table.move", true) end
  from, to, at = whole_number(from, "table.move"), whole_number(to, "table.move"), whole_number(at, "table.move")
  if to >= from then limited(math.ult(to - from, COUNT_MAX) and 1 or COUNT_MAX + 1, "table.move") end
  return table.move(source, from, to, at, target or source)
end

function lists.unpack(list, from, to)
  list = plain_list(list, "table.unpack")
  from, to = whole_number(from or 1, "table.unpack"), whole_number(to or #list, "table.unpack")
  if to >= from then limited(math.ult(to - from, COUNT_MAX) and 1 or COUNT_MAX + 1, "table.unpack") end
  return table.unpack(list, from, to)
end

function lists.sort(list, less)
  list = plain_list(list, "table.sort", true)
  limited(#list, "table.sort")
  return table.sort(list, less)
end

lists.pack = table.pack

-- ---- metatables ----

-- __gc and __mode reach into the collector, __close into unwinding; the rest belongs to the seal.
local refused = { __gc = true, __mode = true, __close = true, __metatable = true, __name = true, __target = true }

-- The copy is the point: a field added to the original later has no effect.
local function copied(metatable)
  local copy = {}
  for key, value in next, rt.target(metatable) or metatable do
    if refused[key] then error(rt.text("metatable_field", key), 3) end
    copy[key] = value
  end
  return copy
end

local function sealed_setmetatable(t, metatable)
  need_table(t, "setmetatable")
  local given = rt.metatable(t)
  if given and given.__metatable ~= nil then error(rt.text("metatable_locked"), 2) end
  if metatable == nil then return setmetatable(t, nil) end
  need_table(metatable, "setmetatable")
  return setmetatable(t, copied(metatable))
end

-- What was set can be read, not changed.
local function sealed_getmetatable(value)
  local given = rt.metatable(value)
  if given == nil then return nil end
  if type(value) ~= "table" or given.__metatable ~= nil then return false end
  return proxy(given)
end

-- ---- the environment ----

local function without(library, ...)
  local copy = {}
  for name, value in next, library do copy[name] = value end
  for _, name in ipairs { ... } do copy[name] = nil end
  return copy
end

local strings = without(string, "dump")
strings.rep, strings.format = sealed_rep, sealed_format

-- ("x"):rep is the sealed one too, here and in runbooks, and stays it.
local of_strings = rt.metatable("")
of_strings.__index = strings
of_strings.__metatable = false

local function base_names()
  return {
    assert = sealed_assert, error = sealed_error, getmetatable = sealed_getmetatable, ipairs = ipairs, next = sealed_next,
    pairs = sealed_pairs, rawequal = rawequal, rawlen = rawlen, select = select, setmetatable = sealed_setmetatable,
    tonumber = tonumber, tostring = sealed_tostring, type = sealed_type,
    math = seal.freeze(without(math, "random", "randomseed")), string = seal.freeze(strings), table = seal.freeze(lists),
    utf8 = seal.freeze(utf8),
  }
end

local function unknown_name(names)
  return function(_, name)
    local known = {}
    for other in next, names do known[#known + 1] = other end
    table.sort(known)
    local near = type(name) == "string" and rt.nearest(name, known)
    error(near and rt.text("unknown_name_near", name, near) or rt.text("unknown_name", shown(name)), 2)
  end
end

local function refuse_global(_, name)
  error(rt.text("no_global", shown(name), shown(name)), 2)
end

--- A fresh environment: the safe names and those of extra, frozen. Reading any other name and
--- writing any name raise.
function seal.environment(extra)
  local names = base_names()
  for name, value in next, extra or {} do names[name] = seal.freeze(value) end
  setmetatable(names, { __index = unknown_name(names), __metatable = false })
  return setmetatable({}, { __index = names, __newindex = refuse_global, __target = names, __metatable = false })
end

--- A function, or nil and { file, line, message, column? }. chunkname: "@" and the path.
function seal.load(text, chunkname, env)
  local chunk, line, message, column = rt.load(text, chunkname, env)
  if chunk then return chunk end
  return nil, { file = (chunkname:gsub("^@", "")), line = line, message = message, column = column }
end

return seal
