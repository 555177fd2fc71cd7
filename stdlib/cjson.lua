-- lua-cjson under its own name, for authors who know it. It differs from `json` (docs/language.md): numbers are floats with 14
-- digits, so 1 comes back as 1.0 and large ids lose digits; null is cjson.null, which verbs do not take; an empty table is {}
-- whatever it was; keys have no order; bytes that are not UTF-8 pass through. Where any of that matters, use json.
local rt = require "rt"
local core = require "cjson.core"
local safe_core = require "cjson.safe.core"

local DEPTH = 60 -- as json has it

-- What a run holds may be frozen (p, results): cjson would see an empty table.
local function thaw(value, depth)
  if value == rt.null then return core.null end
  if type(value) ~= "table" then return value end
  if depth > DEPTH then error(rt.text("data_deep"), 3) end
  local copy = {}
  for key, item in next, rt.target(value) or value do copy[key] = thaw(item, depth + 1) end
  return copy
end

local cjson = { null = core.null, _NAME = core._NAME, _VERSION = core._VERSION, safe = {} }

--- Value to text. Raises on what has none (functions, sparse arrays, NaN).
function cjson.encode(value) return core.encode(thaw(value, 1)) end

--- Text to value. Raises on a mistake in the text; foreign text belongs to cjson.safe.decode.
function cjson.decode(text) return core.decode(text) end

--- Text to value, or nil and what is wrong.
function cjson.safe.decode(text) return safe_core.decode(text) end

--- Value to text, or nil and what is wrong.
function cjson.safe.encode(value) return safe_core.encode(thaw(value, 1)) end

-- Settings of the module, for both forms; what lua-cjson's manual says of them.
for _, name in ipairs { "encode_sparse_array", "encode_number_precision", "encode_invalid_numbers", "decode_invalid_numbers" } do
  cjson[name] = function(...)
    safe_core[name](...)
    return core[name](...)
  end
end
for _, one in ipairs { core, safe_core } do
  one.encode_max_depth(DEPTH)
  one.decode_max_depth(DEPTH)
end

return cjson
