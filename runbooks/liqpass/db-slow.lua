runbook "liqpass/db-slow" {
  title    = { zh = "数据库查询慢", en = "Slow database queries" },
  alias    = "db-slow",
  severity = "P2", kind = "incident",
  target   = "{db}",
  codes    = { "QUERY_TIMEOUT", "DATABASE_SLOW" },
  symptoms = { "API响应缓慢", "数据库查询超时" },
  source   = "LiqPass 错误处理与故障排查手册 2.2 错误4",
}

-- Every fix makes an online backup first.
local changes_file = {
  zh = "手册把 PRAGMA journal_mode = WAL 当作诊断，其实它会永久改掉文件；诊断只读它，改它是一个要确认的修复",
  en = "the manual sets journal_mode = WAL as a diagnosis, which changes the file for good; diagnosing reads it, setting it is a fix",
}

param "db"
param "backup_dir" { default = "{db}-backups" } -- beside the database, wherever it is
param "expected_indexes" { type = "list(string)", default = {}, title = { zh = "应有的索引，例如 orders.state", en = "indexes there should be, as orders.state" } }
param "sample_queries" { type = "list(string)", default = {}, title = { zh = "样例查询", en = "sample queries" } }
param "slow" { type = "duration", default = "500ms", title = { zh = "超过多久算慢", en = "a slower query counts as slow" } }
param "many_rows" { type = "int", default = 10000, min = 1, title = { zh = "多少行以上的表要有索引", en = "a larger table needs an index" } }
param "frag_pct" { type = "int", default = 20, min = 1, max = 99, title = { zh = "空页超过百分之几算碎片", en = "percentage of free pages that counts as fragmented" } }
param "max_db" { type = "size", default = "1GB", title = { zh = "多大算太大", en = "a larger file counts as large" } }
param "min_free_factor" { type = "number", default = 2.2, min = 1, title = { zh = "VACUUM 需要的空间，按数据库大小的倍数",
                                                                             en = "room VACUUM needs, in times the size of the database" } }

local function quoted(name) return '"' .. name:gsub('"', '""') .. '"' end
local function split(word) return word:match("^([^.]+)%.([^.]+)$") end
-- An INTEGER PRIMARY KEY is the row's own number: SQLite finds by it without an index.
local function is_row_number(p, name, column)
  local keys = {}
  for _, one in ipairs(sql(p.db):rows("PRAGMA table_info(" .. quoted(name) .. ")")) do
    if one.pk > 0 then keys[#keys + 1] = one end
  end
  return #keys == 1 and keys[1].name == column and keys[1].type:upper() == "INTEGER"
end
local function index_of(p, name, column)
  if is_row_number(p, name, column) then return "rowid" end
  for _, one in ipairs(sql(p.db):rows("PRAGMA index_list(" .. quoted(name) .. ")")) do
    local first = sql(p.db):row("PRAGMA index_info(" .. quoted(one.name) .. ")")
    if first and first.name == column then return one.name end
  end
end
-- One that does not end within ten times of what is slow is not waited for.
local function timed(p, query)
  local started, c = now(), sql(p.db, { timeout = p.slow * 10 })
  local answer, err = try(c.rows, c, query)
  if not answer and err.code ~= "timeout" then fail({ zh = "样例查询不能执行：{message}", en = "a sample query does not run: {message}" }, err) end
  return now() - started
end

finding "corrupt" {
  severity = "P0", blocks = true, title = { zh = "数据库已损坏：{message}", en = "the database is corrupt: {message}" },
  advice = { zh = "不要 VACUUM，不要 REINDEX：停服务，从验证过的备份恢复", en = "neither VACUUM nor REINDEX: stop the service and restore a verified backup" },
}
finding "index-corrupt" {
  severity = "P1", title = { zh = "索引和表对不上：{message}", en = "an index does not match its table: {message}" },
  verify = function(p) return sqlite.integrity(p.db, { quick = false }).state == "ok" end,
}
finding "missing-index" {
  key = { "name", "column" }, title = { zh = "{name}.{column} 没有索引，表有 {rows} 行", en = "{name}.{column} has no index; the table has {rows} rows" },
  verify = function(p, f) return index_of(p, f.name, f.column) ~= nil end,
}
finding "slow" {
  key = "n", title = { zh = "样例查询 {n} 用了 {took:duration}：{query}", en = "sample query {n} took {took:duration}: {query}" },
  advice = { zh = "没有可做的：把附件里的执行计划给开发", en = "nothing can be done here: give the plan attached to the developers" },
  verify = function(p, f) return timed(p, p.sample_queries[f.n]) < p.slow end,
}
finding "rollback-journal" {
  explains = "slow", title = { zh = "还在用 {mode} 日志，读写互相挡", en = "journal mode is {mode}: readers and the writer block each other" },
}
finding "fragmented" { severity = "P3", title = { zh = "{pct}% 的页是空的（{bytes:size}）", en = "{pct}% of the pages are free ({bytes:size})" } }
finding "stats-missing" { severity = "P3", title = { zh = "没有统计信息，优化器只能猜", en = "no statistics: the planner guesses" } }
finding "large" {
  severity = "P3", title = { zh = "数据库有 {bytes:size}", en = "the database has {bytes:size}" },
  advice = { zh = "归档旧数据，或迁到 PostgreSQL", en = "archive old rows, or move to PostgreSQL" },
}

check "whole" {
  title = { zh = "完整吗", en = "is it whole" }, timeout = "5m",
  run = function(p)
    local whole = sqlite.integrity(p.db, { quick = false, timeout = "4m" })
    if whole.state == "ok" then return ok { zh = "完整", en = "whole" } end
    if whole.state ~= "corrupt" then fail({ zh = "查不了：{message}", en = "cannot be judged: {message}" }, whole) end
    local index = whole.message:find("missing from index", 1, true) or whole.message:find("entries in index", 1, true)
    found(index and "index-corrupt" or "corrupt", { message = text.cut(whole.message, 200) })
  end,
}
check "tables" {
  title = { zh = "表和索引", en = "tables and indexes" },
  run = function(p)
    local large = {}
    for _, one in ipairs(sql(p.db):rows "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") do
      local rows = sql(p.db):value("SELECT count(*) FROM " .. quoted(one.name))
      if rows >= p.many_rows then large[one.name] = rows end
    end
    for _, word in ipairs(p.expected_indexes) do
      local name, column = split(word)
      if not name then fail({ zh = "{word} 要写成 表.列", en = "{word} should be table.column" }, { word = word }) end
      if large[name] and not index_of(p, name, column) then found("missing-index", { name = name, column = column, rows = large[name] }) end
    end
    local has = sql(p.db):value "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'" == 1
    if next(large) and not (has and sql(p.db):value "SELECT count(*) FROM sqlite_stat1" > 0) then found "stats-missing" end
    return { large = large }
  end,
}
check "queries" {
  title = { zh = "样例查询", en = "sample queries" }, timeout = "5m", why = changes_file,
  run = function(p)
    for n, query in ipairs(p.sample_queries) do
      local took = timed(p, query)
      if took >= p.slow then
        found("slow", { n = n, took = took, query = text.cut(query, 80) })
        attach("plan", sql(p.db):rows("EXPLAIN QUERY PLAN " .. query))
      end
    end
    local mode = sqlite.locks(p.db, { wait = 0 }).mode
    if mode ~= "wal" then found("rollback-journal", { mode = mode }) end
    ok({ zh = "{n} 个，日志模式 {mode}", en = "{n}, journal mode {mode}" }, { n = #p.sample_queries, mode = mode })
  end,
}
check "size" {
  title = { zh = "大小和碎片", en = "size and fragments" },
  why = { zh = "手册的 SELECT name, page_count * page_size … 会报 no such column: name；这里去掉它，再加上空页数",
          en = "the manual's SELECT name, page_count * page_size … fails with \"no such column: name\"; this leaves it out and counts free pages" },
  run = function(p)
    local function pragma(name) return sql(p.db):value("PRAGMA " .. name) end
    local pages, free, page = pragma "page_count", pragma "freelist_count", pragma "page_size"
    local s = { bytes = pages * page, free_bytes = free * page }
    local pct = pages > 0 and free * 100 // pages or 0
    if pct >= p.frag_pct then found("fragmented", { pct = pct, bytes = s.free_bytes }) end
    if s.bytes > p.max_db then found("large", { bytes = s.bytes }) end
    ok({ zh = "{bytes:size}，空 {pct}%", en = "{bytes:size}, {pct}% free" }, { bytes = s.bytes, pct = pct })
  end,
}

local function back_up(p)
  file.mkdir(p.backup_dir, { mode = "0700" })
  keep { backup = backup.sqlite(p.db, p.backup_dir).path }
end
local same = { zh = "改动前的备份在 {backup_dir}", en = "the backup from before is in {backup_dir}" }
fix "analyze" {
  when = "stats-missing", risk = "low", title = { zh = "收集统计信息（ANALYZE）", en = "collect statistics (ANALYZE)" },
  why = { zh = "先做便宜的：统计信息几秒就好", en = "the cheap thing first: statistics take seconds" },
  run  = function(p) sql(p.db):exec "ANALYZE" end,
}
fix "reindex" {
  when = "index-corrupt", risk = "medium", no_undo = same, title = { zh = "重建所有索引（REINDEX）", en = "rebuild all indexes (REINDEX)" },
  run  = function(p)
    file.mkdir(p.backup_dir, { mode = "0700" })
    for _, suffix in ipairs { "", "-wal" } do
      if file.stat(p.db .. suffix) then file.copy(p.db .. suffix, ("%s/before-reindex-%s%s"):format(p.backup_dir, fmt.time(now(), true), suffix)) end
    end
    sql(p.db):exec "REINDEX"
  end,
}
fix "create-index" {
  when = "missing-index", risk = "high", key = "name", title = { zh = "给 {name}.{column} 建索引", en = "make an index on {name}.{column}" },
  confirm = { zh = "建索引时写入会等它", en = "writes wait while it is made" },
  run  = function(p, f)
    back_up(p)
    local words = ("CREATE INDEX IF NOT EXISTS %s ON %s (%s)"):format(quoted(f.name .. "_" .. f.column), quoted(f.name), quoted(f.column))
    sql(p.db, { timeout = "5m" }):exec(words)
  end,
  undo = function(p, f) sql(p.db):exec("DROP INDEX IF EXISTS " .. quoted(f.name .. "_" .. f.column)) end,
}
fix "use-wal" {
  when = "rollback-journal", risk = "medium", title = { zh = "改用 WAL", en = "use WAL" }, why = changes_file,
  confirm = { zh = "以后备份要用在线备份，不能 cp", en = "from then on copy by online backup, not by cp" },
  guard = function(p) return not sqlite.locks(p.db, { wait = 0 }).network_fs, { zh = "文件在网络文件系统上", en = "the file is on a network file system" } end,
  run   = function(p) sql(p.db):exec "PRAGMA journal_mode = WAL" end,
  undo  = function(p) sql(p.db):exec "PRAGMA journal_mode = DELETE" end,
}
fix "vacuum" {
  when = "fragmented", risk = "high", key = "db", no_undo = same,
  why = { zh = "手册直接 VACUUM：要独占锁和两倍多的空间，有人在用就报 database is locked；这里先看空间、先备份",
          en = "the manual just runs VACUUM, which needs the file for itself and twice its size; this looks at the room and makes a backup first" },
  timeout = "30m",
  title = { zh = "整理数据库（VACUUM），期间不能写", en = "compact the database (VACUUM); it cannot be written meanwhile" },
  guard = function(p)
    local free, need = system.disk(p.db).free, file.stat(p.db).size * p.min_free_factor
    return free >= need, { zh = "磁盘空间不够", en = "not enough room on the disk" }
  end,
  run = function(p)
    back_up(p)
    sql(p.db, { timeout = "25m" }):exec "VACUUM"
  end,
}

prevent "cache" {
  title   = { zh = "缓存设置", en = "cache settings" },
  by_hand = { zh = "PRAGMA cache_size = -64000 和 temp_store = MEMORY 只对执行它的连接有效，要写进程序的连接选项里",
              en = "PRAGMA cache_size = -64000 and temp_store = MEMORY hold for the connection that runs them only; set them in the program's connection "
                     .. "options" },
}
prevent "statistics" {
  title   = { zh = "统计信息", en = "statistics" },
  by_hand = { zh = "程序关闭连接前执行 PRAGMA optimize", en = "let the program run PRAGMA optimize before it closes" },
}
