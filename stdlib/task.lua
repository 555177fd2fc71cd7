-- Tasks: coroutines that wait for the host. A call suspends its task until the reply with its
-- number comes; one queue resumes tasks, in the order in which their replies arrived, and never
-- from inside another task. Nothing else in the runner may yield.
local rt = require "rt"

local task = {}

local TOKEN = {} -- what our own yields carry; any other yield is a mistake and ends the run

--- What a write in a rehearsal is answered with: it was recorded, not done.
local function used() error({ kind = "rehearsed" }, 0) end
task.NOTED = setmetatable({}, {
  __index = used, __tostring = used, __len = used, __concat = used, __call = used, __lt = used, __le = used, __unm = used,
  __add = used, __sub = used, __mul = used, __div = used, __mod = used, __idiv = used, __pairs = used, __metatable = false,
})

-- A result that is not there yet cannot go into another call either.
local function refuse_noted(value, depth)
  if value == task.NOTED then used() end
  if type(value) ~= "table" or depth > 8 then return end
  for _, item in next, rt.target(value) or value do refuse_noted(item, depth + 1) end
end

--- In a rehearsal: { low, noted, stale }. noted: a write was; stale: something was read after it, and may have been answered as
--- if the write had not been agreed to yet. nil when it is not a rehearsal.
task.rehearsal = nil

--- What is looked for is not there: in a rehearsal because what makes it was only noted, and the rest cannot be known.
function task.not_yet()
  if task.rehearsal and task.rehearsal.noted then used() end
end

--- A wait for what a noted write does is passed over once: it answers nothing. A loop of waits wants to know, and ends it.
function task.waits_for_noted()
  local rehearsal = task.rehearsal
  if not (rehearsal and rehearsal.noted and not rehearsal.waited) then return false end
  rehearsal.waited = true
  return true
end

-- Nobody waits for what is not done; and what is not asked (low) need not be known before.
local WAITS = { ["time.wait"] = true, ["file.follow"] = true }
local function refuse_wait(verb)
  local rehearsal = task.rehearsal
  if WAITS[verb] and rehearsal and (rehearsal.noted or rehearsal.low) then used() end
end

local function remember(verb, noted)
  local rehearsal = task.rehearsal
  if not rehearsal then return end
  rehearsal.stale = rehearsal.stale or (rehearsal.noted and not noted and not verb:find "^run%." and not verb:find "^time%.")
  rehearsal.noted = rehearsal.noted or noted
end

task.loading = false -- a file is being executed to read its blocks: nothing may run

local current -- the task that is running; nil in the scheduler
local ready = {} -- tasks to resume, oldest first; the value to resume with is in task.value
local waiting = {} -- seq -> task
local last_seq = 0

-- ---- errors ----

local error_meta = {
  __tostring = function(err) return err.message or err.code or err.kind end,
  __name = "error",
  __metatable = false,
}

--- An error of a verb: what `try` catches, unless it is fatal.
function task.error(fields)
  return setmetatable({
    kind = "verb", code = fields.code or "internal", message = fields.message or fields.code or "?",
    verb = fields.verb, fatal = fields.fatal or false, at = fields.at, data = fields.data,
  }, error_meta)
end

-- The handler made a table of whatever was raised; when Lua could not even call it, a text is left.
local function normal(err)
  if type(err) == "table" and err.kind then return err end
  local message = type(err) == "table" and "error without a kind" or tostring(err)
  return setmetatable({ kind = "lua", message = message }, error_meta)
end

local function finish(outer, ok, ...)
  local fn = current and current.fn
  if current then current.fn = outer end
  if ok then return true, ... end
  local err = normal((...))
  if err.at == nil then err.at = rt.fn_place(fn) end
  if err.kind == "lua" and not rt.metatable(err) then setmetatable(err, error_meta) end
  return false, err
end

--- true and fn's values, or false and an error with a kind: verb, lua, timeout, or that of a helper.
function task.protect(fn, ...)
  local outer = current and current.fn
  if current then current.fn = fn end
  return finish(outer, xpcall(fn, rt.handler, ...))
end

--- fn's values, or nil and the error when a verb raised it and it is not fatal. Anything else goes up.
function task.try(fn, ...)
  local result = table.pack(task.protect(fn, ...))
  if result[1] then return table.unpack(result, 2, result.n) end
  local err = result[2]
  if err.kind == "verb" and not err.fatal then return nil, err end
  error(err, 0)
end

-- ---- calls ----

local function suspend(self)
  local reply = coroutine.yield(TOKEN)
  current = self
  return reply
end

local function answer(reply, verb, at)
  remember(verb, reply.noted or false)
  if reply.error then
    local err = reply.error
    error(task.error { code = err.code, message = err.message, verb = err.verb or verb, fatal = err.fatal, at = at, data = err.data }, 0)
  end
  if reply.noted then return task.NOTED end
  if reply.ok == rt.null then return nil end
  return reply.ok
end

task.given = nil -- in a test: function(verb, args) -> true and the answer in place of the host's, or nothing

--- Asks the host and waits. A null answer is nil. Raises what the host answers as an error.
function task.call(verb, args, at)
  local self = current
  if not self or not coroutine.isyieldable() then error(rt.text("call_in_callback", verb), 2) end
  if task.loading then error(rt.text("verb_outside", verb), 2) end
  refuse_noted(args, 1)
  refuse_wait(verb)
  if task.given then
    local there, value = task.given(verb, args)
    if there then return value end
  end
  at = at or rt.where() or rt.fn_place(self.fn)
  last_seq = last_seq + 1
  local seq = last_seq
  rt.send { seq = seq, task = self.id, verb = verb, args = args, at = at }
  waiting[seq] = self
  return answer(suspend(self), verb, at)
end

--- UTC seconds. In a block it is the block's own clock (block_run.lua), by which names in a rehearsal match those made live.
function task.now() return task.call("time.now", {}) end

-- ---- the scheduler ----

local function wake(one, value)
  one.value = value
  ready[#ready + 1] = one
end

-- Runs fn(…) to its end as a task of its own, then calls done(ok, value | err).
local function spawn(id, done, fn, ...)
  local one, args = { id = id }, table.pack(...)
  one.co = coroutine.create(function()
    current = one
    return TOKEN, done(task.protect(fn, table.unpack(args, 1, args.n)))
  end)
  wake(one)
end

local function step(one)
  local value = one.value
  one.value = nil
  local ok, token = coroutine.resume(one.co, value)
  current = nil
  if not ok then error(token, 0) end
  if token ~= TOKEN then error("stray yield in task " .. one.id, 0) end
end

local function run_ready()
  while #ready > 0 do
    local now = ready
    ready = {}
    for _, one in ipairs(now) do step(one) end
  end
end

local function receive()
  local reply = rt.recv()
  local one = waiting[reply.seq]
  if not one then rt.broken() end
  waiting[reply.seq] = nil
  wake(one, reply)
end

--- Runs fn as the main task until it returns; returns its value or raises its error.
function task.main(fn)
  local ended, ok, value
  spawn("1", function(...)
    ended = true
    ok, value = ...
  end, fn)
  run_ready()
  while not ended do
    receive()
    run_ready()
  end
  if not ok then error(value, 0) end
  return value
end

-- ---- parallel ----

-- After one of these no further item starts; what was started is waited for all the same.
local function is_fatal(err)
  return err.kind == "timeout" or err.fatal or err.kind == "lua"
end

local start_next

local function child_ended(group, i, ok, value)
  group.active = group.active - 1
  if ok then
    group.results[i] = value
  else
    group.errors[i] = value
    group.stopped = group.stopped or is_fatal(value)
  end
  start_next(group)
  if group.active == 0 and group.parked then wake(group.parent) end
end

function start_next(group)
  if group.stopped or group.next > group.count then return end
  local i = group.next
  group.next = i + 1
  group.active = group.active + 1
  local item = group.list[i]
  local function done(ok, value) child_ended(group, i, ok, value) end
  spawn(group.parent.id .. "." .. i, done, group.fn, item, i)
end

local function first_error(group)
  for i = 1, group.count do
    if group.errors[i] then return group.errors[i] end
  end
end

--- fn(item, i) for every item, at most max at a time. Always waits for all that were started, then
--- returns the results in the order of the list, or raises the first error in that order.
function task.parallel(list, fn, max)
  local self = current
  if not self or not coroutine.isyieldable() then error(rt.text("call_in_callback", "parallel"), 2) end
  local group = {
    parent = self, list = list, fn = fn, count = #list, next = 1, active = 0, results = rt.array {}, errors = {},
  }
  for _ = 1, math.min(max or 8, group.count) do start_next(group) end
  if group.active > 0 then
    group.parked = true
    suspend(self)
  end
  local err = first_error(group)
  if err then error(err, 0) end
  return group.results
end

return task
