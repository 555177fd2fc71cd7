-- What the modules of database servers share: asking, and running the servers' own tools. Not a module of runbooks.
local rt = require "rt"
local task = require "task"

local server = {}

local function call(verb, connection, query, ...)
  return task.call(verb, { connection = connection, query = query, params = rt.array { ... } })
end

--- All rows, the first, its one value; what a write did.
function server.rows(connection, query, ...) return call("sql.rows", connection, query, ...) end
function server.row(connection, query, ...) return call("sql.row", connection, query, ...) end
function server.value(connection, query, ...) return call("sql.value", connection, query, ...) end
function server.exec(connection, query, ...) return call("sql.exec", connection, query, ...) end

--- true, or false and { code, message, state, cause? }: state is the server's own number, found in the message by pattern,
--- cause what causes says of it; said: the server said it, so it runs and answers (the client's own numbers are 2000 to 2999).
function server.ping(connection, pattern, causes, options)
  local ok, err = task.protect(task.call, "sql.value", { connection = connection, query = "SELECT 1", timeout = options and options.timeout })
  if ok then return true end
  if err.kind ~= "verb" or err.fatal then error(err, 0) end
  local state = err.message:match(pattern)
  local said = state ~= nil and not (#state == 4 and state:sub(1, 1) == "2") and state:sub(1, 2) ~= "08"
  return false, { code = err.code, message = err.message, state = state, cause = causes[state], said = said }
end

--- "name" as the server quotes it; quote is its mark.
function server.quoted(name, quote) return quote .. name:gsub(quote, quote .. quote) .. quote end

--- The differences of two lists of { name, rows, sum }: { name, left, right }, empty when they are alike.
function server.differences(left, right)
  local there, out = {}, {}
  for _, t in ipairs(right) do there[t.name] = t end
  for _, t in ipairs(left) do
    local other = there[t.name]
    if not other or other.rows ~= t.rows or other.sum ~= t.sum then
      out[#out + 1] = { name = t.name, left = t.rows, right = other and other.rows }
    end
    there[t.name] = nil
  end
  for name, t in pairs(there) do out[#out + 1] = { name = name, right = t.rows } end
  return out
end

--- A tool of the server, its password in the environment only. to: a file for its output, 0600 and new.
function server.tool(argv, env, options)
  if options.to then
    if task.call("file.stat", { path = options.to }) then
      error(task.error { code = "exists", message = options.to .. " exists", verb = argv[1] }, 0)
    end
    task.call("file.write", { path = options.to, data = "", mode = "0600", backup = false })
  end
  return task.call("shell.run", { argv = rt.array(argv), env = env, timeout = options.timeout or 1800 })
end

return server
