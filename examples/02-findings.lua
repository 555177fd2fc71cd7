-- A parameter, and a finding: something that is wrong, with the evidence for it.
--   runbook exec 02-findings path=/var/log limit=80
runbook "02-findings" {
  title = { zh = "磁盘快满了吗", en = "Is the disk nearly full?" },
  severity = "P2",
}

param "path"  { type = "path", default = "/", title = { zh = "看哪里", en = "where to look" } }
param "limit" { type = "int", default = 101, min = 1, max = 101, title = { zh = "用到百分之几算满", en = "percentage used that counts as full" } }

finding "full" {
  key = "mount", -- the same mount found again is the same problem
  title = { zh = "{mount} 已用 {used_pct}%，还剩 {free:size}", en = "{mount} is {used_pct}% full, {free:size} left" },
  advice = { zh = "找最大的目录：du -x {mount} | sort -n | tail", en = "find the largest folders: du -x {mount} | sort -n | tail" },
}

check "space" {
  title = { zh = "磁盘空间", en = "disk space" },
  run = function(p)
    local disk = system.disk(p.path)
    if disk.used_pct >= p.limit then
      found("full", { mount = disk.mount, used_pct = disk.used_pct, free = disk.free })
    else
      ok({ zh = "已用 {used_pct}%", en = "{used_pct}% used" }, disk)
    end
  end,
}
