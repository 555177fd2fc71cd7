runbook "liqpass/db-maintenance" {
  title    = { zh = "SQLite 数据库每日维护", en = "Daily maintenance of the SQLite database" },
  alias    = "db-maintenance",
  severity = "P3",
  kind     = "maintenance",
  target   = "{db}",
  symptoms = { "备份过期", "数据库文件越来越大", "no recent backup", "database file keeps growing" },
  tags     = { "backup", "sqlite", "daily" },
  source   = "LiqPass 错误处理与故障排查手册 5.1.1",
}

-- Nothing is compacted or set aside before today's backup is proven.
param "db"
-- Beside the database, wherever it is.
param "backup_dir" { default = "{db}-backups" }
param "backup_age" {
  type = "duration", default = "20h", min = "0s",
  title = { zh = "最近的备份超过多久就要再做", en = "age of the newest backup after which another is due" },
}
param "keep" {
  type = "duration", default = "7d", min = "0s",
  title = { zh = "备份至少保留多久", en = "how long backups are kept at least" },
}
param "keep_min" {
  type = "int", default = 3, min = 1,
  title = { zh = "最少保留几份验证过的备份", en = "how many verified backups always stay" },
}
param "frag_percent" {
  type = "number", default = 20, min = 0, max = 100,
  title = { zh = "空闲页超过百分之几就整理", en = "percent of free pages above which it is compacted" },
}
param "room_factor" {
  type = "number", default = 2.2, min = 1,
  title = { zh = "备份和整理需要的空间，按数据库大小的倍数", en = "room that backup and compacting need, in times the size of the database" },
}

local MADE_BY_CP = ".backup.*" -- beside the database, as the manual's cp names them
local function trash(p) return p.backup_dir .. "/set-aside" end
local function copies(p) return file.stat(p.backup_dir) and backup.list(p.backup_dir, { name = "*.sqlite" }) or {} end
-- The newest backup that is whole, and those passed over.
local function newest(p)
  if not file.stat(p.backup_dir) then return nil, {} end
  return backup.newest(p.backup_dir, { name = "*.sqlite" })
end
local function fresh(p)
  local one = newest(p)
  return one ~= nil and now() - one.mtime <= p.backup_age
end

-- What stops everything: a damaged database must neither push out good backups nor be rewritten.
finding "missing" {
  severity = "P1", blocks = true,
  title  = { zh = "没有这个数据库文件：{db}", en = "no such database: {db}" },
  advice = { zh = "先核对路径（profile liqpass 的 db）；文件真的没了就从备份恢复",
             en = "check the path first (db in profile liqpass); if the file is gone, restore it from a backup" },
}
finding "corrupt" {
  severity = "P0", blocks = true,
  title  = { zh = "数据库已损坏：{message}", en = "the database is corrupt: {message}" },
  advice = { zh = "什么都不要删，也不要再做备份：从最近一份验证过的备份恢复",
             en = "delete nothing and back up nothing: restore the newest verified backup" },
}
finding "no-room" {
  title  = { zh = "只剩 {free:size}，备份需要 {need:size}", en = "{free:size} free, a backup needs {need:size}" },
  advice = { zh = "先腾出空间；在此之前不备份、不整理，也不清理旧备份", en = "make room first; until then nothing is backed up, compacted or cleared away" },
}
finding "backup-damaged" {
  key = "path",
  title  = { zh = "备份 {path} 不能用：{why}", en = "backup {path} cannot be used: {why}" },
  advice = { zh = "它不计入保留份数；查明原因后手工移走", en = "it does not count among those that stay; find out why, then move it away by hand" },
}

-- What is done about by itself.
finding "backup-due" {
  title  = { zh = "该做备份了（上一份可用的：{last}）", en = "a backup is due (last usable one: {last})" },
  verify = function(p) return fresh(p), { zh = "还没有新的可用备份", en = "there is no new usable backup yet" } end,
}
finding "fragmented" {
  severity = "P4",
  title = { zh = "{percent} % 是空闲页，可以收回 {bytes:size}", en = "{percent} % are free pages, {bytes:size} can be had back" },
}
finding "not-analysed" { severity = "P4", title = { zh = "没有查询统计信息", en = "there are no statistics for the query planner" } }
finding "expired" {
  severity = "P4", key = "path",
  title = { zh = "过期的备份 {path}（{bytes:size}）", en = "expired backup {path} ({bytes:size})" },
}
finding "set-aside" {
  severity = "P4", key = "path",
  title = { zh = "早先移走的备份 {path}（{bytes:size}）", en = "backups set aside earlier: {path} ({bytes:size})" },
}

check "database" {
  title = { zh = "数据库在不在、完不完整", en = "is the database there and whole" },
  why = { zh = "手册不先看就备份：坏库会把好备份一份份顶掉",
          en = "the manual copies without looking: a corrupt database then pushes out one good backup after the other" },
  timeout = "10m",
  run = function(p)
    local stat = file.stat(p.db)
    if not stat then found("missing", { db = p.db }) return { there = false } end
    local whole = sqlite.integrity(p.db, { wait = "5s", timeout = "9m" })
    if stat.size == 0 and not file.stat(p.db .. "-wal") then whole = { state = "corrupt", message = "0 bytes" } end -- whole to SQLite, and nothing to keep
    if whole.state == "corrupt" or whole.state == "not_a_database" then
      found("corrupt", { message = whole.message })
    elseif whole.state ~= "ok" then
      fail({ zh = "查不了：{message}", en = "cannot be judged: {message}" }, { message = whole.message or whole.state })
    end
    ok({ zh = "{size:size}，完整", en = "{size:size}, whole" }, { size = stat.size })
    return { there = true, size = stat.size }
  end,
}
check "backups" {
  title = { zh = "最近的备份能不能用", en = "is the newest backup usable" },
  why = { zh = "有文件不等于有备份：要对得上校验和，还要打得开", en = "a file is no backup before its hash is right and it opens" },
  quote = "cp data/us.sqlite data/us.sqlite.backup.$(date +%Y%m%d)",
  timeout = "10m",
  run = function(p, r)
    local one, passed = newest(p)
    for _, bad in ipairs(passed) do found("backup-damaged", { path = bad.path, why = bad.why }) end
    local due = not one or now() - one.mtime > p.backup_age
    local need = math.floor((r.database.size or 0) * p.room_factor)
    local room = system.disk(file.stat(p.backup_dir) and p.backup_dir or file.parent(p.backup_dir) or "/")
    if due and r.database.there then
      if room.free < need then found("no-room", { free = room.free, need = need }) end
      found("backup-due", { last = one and one.path:match("([^/]+)$") or "-" })
    end
    ok({ zh = "共 {n} 份", en = "{n} of them" }, { n = #copies(p) })
    return { room = room.free >= need, newest = one and one.path }
  end,
}
check "pages" {
  title = { zh = "空闲页和统计信息", en = "free pages and statistics" },
  why = { zh = "手册每天 VACUUM：整个库重写一遍，期间写不进去；空闲页不多时没有好处",
          en = "the manual runs VACUUM every day: it rewrites the whole file and keeps writers out, for nothing while few pages are free" },
  quote = "VACUUM; ANALYZE;",
  run = function(p, r)
    if not r.database.there then skip { zh = "没有数据库", en = "no database" } end
    local db = sql(p.db)
    local pages, free = db:value "PRAGMA page_count", db:value "PRAGMA freelist_count"
    local size = db:value "PRAGMA page_size"
    local percent = pages > 0 and math.floor(free * 100 / pages) or 0
    if percent >= p.frag_percent and free > 0 then found("fragmented", { percent = percent, bytes = free * size }) end
    if db:value("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'") == 0 then found "not-analysed" end
    ok({ zh = "空闲 {percent} %", en = "{percent} % free" }, { percent = percent })
    return { free = free * size }
  end,
}
check "old" {
  title = { zh = "哪些备份过期了", en = "which backups have expired" },
  why = { zh = "手册只看天数：今天没备成，照样删旧的；-mtime +7 其实是满 8 天；紧急备份 *.emergency.* 从来不清",
          en = "the manual goes by days alone: old ones go even when today's failed; -mtime +7 means 8 full days; *.emergency.* never goes" },
  quote = 'find data/ -name "us.sqlite.backup.*" -mtime +7 -delete',
  run = function(p)
    local name, list = p.db:match("([^/]+)$"), {}
    if file.stat(p.backup_dir) then
      list = backup.expired(p.backup_dir, { name = "*.sqlite", older = p.keep, keep_min = p.keep_min })
    end
    local enough = #copies(p) >= p.keep_min -- those beside the database are unproven: they go once there are enough proven ones
    for _, one in ipairs(file.parent(p.db) and enough and retention.expired(file.parent(p.db), { name = name .. MADE_BY_CP, older = p.keep }) or {}) do
      list[#list + 1] = one
    end
    for _, one in ipairs(list) do found("expired", { path = one.path, bytes = one.bytes }) end
    for _, one in ipairs(file.stat(trash(p)) and file.list(trash(p)) or {}) do
      if one.type == "dir" and now() - one.mtime > p.backup_age then
        found("set-aside", { path = one.path, bytes = file.usage(one.path).bytes })
      end
    end
    local emergency = file.parent(p.db) and #file.find(file.parent(p.db), { name = name .. ".emergency.*", depth = 1 }) or 0
    if emergency > 0 then note({ zh = "有 {n} 份紧急备份，不会自动清理", en = "{n} emergency backups; they are never cleared away by themselves" }, { n = emergency }) end
    ok({ zh = "{n} 份过期", en = "{n} expired" }, { n = #list })
  end,
}

-- Safest first; each is looked at again before the next.
fix "backup" {
  when = "backup-due", risk = "low", timeout = "30m",
  title = { zh = "在线备份到 {backup_dir}，并校验", en = "online backup to {backup_dir}, verified" },
  why = { zh = "cp 正在使用的数据库会丢掉 WAL 里的数据，也不是原子的",
          en = "cp of a database in use loses what is in the WAL, and is not atomic" },
  guard = function() return #findings("no-room") == 0, { zh = "空间不够", en = "there is not enough room" } end,
  run   = function(p) return backup.sqlite(p.db, p.backup_dir, { wait = "10s", timeout = "25m" }) end,
}
fix "optimize" {
  when = "not-analysed", risk = "low",
  title = { zh = "更新查询统计信息（ANALYZE）", en = "gather statistics for queries (ANALYZE)" },
  guard = function(p) return fresh(p), { zh = "先要有今天的备份", en = "today's backup comes first" } end,
  run   = function(p) sql(p.db):exec "ANALYZE" end,
}
fix "compact" {
  when = "fragmented", risk = "medium", timeout = "30m",
  title   = { zh = "整理数据库（VACUUM），收回 {bytes:size}", en = "compact the database (VACUUM), {bytes:size} come back" },
  no_undo = { zh = "内容不变，只是文件变小", en = "the content stays, only the file shrinks" },
  guard = function(p, f, r)
    if not fresh(p) then return false, { zh = "先要有今天的备份", en = "today's backup comes first" } end
    if not r.backups.room then return false, { zh = "空间不够，VACUUM 要再写一份", en = "not enough room: VACUUM writes the file once more" } end
    local l = sqlite.locks(p.db, { wait = 0 })
    return not l.locked and #l.readers == 0, { zh = "有人正在用数据库", en = "somebody is using the database" }
  end,
  run = function(p) sql(p.db, { wait = "5s", timeout = "25m" }):exec "VACUUM" end,
}
fix "prune" {
  when = "expired", risk = "medium", batch = true,
  title = { zh = "把 {n} 份过期备份移到 {backup_dir}/set-aside：{path:list}", en = "set {n} expired backups aside in {backup_dir}/set-aside: {path:list}" },
  why = { zh = "先移走，到下一次维护才真正删除；少于 {keep_min} 份验证过的备份时一份也不动",
          en = "they are moved first and deleted at the next maintenance; with fewer than {keep_min} verified ones nothing moves" },
  guard = function(p) return fresh(p), { zh = "今天的备份还没验证通过", en = "today's backup is not verified" } end,
  run   = function(p, fs)
    local paths, sum = {}, 0
    for i, f in ipairs(fs) do
      paths[i], sum = f.path, sum + f.bytes
      if file.stat(f.path .. ".manifest.json") then paths[#paths + 1] = f.path .. ".manifest.json" end
    end
    file.mkdir(trash(p), { mode = "0700" })
    local moved = backup.quarantine(paths, trash(p))
    note({ zh = "移走 {bytes:size}", en = "{bytes:size} set aside" }, { bytes = sum })
    return { dir = moved.dir }
  end,
  undo = function(p, fs, r) backup.bring_back(r.prune.dir) end,
}
fix "empty" {
  when = "set-aside", risk = "medium", batch = true,
  title   = { zh = "删除早先移走的 {n} 批备份：{path:list}", en = "delete {n} lots of backups set aside earlier: {path:list}" },
  no_undo = { zh = "删除后找不回来", en = "what is deleted is gone" },
  guard = function(p) return fresh(p), { zh = "今天的备份还没验证通过", en = "today's backup is not verified" } end,
  run = function(p, fs)
    for f in progress(fs) do file.remove(f.path, { tree = true }) end
  end,
}

prevent "elsewhere" {
  title   = { zh = "备份只在本机", en = "the backups are on this machine only" },
  by_hand = { zh = "把 {backup_dir} 同步到另一台机器；盘坏了，备份和数据库一起没", en = "copy {backup_dir} to another machine; when the disk fails, backup and database go together" },
}

schedule "nightly" {
  cron = "20 3 * * *", mode = "fix", allow = "medium", jitter = "5m", within = "3h",
}
