-- The conductor: loads a runbook's files, declares its blocks to the host, and, when
-- the host says so, goes through the run (flow.lua). It decides order; the host decides
-- what is allowed, asks people, and records.
local blocks = require "blocks"
local flow = require "flow"
local helpers = require "helpers"
local notify = require "notify"
local rt = require "rt"
local seal = require "seal"
local task = require "task"
local verbs = require "verbs"

local conductor = {}

-- Modules of the standard library that runbooks see by name. Each is loaded when it is first used: most runs use two.
local library = {
  "sqlite", "net", "redis", "docker", "compose", "service", "pm2", "nginx", "fmt", "text", "postgres", "mysql", "logs", "disk",
  "backup", "retention", "envfile", "archive", "monitor", "cjson", "evm", "jwt", "keeper", "ufw",
}

local function lazily(name)
  return setmetatable({}, {
    __index = function(_, key) return require(name)[key] end,
    __call = function(_, ...) return require(name)(...) end, -- redis("cache")
  })
end

-- A factory (language.md 13) is found by the name after "generic.": its text is executed in the
-- file's own environment, so that its blocks land in the same collection.
local function factories(collected, files, environment)
  local found = {}
  local function text_of(name)
    for _, file in ipairs(files) do
      if file.role == "lib" and file.path:match("([^/]+)%.lua$") == name then return file.text, file.path end
    end
    return rt.module_text("generic/" .. name), "stdlib/generic/" .. name .. ".lua"
  end
  return setmetatable({}, {
    __index = function(_, name)
      if found[name] then return found[name] end
      local text, path = text_of(name)
      if not text then error(rt.text("no_factory", tostring(name)), 2) end
      local chunk, problem = seal.load(text, "@" .. path, environment())
      if not chunk then error(problem.message, 2) end
      local factory = chunk()
      found[name] = function(options)
        local ok, err = task.protect(blocks.expand, collected, factory, options)
        if not ok then error(err.kind == "factory_options" and err.message or err, 2) end
      end
      return found[name]
    end,
  })
end

-- In a test a function of the library may be answered for, before it asks anything.
local function stand_in(context, name, module)
  if type(module) ~= "table" then return module end -- redis(…): its verbs are answered for one by one
  local copy = {}
  for key, fn in pairs(module) do
    copy[key] = type(fn) == "function" and function(...)
      local value = context.given and context.given[name .. "." .. key]
      if value == nil then return fn(...) end
      if type(value) == "function" then return value(...) end
      return value
    end or fn
  end
  return copy
end

local function environment_for(context, files, modules)
  local names, collected = blocks.collect("runbook")
  local env
  for name, helper in pairs(helpers.build(context)) do names[name] = helper end
  for name, module in pairs(modules) do names[name] = names[name] or module end
  for _, name in ipairs(library) do
    names[name] = context.testing and stand_in(context, name, require(name)) or lazily(name)
  end
  names.notify = notify.build(context)
  names.json = { encode = rt.json_encode, decode = rt.json_decode, null = rt.null, array = rt.array }
  names.null = rt.null
  names.generic = factories(collected, files, function() return env end)
  env = seal.environment(names)
  return env, collected
end

-- Executes the files of one runbook; nil and the problem when one does not load.
local function execute(files, env)
  for _, file in ipairs(files) do
    if file.role ~= "lib" then
      local chunk, problem = seal.load(file.text, "@" .. file.path, env)
      if not chunk then return nil, problem end
      local ok, err = task.protect(chunk)
      if not ok then
        local where = err.at or file.path .. ":0"
        local path, line = where:match("^(.*):(%d+)$")
        return nil, { file = path or file.path, line = math.tointeger(line) or 0, message = err.message or tostring(err.kind) }
      end
    end
  end
  return true
end

-- config.lua has blocks and Lua's own names, nothing that acts.
local function config_environment()
  local names, collected = blocks.collect("config")
  names.null = rt.null
  return seal.environment(names), collected
end

local function load_files(context, files, modules)
  local env, collected
  if files[1].role == "config" then
    env, collected = config_environment()
  else
    env, collected = environment_for(context, files, modules)
  end
  rt.ready()
  rt.deadline(2, "load", true) -- of processor time: a busy machine is not the file's fault
  task.loading = true
  local ok, problem = execute(files, env)
  task.loading = false
  rt.deadline(nil)
  if not ok then return nil, problem end
  return collected
end

local function declare(n, collected, problem)
  local body = { n = n, blocks = collected and blocks.declared(collected) or rt.array {}, error = problem or rt.null }
  return task.call("run.declare", body)
end

local function list(start)
  for n, files in ipairs(start.runbooks) do
    local context = { block = nil }
    local collected, problem = load_files(context, files, verbs.build(start.verbs))
    declare(n - 1, collected, problem)
  end
end

local function exec(start)
  local context = { block = nil, testing = start.given, verbs = start.verbs }
  local collected, problem = load_files(context, start.files, verbs.build(start.verbs))
  local answer = declare(0, collected, problem)
  if not answer.meta then return end
  flow.run(context, collected, answer)
end

--- start: the start frame of engine/README.md.
function conductor.main(start)
  task.main(function()
    if start.mode == "list" then list(start) else exec(start) end
  end)
end

return conductor
