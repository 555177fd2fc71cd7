-- A fix answers a finding. The host shows what it will write and asks; afterwards it looks again.
--   runbook exec 03-fix dir=/tmp/site
runbook "03-fix" {
  title = { zh = "网站停在维护页", en = "The site is stuck on its maintenance page" },
  severity = "P2",
  target = "{dir}", -- two runs on one folder exclude each other
}

param "dir" { type = "path", title = { zh = "网站目录", en = "the site's folder" } }

finding "maintenance" {
  key = "flag",
  title  = { zh = "维护标记还在：{flag}", en = "the maintenance flag is still there: {flag}" },
  -- When is the problem gone? Asked after every fix, whichever it was.
  verify = function(p) return file.stat(p.dir .. "/index.html") ~= nil, { zh = "没有首页", en = "there is no index.html" } end,
}

check "flag" {
  title = { zh = "维护标记", en = "maintenance flag" },
  run = function(p)
    local flag = p.dir .. "/maintenance.flag"
    if file.stat(flag) then found("maintenance", { flag = flag }) else ok { zh = "没有", en = "none" } end
  end,
}

fix "set-aside" {
  when  = "maintenance",
  risk  = "medium", -- asked in a terminal; --yes in a script
  title = { zh = "把 {flag} 改名放一边", en = "set {flag} aside under another name" },
  run   = function(p, f) file.move(f.flag, f.flag .. ".aside") end,
  undo  = function(p, f) file.move(f.flag .. ".aside", f.flag) end,
}
