runbook "liqpass/db-recovery" {
  title    = { zh = "数据库故障恢复", en = "Database recovery from a backup" },
  alias    = "db-recovery",
  severity = "P0", kind = "recovery",
  target   = "{db}",
  when     = { "corrupt", "missing" },
  codes    = { "SQLITE_CORRUPT", "SQLITE_NOTADB" },
  symptoms = { "database disk image is malformed", "file is not a database" },
  impact   = { zh = "备份之后的数据要从链上补", en = "what came after the backup must be taken from the chain again" },
  source   = "LiqPass 错误处理与故障排查手册 4.1.2",
}

-- The newest backup that is whole and not empty takes the place of the file; the bad files are kept aside with their journals.
param "db"
param "backup_dir"
param "us_health_url"
param "keeper" {
  type = "string", pattern = "(systemd|pm2|compose|docker|init):.+", default = "pm2:liqpass-backend",
  title = { zh = "后端由谁守护", en = "who keeps the backend running" },
}
param "old_names" {
  type = "list(string)", default = { "us.sqlite.backup", "us.sqlite.backup.*", "us.sqlite.emergency.backup.*" },
  title = { zh = "手册各处写过的旧备份名，在数据库目录里找", en = "names of backups from other procedures, beside the database" },
}
param "allow_init" { type = "bool", default = false, title = { zh = "没有可用备份时，允许重新建一个空库", en = "without a usable backup, allow an empty database" } }
param "init" { type = "list(string)", default = { "node", "src/scripts/init-db.js" }, title = { zh = "建空库的命令", en = "command that makes an empty database" } }
param "init_dir" { type = "path", default = "{backend_dir}", title = { zh = "它在哪里运行", en = "where it runs" } }

finding "missing" { title = { zh = "没有数据库文件 {db}", en = "there is no database file {db}" } }
finding "corrupt" { title = { zh = "数据库文件损坏：{message}", en = "the database file is corrupt: {message}" } }
finding "index-only" {
  severity = "P1", blocks = true,
  title  = { zh = "只是索引和表对不上，数据都在：{message}", en = "only an index does not match, every row is there: {message}" },
  advice = { zh = "不要恢复备份，那会丢数据：runbook exec liqpass/db-slow（重建索引）",
             en = "restore no backup, which loses data: runbook exec liqpass/db-slow makes the index anew" },
}
finding "data-loss" {
  title  = { zh = "最新可用的备份 {path} 是 {age:duration} 之前的，之后写入的数据不在里面",
             en = "the newest usable backup, {path}, is {age:duration} old; what was written since is not in it" },
  advice = { zh = "恢复之后按最后一步补上", en = "made up for after the restore, by the last step" },
}
finding "no-backup" {
  blocks = true,
  title  = { zh = "没有一份可用的备份（看过 {n} 份）", en = "not one backup is usable ({n} were looked at)" },
  advice = { zh = "不要动原文件，先复制走再用 sqlite3 .recover 或 .dump 抢救；确定要空库时加 allow_init=true",
             en = "leave the file alone, copy it away, and try sqlite3 .recover or .dump; for an empty database add allow_init=true" },
}

local function folder(path) return path:match("^(.*)/") end
local function parts(p) return { p.db, p.db .. "-wal", p.db .. "-shm", p.db .. "-journal" } end
local function is_bad() return #findings "corrupt" + #findings "missing" > 0 end
local function name_of(path) return path:match("[^/]+$") end
-- A folder may hold the backups of other databases, too: ours say so in their manifest, or are called as the database is.
local function is_ours(p, one)
  if one.manifest and one.manifest.source then return name_of(tostring(one.manifest.source)) == name_of(p.db) end
  local stem, name = name_of(p.db):gsub("%.[^.]*$", ""), name_of(one.path)
  return name:sub(1, #stem) == stem and name:find("^[._-]", #stem + 1) ~= nil
end
-- All that may be a backup, the newest first.
local function candidates(p)
  local all = {}
  local function add(dir, name)
    for _, one in ipairs(try(backup.list, dir, { name = name }) or {}) do
      if is_ours(p, one) then all[#all + 1] = one else
        note({ zh = "跳过 {path}：看来是别的库的备份", en = "passed over {path}: of another database, it seems" }, { path = one.path })
      end
    end
  end
  add(p.backup_dir, "*.sqlite")
  for _, name in ipairs(p.old_names) do add(folder(p.db), name) end
  table.sort(all, function(a, b) return a.mtime > b.mtime end)
  return all
end
-- Rows of each table, in one row a table.
local function counts(path)
  local all = {}
  for _, t in ipairs(sql(path):rows "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name") do
    all[t.name] = sql(path):value('SELECT count(*) FROM "' .. t.name:gsub('"', '""') .. '"')
  end
  return all
end

-- Why this file is nothing to go back to, or nil and the rows of its tables. An empty database is whole, too: init-db.js makes one.
local function unusable(path)
  local kept = backup.verify(path)
  if kept.state == "damaged" or kept.state == "missing" then return kept.why or kept.state end
  local whole = sqlite.integrity(path, { quick = false, timeout = "2m" })
  if whole.state ~= "ok" then return whole.message or whole.state end
  local rows, sum = counts(path), 0
  for _, n in pairs(rows) do sum = sum + n end
  return sum == 0 and "no rows" or nil, rows
end

check "database" {
  title = { zh = "数据库文件", en = "the database file" }, timeout = "5m",
  run   = function(p)
    local stat = file.stat(p.db)
    if not stat then found "missing" return {} end
    local was = { owner = stat.uid, group = stat.gid, mode = ("%o"):format(stat.mode & 511) }
    if stat.size == 0 then found("corrupt", { message = "0 bytes" }) return was end
    local whole = sqlite.integrity(p.db, { quick = false })
    if whole.state == "corrupt" and sqlite.only_indexes(whole.message) then found("index-only", { message = text.cut(whole.message, 120) })
    elseif whole.state == "corrupt" or whole.state == "not_a_database" then found("corrupt", { message = whole.message or whole.state })
    elseif whole.state ~= "ok" then fail({ zh = "查不了：{message}（先运行 db-locked）",
                                           en = "cannot be judged: {message} (see db-locked first)" }, { message = whole.message or whole.state }) end
    return was
  end,
}
check "backups" {
  title = { zh = "有哪些备份", en = "the backups" }, timeout = "5m",
  why = { zh = "手册只找 us.sqlite.backup，而没有一个步骤写过这个名字，结果总是建空库；这里看所有名字，从新到旧，逐份做完整性检查",
          en = "the manual looks for us.sqlite.backup alone, which none of its procedures writes, and so always makes an empty database; this looks "
            .. "at all names, the newest first, each with an integrity check" },
  run   = function(p)
    if not is_bad() then return end
    local list = candidates(p)
    for i, one in ipairs(list) do
      local why, rows = unusable(one.path)
      if why then
        note({ zh = "跳过 {path}：{why}", en = "passed over {path}: {why}" }, { path = one.path, why = text.cut(why, 120) })
      else
        local age = math.floor(now() - one.mtime)
        found("data-loss", { path = one.path, age = age })
        ok({ zh = "{path}，{age:duration}之前，跳过 {n} 份坏的",
             en = "{path}, {age:duration} old, {n} bad ones passed over" }, { path = one.path, age = age, n = i - 1 })
        return { path = one.path, age = age, rows = rows }
      end
    end
    if not p.allow_init then found("no-backup", { n = #list }) end
    return {}
  end,
}

step "stop" {
  risk   = "high", key = "keeper", within = "20s",
  title  = { zh = "停掉后端 {keeper}", en = "stop the backend, {keeper}" },
  why = { zh = "手册的 pkill -f 会杀掉所有 node 服务，守护程序又马上拉起来；要让守护程序停，并确认没有人再打开数据库",
          en = "the manual's pkill -f kills every node service, and the supervisor starts them again; the supervisor must stop it, and nobody may "
            .. "have the file open" },
  run    = function(p) keeper.stop(p.keeper) end,
  verify = function(p)
    local open = 0
    for _, path in ipairs(parts(p)) do open = open + (file.stat(path) and #system.openers(path).openers or 0) end
    return open == 0, { zh = "还有进程打开着数据库", en = "a process still has it open" }
  end,
  undo   = function(p) keeper.start(p.keeper) end,
}
step "set-aside" {
  when  = function(p)
    for _, path in ipairs(parts(p)) do
      if file.stat(path) then return true end
    end
    return false
  end,
  risk  = "medium", title = { zh = "把坏掉的 {db} 连同 -wal、-shm、-journal 移到 {backup_dir}",
                              en = "move the bad {db} with its -wal, -shm and -journal to {backup_dir}" },
  why = { zh = "手册只复制主文件，旧的 -wal 留在原地，会重放进恢复的库，等于没恢复",
          en = "the manual copies the main file alone; the old -wal stays, is replayed into what was restored, and undoes it" },
  run   = function(p)
    file.mkdir(p.backup_dir, { mode = "0700" })
    local moved = backup.quarantine(parts(p), p.backup_dir)
    local aside = { dir = moved.dir }
    for _, one in ipairs(moved.files) do
      if one.from == p.db then aside.bad = moved.dir .. "/" .. one.to end
    end
    return aside
  end,
  undo  = function(_, r) backup.bring_back(r.set_aside.dir) end,
}
step "restore" {
  when  = function(_, r) return r.backups.path ~= nil end,
  risk  = "critical", key = "db", timeout = "30m",
  title = { zh = "从 {backups.path} 恢复", en = "restore {backups.path}" },
  confirm = { zh = "备份之后 {backups.age:duration} 的数据不在里面", en = "what came in the {backups.age:duration} since is not in it" },
  run   = function(p, r)
    local dir, was = file.stat(folder(p.db)), r.database
    file.copy(r.backups.path, p.db .. ".restoring", { overwrite = true })
    file.chown(p.db .. ".restoring", { owner = was.owner or dir.uid, group = was.group or dir.gid }) -- a backup is root's, the service is not
    file.chmod(p.db .. ".restoring", was.mode or "640")
    file.move(p.db .. ".restoring", p.db) -- in one step: nobody opens half a copy
    return { from = r.backups.path }
  end,
  verify = function(p, r)
    local there = counts(p.db)
    for name, n in pairs(r.backups.rows) do
      if there[name] ~= n then return false, { zh = "表 " .. name .. " 的行数不对", en = "table " .. name .. " has another number of rows" } end
    end
    return sqlite.integrity(p.db).state == "ok" and sqlite.probe(p.db)
  end,
  undo  = function(p) backup.quarantine({ p.db, p.db .. "-wal", p.db .. "-shm" }, p.backup_dir) end,
}
step "salvage" {
  when  = function(_, r) return r.backups.path == nil and #findings "corrupt" > 0 and r.set_aside.bad ~= nil end,
  risk  = "low", optional = true, timeout = "30m",
  title = { zh = "抢救还能读出来的数据（{set_aside.bad}.recovered）", en = "save what can still be read, into {set_aside.bad}.recovered" },
  run   = function(_, r)
    sqlite.salvage(r.set_aside.bad, r.set_aside.bad .. ".recovered")
    return { path = r.set_aside.bad .. ".recovered" }
  end,
  verify = function(_, r) return next(counts(r.salvage.path)) ~= nil, { zh = "一张表也没有读出来", en = "not one table could be read" } end,
}
step "init" {
  when  = function(_, r) return r.backups.path == nil end,
  risk  = "critical", key = "db",
  title = { zh = "重新建一个空库：{init:list}", en = "make an EMPTY database: {init:list}" },
  run   = function(p)
    local argv = { cwd = p.init_dir, table.unpack(p.init) }
    shell.run(argv)
  end,
  verify = function(p) return sqlite.integrity(p.db).state == "ok" end,
  undo  = function(p) backup.quarantine({ p.db }, p.backup_dir) end,
}
step "start" {
  risk   = "medium", within = "60s", title = { zh = "启动后端 {keeper}", en = "start the backend, {keeper}" },
  run    = function(p) keeper.start(p.keeper) end,
  verify = function(p) return http.get(p.us_health_url, { timeout = "3s" }).ok end,
  undo   = function(p) keeper.stop(p.keeper) end,
}

step "catch-up" {
  title   = { zh = "补上备份之后的数据", en = "what came after the backup" },
  by_hand = { zh = "依次运行 liqpass/order-consistency（订单核对）和 liqpass/chain-state-sync（从链上补）",
              en = "run liqpass/order-consistency, then liqpass/chain-state-sync, which takes it from the chain" },
}

prevent "backups" {
  title = { zh = "备份", en = "backups" },
  by_hand = { zh = "每天在线备份并试恢复；备份不要叫 us.sqlite*，否则会被 rm us.sqlite* 一起删掉",
              en = "back up online every day and try to restore; never name one us.sqlite*, which rm us.sqlite* takes along" },
}
