-- A Redis server as operations see it: redis("cache"):ask("GET", key). connection: a name of the configuration or
-- redis://host:port/db; options: timeout, for every call. Errors are those of the verbs (`runbook help redis`).
local rt = require "rt"
local task = require "task"
local text = require "text"

local function word_list(verb, ...)
  local count = select("#", ...)
  for i = 1, count do
    if select(i, ...) == nil then error(rt.text("redis_word_nil", verb, i), 3) end
  end
  return rt.array { ... }
end

-- "used_memory:1024\r\n# Stats\r\n…" -> { used_memory = 1024, … }; what is a number becomes one.
local function parse_info(answer)
  local values = {}
  for _, line in ipairs(text.lines(answer)) do
    local name, value = line:match("^([%w_%-%.]+):(.*)$")
    if name then values[name] = tonumber(value) or value end
  end
  return values
end

-- "id=3 addr=127.0.0.1:5 …" -> { id = 3, addr = "127.0.0.1:5", … }
local function parse_client(line)
  local client = {}
  for _, field in ipairs(text.split(line, " ")) do
    local name, value = field:match("^([%w%-]+)=(.*)$")
    if name then client[name] = tonumber(value) or value end
  end
  return client
end

local function unique(keys)
  local seen, list = {}, rt.array {}
  for _, key in ipairs(keys) do
    if not seen[key] then
      seen[key] = true
      list[#list + 1] = key
    end
  end
  return list
end

return function(connection, options)
  local r = {}

  local function call(verb, args, more)
    for name, value in pairs(more or {}) do args[name] = value end
    args.connection = connection
    if args.timeout == nil then args.timeout = options and options.timeout end
    return task.call(verb, args, rt.where())
  end

  --- Reads: the words of a command that the server marks read-only, or of a harmless question.
  function r:ask(...) return call("redis.ask", { command = word_list("ask", ...) }) end

  --- Writes: the words of any command.
  function r:call(...) return call("redis.call", { command = word_list("call", ...) }) end

  --- true when a key of its own could be written and deleted, else false, why, code. more: timeout.
  function r:probe(more)
    local answer = call("redis.probe", {}, more)
    return answer.ok, answer.message, answer.code
  end

  --- The keys, each once, and true when they are all. more: match, type, max (default 1000), count, timeout.
  function r:scan(more)
    local answer = call("redis.scan", {}, more)
    return unique(answer.keys), answer.complete
  end

  --- Removes keys: { match = "app:cache:*", protect = { "app:cache:lock:*" } } or { keys = { … } }; batch, count, timeout.
  --- Returns { removed, seen, kept }.
  function r:unlink(more) return call("redis.unlink", {}, more) end

  --- INFO as a table; section: "memory", "clients", …; default all.
  function r:info(section)
    local answer = section and r:ask("INFO", section) or r:ask("INFO")
    return parse_info(answer)
  end

  --- Settings as a table of strings, passwords masked. pattern: "maxmemory*".
  function r:config(pattern)
    local answer, settings = r:ask("CONFIG", "GET", pattern), {}
    for i = 1, #answer, 2 do settings[answer[i]] = answer[i + 1] end
    return settings
  end

  --- The connected clients: list of { id, addr, name, age, idle, cmd, … }.
  function r:clients()
    local clients = rt.array {}
    for _, line in ipairs(text.lines(r:ask("CLIENT", "LIST"))) do clients[#clients + 1] = parse_client(line) end
    return clients
  end

  --- The last slow commands, newest first: list of { id, at (UTC seconds), us, command (list), client }.
  function r:slowlog(count)
    local entries = rt.array {}
    for _, entry in ipairs(r:ask("SLOWLOG", "GET", count or 10)) do
      entries[#entries + 1] = { id = entry[1], at = entry[2], us = entry[3], command = entry[4], client = entry[5] }
    end
    return entries
  end

  --- The share of look-ups that found their key, 0 to 1; nil before the first one.
  function r:hit_ratio()
    local stats = r:info("stats")
    local hits, misses = stats.keyspace_hits or 0, stats.keyspace_misses or 0
    if hits + misses == 0 then return nil end
    return hits / (hits + misses)
  end

  return r
end
