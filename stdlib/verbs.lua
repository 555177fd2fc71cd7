-- Verbs as runbooks see them: shell.read { … }, file.stat(path), sql("x"):rows("…").
-- Built from the host's verb table, so that a binding is written in one place.
local rt = require "rt"
local task = require "task"

local verbs = {}

local function is_list_only(t)
  for key in pairs(t) do
    if math.type(key) ~= "integer" then return false end
  end
  return true
end

-- shell.read { "df", "-h", timeout = "5s" }: the list is the argument, the names beside it are options.
local function split_list(value, args)
  if type(value) ~= "table" or value == rt.null or is_list_only(value) then return value end
  local list, count = rt.array {}, 0
  for key, item in pairs(value) do
    if math.type(key) == "integer" then
      list[key] = item
      count = count + 1
    else
      args[key] = item
    end
  end
  if count > 0 then return list end
  return nil
end

-- Levels of the errors below count from the verb, which the runbook called.
local function add_options(name, args, options)
  if type(options) ~= "table" or options == rt.null then error(rt.text("verb_options", name, type(options)), 4) end
  for key, value in pairs(options) do args[key] = value end
end

-- What is left from place `first` on, as a list; a nil among them is null.
local function rest_of(given, first, count)
  local list = rt.array {}
  for i = first, count do
    local value = given[i]
    if value == nil then value = rt.null end
    list[#list + 1] = value
  end
  return list
end

-- Arguments by their names: places in order, then the rest as one list, or one table more with options.
local function bind(verb, places, given, args)
  local count = given.n
  for i = 1, math.min(count, #places) do
    local place, value = places[i], given[i]
    if verb.lists[place] then value = split_list(value, args) end
    if value ~= nil then args[place] = value end
  end
  if count > #places and verb.rest then
    args[verb.rest] = rest_of(given, #places + 1, count)
  elseif count > #places + 1 then
    error(rt.text("verb_too_many", verb.name, #places, count), 3)
  elseif count > #places and given[count] ~= nil then
    add_options(verb.name, args, given[count])
  end
  return args
end

-- "argv[] cwd= timeout=" taken apart into verb.args, lists, options and rest, once, when the verb is first needed.
local function known(verb)
  if verb.args then return verb end
  verb.args, verb.lists, verb.options = {}, {}, {}
  for name, how in verb.signature:gmatch("([%w_]+)(%S*)") do
    if how == "=" then
      verb.options[#verb.options + 1] = name
    elseif how == "..." then
      verb.rest = name
    else
      verb.args[#verb.args + 1] = name
      verb.lists[name] = how == "[]"
    end
  end
  return verb
end

local function caller(verb)
  return function(...)
    local args = bind(known(verb), verb.args, table.pack(...), {})
    return task.call(verb.name, args, rt.where())
  end
end

local function method(verb, name, bound, connection, options)
  local places = table.move(known(verb).args, 2, #verb.args, 1, {})
  return function(self, ...)
    if self ~= bound then error(rt.text("verb_colon", verb.name:match("^[^.]+"), name), 2) end
    local args = { connection = connection }
    for _, option in ipairs(verb.options) do args[option] = options[option] end
    bind(verb, places, table.pack(...), args)
    return task.call(verb.name, args, rt.where())
  end
end

-- An option need not concern every method, but one of them.
local function common_options(name, methods, given)
  local options, seen, names = {}, {}, {}
  if given ~= nil then add_options(name, options, given) end
  for _, verb in pairs(methods) do
    for _, option in ipairs(known(verb).options) do
      if not seen[option] then names[#names + 1] = option end
      seen[option] = true
    end
  end
  for option in pairs(options) do
    if not seen[option] then
      table.sort(names)
      error(rt.text("verb_no_option", name, tostring(option), rt.nearest(tostring(option), names) or table.concat(names, " ")), 3)
    end
  end
  return options
end

-- sql("orders"), rpc("base", { timeout = "3s" }): the connection is a name, the methods are calls with these options.
local function connection_module(name, methods)
  return function(connection, given)
    local bound, options = {}, common_options(name, methods, given)
    for short, verb in pairs(methods) do bound[short] = method(verb, short, bound, connection, options) end
    return bound
  end
end

--- for name, effect, signature in verbs.each(start.verbs)
function verbs.each(text)
  return text:gmatch("([%w_.]+) (%a+) ?([^\n]*)\n")
end

local function grouped(text)
  local modules, on_connection = {}, {}
  for full, _, signature in verbs.each(text) do
    local module, name = full:match("^([%w_]+)%.([%w_]+)$")
    modules[module] = modules[module] or {}
    modules[module][name] = { name = full, signature = signature }
    on_connection[module] = signature:find("^connection%f[%s%z]") ~= nil
  end
  return modules, on_connection
end

--- start.verbs of the protocol -> { shell = { read = function … }, sql = function(connection) … }
function verbs.build(text)
  local modules, on_connection = grouped(text)
  for name, methods in pairs(modules) do
    if on_connection[name] then
      modules[name] = connection_module(name, methods)
    else
      for short, verb in pairs(methods) do methods[short] = caller(verb) end
    end
  end
  return modules
end

return verbs
