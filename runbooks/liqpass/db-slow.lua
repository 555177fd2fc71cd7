runbook "liqpass/db-slow" {
  title    = { zh = "数据库查询慢", en = "Slow database queries" },
  alias    = "db-slow",
  severity = "P2", kind = "incident",
  target   = "{db}",
  codes    = { "QUERY_TIMEOUT", "DATABASE_SLOW" },
  symptoms = { "API响应缓慢", "数据库查询超时" },
  source   = "LiqPass 错误处理与故障排查手册 2.2 错误4",
}

generic.sqlite_slow {
  why = {
    size   = { zh = "手册的 SELECT name, page_count * page_size … 会报 no such column: name；这里去掉它，再加上空页数",
               en = "the manual's SELECT name, page_count * page_size … fails with \"no such column: name\"; this leaves it out and counts free pages" },
    mode   = { zh = "手册把 PRAGMA journal_mode = WAL 当作诊断，其实它会永久改掉文件；诊断只读它，改它是一个要确认的修复",
               en = "the manual sets journal_mode = WAL as a diagnosis, which changes the file for good; diagnosing reads it, setting it is a fix" },
    vacuum = { zh = "手册直接 VACUUM：要独占锁和两倍多的空间，有人在用就报 database is locked；这里先看空间、先备份",
               en = "the manual just runs VACUUM, which needs the file for itself and twice its size; this looks at the room and makes a backup first" },
    stats  = { zh = "先做便宜的：统计信息几秒就好", en = "the cheap thing first: statistics take seconds" },
  },
}
param "backup_dir" { default = "{db}-backups" } -- beside the database, wherever it is

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
