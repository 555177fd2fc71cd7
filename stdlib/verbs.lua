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

local function add_options(verb, args, options)
  if type(options) ~= "table" then
    error(rt.text("verb_options", verb.name, type(options)), 4)
  end
  for key, value in pairs(options) do args[key] = value end
end

-- Positional arguments by their names; one table more is the options.
local function bind(verb, given, count)
  local args = {}
  local places = verb.args
  for i = 1, math.min(count, #places) do
    local place = places[i]
    local value = given[i]
    if verb.lists[place] then value = split_list(value, args) end
    if value ~= nil then args[place] = value end
  end
  if count > #places then
    if count > #places + 1 then error(rt.text("verb_too_many", verb.name, #places, count), 4) end
    if given[count] ~= nil then add_options(verb, args, given[count]) end
  end
  return args
end

local function caller(verb)
  return function(...)
    local given, count = { ... }, select("#", ...)
    local args = bind(verb, given, count)
    return task.call(verb.name, args, rt.where())
  end
end

-- sql "orders" or sql("/path"): the connection is a name, the methods are calls.
local function connection_module(methods)
  return function(connection)
    local bound = {}
    for name, verb in pairs(methods) do
      bound[name] = function(_, query, ...)
        local args = { connection = connection, query = query }
        if select("#", ...) > 0 then args.params = rt.array { ... } end
        return task.call(verb.name, args, rt.where())
      end
    end
    return bound
  end
end

--- start.verbs of the protocol -> { shell = { read = function … }, … }
function verbs.build(list)
  local modules = {}
  for _, verb in ipairs(list) do
    local module, name = verb.name:match("^([%w_]+)%.([%w_]+)$")
    verb.lists = {}
    for _, place in ipairs(verb.list_args or {}) do verb.lists[place] = true end
    modules[module] = modules[module] or {}
    modules[module][name] = caller(verb)
    if module == "sql" then
      modules.sql_methods = modules.sql_methods or {}
      modules.sql_methods[name] = verb
    end
  end
  if modules.sql then
    modules.sql = connection_module(modules.sql_methods)
    modules.sql_methods = nil
  end
  return modules
end

return verbs
