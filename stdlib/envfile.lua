-- A .env file: what it sets, without its values, and one value changed in place. Secrets stay in the file: a value is told
-- only for names that were asked for, and a new one may be a secret, which Lua never sees.
local task = require "task"

local envfile = {}

--- Every variable that counts, by name: { set, length, placeholder, exported, line, loaded?, value? }; nil when there is no
--- such file. options: show = names whose values are told; pid = a process: loaded says whether it was started with this value.
function envfile.read(path, options)
  options = options or {}
  local answer = task.call("file.env", { path = path, show = options.show, pid = options.pid })
  if not answer then return nil end
  local found = {}
  for _, entry in ipairs(answer.entries) do
    if not entry.overridden then found[entry.name] = entry end
  end
  return found
end

--- The value of one variable that is no secret, or nil.
function envfile.get(path, name)
  local found = envfile.read(path, { show = { name } })
  return found and found[name] and found[name].value
end

--- What is wrong with the names a program needs: a list of { name, problem, line? }, problem one of missing, empty,
--- placeholder, short, duplicate, not_loaded. options: min = shortest length; pid = the process that should have them loaded.
function envfile.check(path, names, options)
  options = options or {}
  local answer = task.call("file.env", { path = path, pid = options.pid })
  local seen, twice, problems = {}, {}, {}
  for _, entry in ipairs(answer and answer.entries or {}) do
    if entry.overridden then twice[entry.name] = true else seen[entry.name] = entry end
  end
  for _, name in ipairs(names) do
    local entry = seen[name]
    local problem = not entry and "missing" or not entry.set and "empty" or entry.placeholder and "placeholder"
      or options.min and entry.length < options.min and "short" or twice[name] and "duplicate"
      or entry.loaded == false and "not_loaded" or nil
    if problem then problems[#problems + 1] = { name = name, problem = problem, line = entry and entry.line } end
  end
  return problems
end

--- Sets one variable: the last line of that name, or a new one; everything else stays as it is. Returns { path, backup?, added }.
function envfile.set(path, name, value) return task.call("file.env_set", { path = path, name = name, value = value }) end

--- Puts back what set replaced: its answer in, for undo. A file that set made new is left alone.
function envfile.restore(answer)
  if answer.backup then task.call("file.copy", { from = answer.backup, to = answer.path, overwrite = true }) end
end

return envfile
