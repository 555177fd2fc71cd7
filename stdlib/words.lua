-- Texts of runbooks: a string, or { zh, en }, with {name} holes that are filled once.
-- Filled values are never looked at again, so a hole inside a value stays text.
local fmt = require "fmt"
local rt = require "rt"

local words = {}

local function list_text(list)
  local shown = {}
  for i = 1, math.min(#list, 5) do shown[i] = tostring(list[i]) end
  local more = #list > 5 and " +" .. (#list - 5) or ""
  return table.concat(shown, ", ") .. more
end

local function plain(value)
  if rt.is_secret(value) then error(rt.text("secret_seen"), 0) end
  if type(value) == "table" then
    if #value > 0 or next(value) == nil then return list_text(value) end
    return rt.json_encode(value)
  end
  return tostring(value)
end

-- How a value is shown, by the word after the colon.
local shapes = {
  size = function(v) return fmt.size(v) end,
  duration = function(v) return fmt.duration(v) end,
  time = function(v) return fmt.time(v) end,
  list = function(v) return type(v) == "table" and list_text(v) or plain(v) end,
}

local function look_up(path, sources)
  for _, source in ipairs(sources) do
    local value = source
    for part in path:gmatch("[^.]+") do
      if type(value) ~= "table" then value = nil break end
      value = value[part]
    end
    if value ~= nil then return value end
  end
end

local function fill_one(text, sources, shape_of)
  return (text:gsub("{([%w_][%w_.%-]*):?(%l*)}", function(name, shape)
    local value = look_up(name, sources)
    if value == nil then return "{" .. name .. "?}" end
    shape = shape ~= "" and shape or shape_of and shape_of[name]
    local show = not rt.is_secret(value) and shapes[shape] or plain
    local ok, shown = pcall(show, value)
    return ok and shown or plain(value)
  end))
end

--- Fills every language of a text. sources: plain tables, the first that has the name wins.
--- shape_of: {name = "size" | "duration"} for parameters, which print by their type.
function words.fill(text, sources, shape_of)
  if text == nil then return nil end
  if type(text) == "string" then return fill_one(text, sources, shape_of) end
  local filled = {}
  for lang, one in pairs(text) do
    filled[lang] = type(one) == "string" and fill_one(one, sources, shape_of) or one
  end
  return filled
end

--- A template as a value: "{x}" alone passes the value itself, anything else a text.
function words.value(template, sources)
  if type(template) ~= "string" then return template end
  local alone = template:match("^{([%w_][%w_.%-]*)}$")
  if alone then return look_up(alone, sources) end
  return fill_one(template, sources)
end

return words
