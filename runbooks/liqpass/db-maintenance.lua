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

generic.sqlite_maintenance {
  quote = {
    backups  = "cp data/us.sqlite data/us.sqlite.backup.$(date +%Y%m%d)",
    pages    = "VACUUM; ANALYZE;",
    old      = 'find data/ -name "us.sqlite.backup.*" -mtime +7 -delete',
  },
  why = {
    database = { zh = "手册不先看就备份：坏库会把好备份一份份顶掉", en = "the manual copies without looking: a corrupt database then pushes out one good backup after the other" },
    backups  = { zh = "有文件不等于有备份：要对得上校验和，还要打得开", en = "a file is no backup before its hash is right and it opens" },
    pages    = { zh = "手册每天 VACUUM：整个库重写一遍，期间写不进去；空闲页不多时没有好处",
                 en = "the manual runs VACUUM every day: it rewrites the whole file and keeps writers out, for nothing while few pages are free" },
    old      = { zh = "手册只看天数：今天没备成，照样删旧的；-mtime +7 其实是满 8 天；紧急备份 *.emergency.* 从来不清",
                 en = "the manual goes by days alone: old ones go even when today's failed; -mtime +7 means 8 full days; *.emergency.* never goes" },
    backup   = { zh = "cp 正在使用的数据库会丢掉 WAL 里的数据，也不是原子的", en = "cp of a database in use loses what is in the WAL, and is not atomic" },
    prune    = { zh = "先移走，到下一次维护才真正删除；少于 {keep_min} 份验证过的备份时一份也不动",
                 en = "they are moved first and deleted at the next maintenance; with fewer than {keep_min} verified ones nothing moves" },
  },
}

prevent "elsewhere" {
  title   = { zh = "备份只在本机", en = "the backups are on this machine only" },
  by_hand = { zh = "把 {backup_dir} 同步到另一台机器；盘坏了，备份和数据库一起没", en = "copy {backup_dir} to another machine; when the disk fails, backup and database go together" },
}

schedule "nightly" {
  cron = "20 3 * * *", mode = "fix", allow = "medium", jitter = "5m", within = "3h",
}
