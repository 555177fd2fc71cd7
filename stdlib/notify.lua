-- notify(channel, message): a message to people. message: a text, or a table as `runbook help notify` describes it; its
-- texts may be { zh, en } and have {name} holes, which are filled here. What the run knows is added: runbook and run.
local task = require "task"
local words = require "words"

local notify = {}

local function filled_list(list, fill)
  local out = {}
  for i, fact in ipairs(list) do out[i] = { fill(fact[1]), fill(fact[2]) } end
  return out
end

local function is_record(message)
  return type(message) == "table" and message.zh == nil and message.en == nil
end

local function complete(context, message)
  local sources = context.block and context.block.sources or {}
  local function fill(text)
    if type(text) ~= "string" and type(text) ~= "table" then return text end
    return words.fill(text, sources, context.shapes)
  end
  local record = {}
  if is_record(message) then
    for key, value in pairs(message) do record[key] = value end
  else
    record.title = message
  end
  record.title, record.text = fill(record.title), fill(record.text)
  if type(record.facts) == "table" then record.facts = filled_list(record.facts, fill) end
  record.runbook = record.runbook or { id = context.meta.id, title = context.meta.title }
  record.run = record.run or context.options.run
  return record
end

--- The callable module for one run. context: see conductor.lua.
function notify.build(context)
  local function call(verb, channel, message, options)
    local args = { channel = channel, message = complete(context, message) }
    for key, value in pairs(options or {}) do args[key] = value end
    return task.call(verb, args)
  end
  local module = {
    send = function(channel, message, options) return call("notify.send", channel, message, options) end,
    preview = function(channel, message) return call("notify.preview", channel, message) end,
  }
  return setmetatable(module, { __call = function(_, ...) return module.send(...) end })
end

return notify
