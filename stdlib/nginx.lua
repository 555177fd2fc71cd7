-- nginx: is its configuration good, where does it listen, whom does it ask, where does it log. Reading never runs more than
-- `nginx -t` in a child that cannot write, and reads files. options everywhere: conf (default /etc/nginx/nginx.conf).
-- Errors: those of file.read and shell.run; status for a configuration that cannot be read.
local rt = require "rt"
local task = require "task"
local text = require "text"

local nginx = {}

local CONF = "/etc/nginx/nginx.conf"
local FILES_MAX, DEPTH_MAX, TOKENS_MAX = 500, 32, 200000

local function conf_of(options) return options and options.conf or CONF end

local function folder_of(path) return path:match("^(.*)/[^/]*$") end

local function fail(message) error(task.error { code = "status", message = message, verb = "file.read" }, 0) end

-- ---- is it good ----

-- "nginx: [emerg] unknown directive "x" in /etc/nginx/nginx.conf:12" -> problem
local function problem_of(line)
  local words = line:match("%[emerg%][^%a]*(.*)$") or line:match("^nginx: (.*)$") or line
  local message, file, number = words:match("^(.-) in (/%S+):(%d+)$")
  return { message = message or words, file = file, line = math.tointeger(tonumber(number)) }
end

local function first_problem(err)
  for _, line in ipairs(text.lines(err)) do
    if line:find("[emerg]", 1, true) then return problem_of(line), line end
  end
  return { message = text.trim(err) }, err
end

local function test_words(options)
  local words = rt.array { "nginx", "-t" }
  if options and options.conf then words[3], words[4] = "-c", options.conf end
  return words
end

local function check(options, net)
  return task.call("shell.read", { argv = test_words(options), net = net or nil, timeout = options and options.timeout }, rt.where())
end

--- true, or false and { message, file?, line? }. It is nginx's own check, in a child that cannot write: that it may not
--- open its logs there is no fault. A name in the configuration is looked up, by the network.
function nginx.test(options)
  local answer = check(options)
  if answer.err:find("host not found", 1, true) or answer.err:find("could not be resolved", 1, true) then
    answer = check(options, true)
  end
  if answer.ok or answer.err:find("syntax is ok", 1, true) then return true end
  return false, (first_problem(answer.err))
end

-- ---- its configuration ----

-- Words, with the quotes taken off; "{", "}" and ";" are tokens of their own.
local function tokens_of(source, path)
  local tokens, at, line = {}, 1, 1
  local function add(kind, value) tokens[#tokens + 1] = { kind = kind, value = value, line = line } end
  while at <= #source do
    if #tokens > TOKENS_MAX then fail(rt.text("nginx_large", path)) end
    local c = source:sub(at, at)
    if c == "\n" then
      line, at = line + 1, at + 1
    elseif c:find("%s") then
      at = at + 1
    elseif c == "#" then
      at = source:find("\n", at, true) or #source + 1
    elseif c == "{" or c == "}" or c == ";" then
      add(c)
      at = at + 1
    elseif c == "'" or c == '"' then
      local to = at + 1
      while to <= #source and source:sub(to, to) ~= c do to = to + (source:sub(to, to) == "\\" and 2 or 1) end
      if to > #source then fail(rt.text("nginx_quote", path, line)) end
      local word = source:sub(at + 1, to - 1)
      add("word", (word:gsub("\\([\\'\"])", "%1")))
      line, at = line + text.count(word, "\n"), to + 1
    else
      local to = source:find("[%s;{}]", at) or #source + 1
      -- ${name} is part of a word
      while source:sub(to - 1, to) == "${" do to = source:find("[%s;{]", (source:find("}", to, true) or #source) + 1) or #source + 1 end
      add("word", source:sub(at, to - 1))
      at = to
    end
  end
  return tokens
end

local parse_file

local function included(state, pattern, from, depth)
  local path = pattern:sub(1, 1) == "/" and pattern or state.folder .. "/" .. pattern
  local dir, name = path:match("^(.*)/([^/]*)$")
  if not name:find("[*?%[]") then return parse_file(state, path, depth) end
  local ok, entries = task.protect(task.call, "file.list", { dir = dir })
  if not ok and entries.code ~= "not_found" then error(entries, 0) end
  local glob = "^" .. name:gsub("[%-%.%+%^%$%(%)%%]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
  local all = {}
  for _, entry in ipairs(ok and entries or {}) do
    if entry.name:find(glob) and (entry.name:sub(1, 1) ~= "." or name:sub(1, 1) == ".") then
      for _, directive in ipairs(parse_file(state, entry.path, depth)) do all[#all + 1] = directive end
    end
  end
  return all
end

-- Directives up to "}" or the end: { name, args, line, file, block? }.
local function parse_block(state, tokens, at, path, depth)
  local list, words, first = {}, {}, nil
  if depth > DEPTH_MAX then fail(rt.text("nginx_deep", path)) end
  while at <= #tokens and tokens[at].kind ~= "}" do
    local token = tokens[at]
    if token.kind == "word" then
      first = first or token
      words[#words + 1] = token.value
      at = at + 1
    else
      if not first then fail(rt.text("nginx_strange", path, token.line, token.kind)) end
      local directive = { name = table.remove(words, 1), args = words, line = first.line, file = path }
      at = at + 1
      if token.kind == "{" then
        if directive.name:find("_by_lua_block", 1, true) then fail(rt.text("nginx_lua", path, token.line)) end
        directive.block, at = parse_block(state, tokens, at, path, depth + 1)
        if not tokens[at] then fail(rt.text("nginx_end", path)) end
        at = at + 1
      end
      if directive.name == "include" and not directive.block then
        for _, one in ipairs(included(state, directive.args[1] or "", path, depth + 1)) do list[#list + 1] = one end
      else
        list[#list + 1] = directive
      end
      words, first = {}, nil
    end
  end
  if first then fail(rt.text("nginx_strange", path, first.line, first.value)) end
  return list, at
end

function parse_file(state, path, depth)
  state.files = state.files + 1
  if state.files > FILES_MAX then fail(rt.text("nginx_large", path)) end
  local source = task.call("file.read", { path = path }, rt.where())
  if not source then fail(rt.text("nginx_no_file", path)) end
  local tokens = tokens_of(source, path)
  local list, at = parse_block(state, tokens, 1, path, depth)
  if tokens[at] then fail(rt.text("nginx_strange", path, tokens[at].line, "}")) end
  return list
end

--- The whole configuration, includes in their place: list of { name, args, line, file, block? = such a list }.
function nginx.config(options)
  local conf = conf_of(options)
  return parse_file({ folder = folder_of(conf), files = 0 }, conf, 1)
end

-- visit(directive, parents) for every directive.
local function walk(list, visit, parents)
  for _, one in ipairs(list) do
    visit(one, parents)
    if one.block then
      parents[#parents + 1] = one
      walk(one.block, visit, parents)
      parents[#parents] = nil
    end
  end
end

local function inner(parents, name)
  for i = #parents, 1, -1 do
    if parents[i].name == name then return parents[i] end
  end
end

local function value_in(block, name)
  for _, one in ipairs(block or {}) do
    if one.name == name then return one.args[1] end
  end
end

-- "127.0.0.1:8000", "[::1]:80", "unix:/run/x.sock", "8080" -> host, port, socket
local function address_of(word, default_port)
  if word:sub(1, 5) == "unix:" then return nil, nil, word:match("^unix:([^:]+)") end
  local host, port = word:match("^(%[[%x:]+%]):?(%d*)$")
  if not host then host, port = word:match("^([^:]*):?(%d*)$") end
  if host and host:find("^%d+$") and port == "" then host, port = nil, host end
  if host == "" or host == "*" then host = nil end
  return host, math.tointeger(tonumber(port)) or default_port
end

--- Where it listens: list of { host?, port?, socket?, tls, server_name, file, line }.
function nginx.listens(options)
  local list = rt.array {}
  walk(nginx.config(options), function(one, parents)
    local server = one.name == "listen" and inner(parents, "server")
    if server and one.args[1] then
      local host, port, socket = address_of(one.args[1], 80)
      local tls = false
      for _, word in ipairs(one.args) do tls = tls or word == "ssl" end
      list[#list + 1] = {
        host = host, port = port, socket = socket, tls = tls, server_name = value_in(server.block, "server_name"), file = one.file, line = one.line,
      }
    end
  end, {})
  return list
end

local function upstream_of(word, name, one)
  local host, port, socket = address_of(word, 80)
  return { name = name, host = host, port = port, socket = socket, address = word, file = one.file, line = one.line }
end

local PASSES = { proxy_pass = true, fastcgi_pass = true, uwsgi_pass = true, grpc_pass = true, scgi_pass = true }

--- Whom it asks: the servers of upstream blocks, and those a proxy_pass (fastcgi_pass, …) names itself; an address with a
--- variable in it is left out. List of { name, host?, port?, socket?, address, down?, backup?, file, line }, each once.
function nginx.upstreams(options)
  local config, list, blocks, seen = nginx.config(options), rt.array {}, {}, {}
  local function add(one)
    local key = one.name .. " " .. one.address
    if not seen[key] and not one.address:find("$", 1, true) then list[#list + 1] = one end
    seen[key] = true
  end
  walk(config, function(one, parents)
    local upstream = one.name == "server" and not one.block and inner(parents, "upstream")
    if one.name == "upstream" then blocks[one.args[1] or ""] = true end
    if upstream and one.args[1] then
      local found = upstream_of(one.args[1], upstream.args[1] or "", one)
      for i = 2, #one.args do
        if one.args[i] == "down" or one.args[i] == "backup" then found[one.args[i]] = true end
      end
      add(found)
    end
  end, {})
  walk(config, function(one)
    if not PASSES[one.name] or not one.args[1] then return end
    local scheme, rest = one.args[1]:match("^(%a+)://(.*)$")
    local target = rest or one.args[1]
    local address = target:match("^unix:[^:]+") or target:match("^[^/]+") or target
    if blocks[address] then return end
    local found = upstream_of(address, address, one)
    if scheme == "https" and found.port == 80 and not address:find(":80$") then found.port = 443 end
    add(found)
  end, {})
  return list
end

local function headers_at(directive)
  local headers, any = {}, false
  for _, one in ipairs(directive.block) do
    if one.name == "proxy_set_header" and one.args[2] then headers[one.args[1]:lower()], any = one.args[2], true end
  end
  return any and headers
end

local TIMES = { ms = 0.001, s = 1, m = 60, h = 3600, d = 86400 }
local function seconds_of(word)
  local number, unit = (word or ""):match("^(%d+)(%a*)$")
  return number and tonumber(number) * (TIMES[unit == "" and "s" or unit] or 1)
end

--- Where it passes requests on by HTTP: list of { path, to, http_version, headers = { ["upgrade"] = value }, read_timeout
--- (seconds), own = its directives, file, line }. What a level does not say it has from those above, as nginx does it.
function nginx.proxies(options)
  local list = rt.array {}
  walk(nginx.config(options), function(one, parents)
    local location = one.name == "proxy_pass" and parents[#parents]
    if not location or location.name ~= "location" then return end
    local found = { path = location.args[#location.args], to = one.args[1], own = location.block, file = one.file, line = one.line, headers = {} }
    for _, parent in ipairs(parents) do
      found.http_version = value_in(parent.block, "proxy_http_version") or found.http_version
      found.read_timeout = seconds_of(value_in(parent.block, "proxy_read_timeout")) or found.read_timeout
      found.headers = headers_at(parent) or found.headers
    end
    found.http_version, found.read_timeout = found.http_version or "1.0", found.read_timeout or 60
    list[#list + 1] = found
  end, {})
  return list
end

--- Its log files: { error = list of paths, access = list of paths }. What it logs when nothing is said is not among them.
function nginx.log_files(options)
  local files, seen = { error = rt.array {}, access = rt.array {} }, {}
  walk(nginx.config(options), function(one)
    local kind, path = one.name:match("^(%a+)_log$"), one.args[1]
    if files[kind or ""] and path and path:sub(1, 1) == "/" and not path:find("$", 1, true) and not seen[kind .. path] then
      seen[kind .. path] = true
      files[kind][#files[kind] + 1] = path
    end
  end, {})
  return files
end

-- What the error log says of an upstream, by kind.
local KINDS = {
  { "refused", "connect() failed (111" }, { "unreachable", "connect() failed (113" }, { "timeout", "upstream timed out" },
  { "closed", "prematurely closed" }, { "header_too_big", "too big header" }, { "none_left", "no live upstreams" },
  { "denied", "(13: Permission denied)" }, { "missing", "(2: No such file or directory)" },
}

--- Lines of an error log by kind of trouble with an upstream: { refused, unreachable, timeout, closed, header_too_big,
--- none_left, denied, missing = counts, last = { kind = line } }. lines: list of strings.
function nginx.classify(lines)
  local counts = { last = {} }
  for _, kind in ipairs(KINDS) do counts[kind[1]] = 0 end
  for _, line in ipairs(lines) do
    for _, kind in ipairs(KINDS) do
      if line:find(kind[2], 1, true) then
        counts[kind[1]] = counts[kind[1]] + 1
        counts.last[kind[1]] = line
        break
      end
    end
  end
  return counts
end

-- ---- writing ----

local function run(words) return task.call("shell.run", { argv = rt.array(words) }, rt.where()) end

--- Loads the configuration anew, and only when nginx's own full test of it passes.
function nginx.reload(options)
  local words = test_words(options)
  run(words)
  words[2] = "-s"
  table.insert(words, 3, "reload")
  return run(words)
end

return nginx
