-- A drill breaks it on purpose, in a folder of its own with processes of its own, and everything must come out
-- as said: exactly these findings, this repair, this proof.
local function queue(d) d:set { queue = d.dir, stuck = "0s" } end
local function claim(d, job, worker) file.write(d.dir .. "/" .. job .. ".claim", tostring(worker.pid)) end
local function worker(d) return d:spawn { ready = "working", "sh", "-c", "echo working; sleep 600" } end

drill "empty" { inject = queue, expect = {} }
drill "dead-worker" {
  inject = function(d)
    queue(d)
    local dead = worker(d)
    claim(d, "invoice-1", dead)
    claim(d, "invoice-2", dead)
    d:signal(dead, "KILL")
    wait_until(function() return not d:alive(dead) end, { within = "5s", every = "50ms" })
    wait "1s" -- so that the claims are older than "0s"
  end,
  expect = { "stuck", "dead-claim" }, repair = "release",
  prove  = function(d) assert(not file.stat(d.dir .. "/invoice-1.claim"), "the claim still stands") end,
}
drill "slow-worker" {
  inject = function(d)
    queue(d)
    claim(d, "invoice-1", worker(d))
    wait "1s"
  end,
  expect = { "stuck" }, result = "found", -- its owner is alive: nothing is released
}
