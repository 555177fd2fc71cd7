-- A guided run asks a person before each check of its first look: the person has it run, passes it
-- over with a reason, goes back, or has the last one run again. Answers are recorded like any other,
-- so a run whose terminal was lost goes on at the same question.
local block_run = require "block_run"
local rt = require "rt"
local task = require "task"
local words = require "words"

local guide = {}

local function copy(list)
  local copied = {}
  for i, item in ipairs(list) do copied[i] = item end
  return copied
end

-- What the walk knows of each check: what was found before it, and how it failed.
local function start_walk(context, hooks)
  return { context = context, hooks = hooks, checks = context.meta.checks, visited = {}, before = {}, failed = {}, at = 1 }
end

local function skip_unneeded(walk)
  while walk.checks[walk.at] and not walk.hooks.needed(walk.checks[walk.at]) do walk.at = walk.at + 1 end
end

local function ask(walk)
  local context, check = walk.context, walk.checks[walk.at]
  local sources = { context.plain, context.results }
  local question = { block = "end", n = walk.at, of = #walk.checks, earlier = #walk.visited }
  if not check then
    question.standing = walk.hooks.standing()
  else
    question.block, question.id = "check", check.id
    for _, field in ipairs { "title", "why", "source", "quote" } do
      question[field] = words.fill(check[field], sources, context.shapes)
    end
  end
  return task.call("run.pace", question)
end

local function forget(walk, index)
  local id = walk.checks[index].id
  walk.context.found = copy(walk.before[index])
  walk.context.passed_over[id], walk.failed[index] = nil, nil
end

local function look(walk, index, reason)
  local context, check = walk.context, walk.checks[index]
  walk.before[index] = copy(context.found)
  local ended = reason and block_run.pass_over(context, check, reason) or block_run.check(context, check)
  context.passed_over[check.id] = reason
  walk.failed[index] = ended.result == "failed" and ended or nil
end

local actions = {}

function actions.run(walk, answer)
  look(walk, walk.at, answer.reason)
  walk.visited[#walk.visited + 1] = walk.at
  walk.at = walk.at + 1
end

actions.skip = actions.run -- with a reason

function actions.back(walk)
  walk.at = table.remove(walk.visited) or walk.at
  if walk.before[walk.at] then forget(walk, walk.at) end
end

function actions.again(walk)
  local last = walk.visited[#walk.visited]
  if not last then return end
  forget(walk, last)
  look(walk, last)
  walk.at = last + 1
end

--- Goes through the checks as the person says. hooks: needed(check) says whether its `when` holds now, standing()
--- names what stands. Returns the errors of failed checks, like a look that nobody paces.
function guide.walk(context, hooks)
  local walk, failed = start_walk(context, hooks), rt.array {}
  context.passed_over = {}
  if #walk.checks == 0 then return failed end -- nothing to look at, so nothing was seen
  while true do
    skip_unneeded(walk)
    local answer = ask(walk)
    if not walk.checks[walk.at] and (answer.action == "run" or answer.action == "skip") then break end
    actions[answer.action](walk, answer)
  end
  for i = 1, #walk.checks do failed[#failed + 1] = walk.failed[i] end
  return failed
end

return guide
