-- Causes under a symptom, several looks at once, and a drill (05-causes.drills.lua) that proves it all.
-- A worker claims a job by a file JOB.claim with its process id, and removes it when the job is done.
--   runbook exec 05-causes queue=/tmp/queue
runbook "05-causes" {
  title = { zh = "任务队列不动了", en = "The job queue does not move" },
  severity = "P1",
  target = "{queue}",
}

param "queue" { type = "path", title = { zh = "队列目录", en = "the queue's folder" } }
param "stuck" { type = "duration", default = "10m", title = { zh = "占多久算卡住", en = "how long a claim may last" } }

finding "stuck" {
  title  = { zh = "{n} 个任务被占了超过 {stuck}", en = "{n} jobs have been claimed for longer than {stuck}" },
  advice = { zh = "占着任务的进程都还在：看它们在等什么", en = "those who claimed them are alive: see what they wait for" },
}
-- A cause counts only while what it explains stands, and its fixes stop when that is gone.
finding "dead-claim" {
  explains = "stuck", key = "path",
  title = { zh = "{path} 属于已经不在的进程 {pid}", en = "{path} belongs to process {pid}, which is gone" },
}

check "claims" {
  title = { zh = "被占的任务", en = "claimed jobs" },
  run = function(p)
    local time, old = now(), {}
    for _, entry in ipairs(file.list(p.queue, { pattern = "*.claim" })) do
      if time - entry.mtime > p.stuck then old[#old + 1] = entry.path end
    end
    if #old > 0 then found("stuck", { n = #old }) else ok { zh = "没有卡住的", en = "none is stuck" } end
    return old -- r.claims for the blocks below
  end,
}
check "owners" {
  when  = "stuck",
  title = { zh = "谁占着任务", en = "who claimed them" },
  run = function(p, r)
    local owners = parallel(r.claims, function(path) return tonumber(file.read(path)) end, { max = 4 })
    for i, path in ipairs(r.claims) do
      if #system.processes { pid = owners[i] } == 0 then found("dead-claim", { path = path, pid = owners[i] }) end
    end
  end,
}

fix "release" {
  when  = "dead-claim", batch = true, risk = "medium", -- one question for all of them
  title = { zh = "放开 {n} 个任务：{path:list}", en = "release {n} jobs: {path:list}" },
  run   = function(p, fs)
    for f in progress(fs, { zh = "放开", en = "releasing" }) do file.move(f.path, f.path .. "-released") end
  end,
  undo  = function(p, fs)
    for _, f in ipairs(fs) do file.move(f.path .. "-released", f.path) end
  end,
}
