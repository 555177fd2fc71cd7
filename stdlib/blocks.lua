-- The block constructors of the runbook language. A file is executed once; each
-- constructor notes a block with its place, nothing else happens. What the fields
-- mean is judged by the host (engine/runner/language.c), with file and line.
local rt = require "rt"

local blocks = {}

local function place()
  local file, line = (rt.where() or "?:0"):match("^(.*):(%d+)$")
  return file, math.tointeger(line) or 0
end

-- A block of the file itself, written after a factory made one of the same kind and name, changes its fields.
local function amended(collected, kind, id)
  for _, block in ipairs(collected.list) do
    if block.block == kind and block.id == id and block.factory and collected.factory == 0 then return block end
  end
end

local function add(collected, kind, id, fields)
  local file, line = place()
  local block = { block = kind, id = id, file = file, line = line, fields = fields or {}, factory = collected.factory > 0 }
  local original = amended(collected, kind, id)
  if not original then
    collected.list[#collected.list + 1] = block
    return block
  end
  for name, value in pairs(block.fields) do original.fields[name] = value end
  original.amended = { file = file, line = line }
  return original
end

local function constructor(collected, kind)
  return function(first, second)
    if type(first) == "table" then
      local fields = {}
      for name, value in pairs(first) do
        if name ~= "id" then fields[name] = value end
      end
      add(collected, kind, first.id, fields)
      return
    end
    local block = add(collected, kind, first, second)
    return function(fields)
      if type(fields) ~= "table" then
        error(rt.text("block_needs_table", kind, tostring(first)), 2)
      end
      for name, value in pairs(fields) do block.fields[name] = value end
    end
  end
end

--- The constructors that write into a fresh collection: names to put in an environment, and the collection.
--- file: "runbook" or "config", what such a file may hold by the host's table.
function blocks.collect(file)
  local collected = { list = {}, factory = 0 }
  local names = {}
  for _, kind in ipairs(rt.block_names(file)) do names[kind] = constructor(collected, kind) end
  return names, collected
end

--- Runs a factory's function so that its blocks count as amendable.
function blocks.expand(collected, factory, options)
  collected.factory = collected.factory + 1
  factory(options)
  collected.factory = collected.factory - 1
end

-- Functions stay here; the host sees where they are.
local function described(value, depth)
  if type(value) == "function" then return { ["$fn"] = rt.fn_line(value) } end
  if type(value) ~= "table" or value == rt.null then return value end
  if depth > 20 then error(rt.text("fields_too_deep")) end
  local copy = {}
  for key, item in pairs(value) do copy[key] = described(item, depth + 1) end
  return copy
end

--- What run.declare sends.
function blocks.declared(collected)
  local list = rt.array {}
  for i, block in ipairs(collected.list) do
    list[i] = {
      block = block.block, id = block.id or rt.null, file = block.file, line = block.line,
      amends = block.amended ~= nil, fields = described(block.fields, 1),
    }
  end
  return list
end

return blocks
