-- Shell patterns for names: * ? [abc] [!abc]; * does not go over a slash.
local glob = {}

local function class(pattern, at)
  local from, to, negated, set = pattern:find("^%[([!^]?)(%]?[^%]]*)%]", at)
  if not from then return "%[", at + 1 end
  return "[" .. (negated ~= "" and "^" or "") .. set:gsub("[%%%^%]]", "%%%0") .. "]", to + 1
end

local function to_lua(pattern)
  local parts, at = { "^" }, 1
  while at <= #pattern do
    local c = pattern:sub(at, at)
    local part
    if c == "[" then
      part, at = class(pattern, at)
    else
      part = c == "*" and "[^/]*" or c == "?" and "[^/]" or c:gsub("%W", "%%%0")
      at = at + 1
    end
    parts[#parts + 1] = part
  end
  return table.concat(parts) .. "$"
end

--- Does the whole name match?
function glob.match(pattern, name) return name:find(to_lua(pattern)) ~= nil end

--- A pattern that matches only this name (for file.list, file.find).
function glob.escape(name) return (name:gsub("[%[%]*?\\]", "\\%0")) end

return glob
