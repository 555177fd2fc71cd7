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

generic.sqlite_recovery {
  why = {
    backups   = { zh = "手册只找 us.sqlite.backup，而没有一个步骤写过这个名字，结果总是建空库；这里看所有名字，从新到旧，逐份做完整性检查",
                  en = "the manual looks for us.sqlite.backup alone, which none of its procedures writes, and so always makes an empty database; this looks "
                  .. "at all names, "
                  .. "the newest first, each with an integrity check" },
    stop      = { zh = "手册的 pkill -f 会杀掉所有 node 服务，守护程序又马上拉起来；要让守护程序停，并确认没有人再打开数据库",
                  en = "the manual's pkill -f kills every node service, and the supervisor starts them again; the supervisor must stop it, and nobody may "
                  .. "have the file open" },
    set_aside = { zh = "手册只复制主文件，旧的 -wal 留在原地，会重放进恢复的库，等于没恢复",
                  en = "the manual copies the main file alone; the old -wal stays, is replayed into what was restored, and undoes it" },
  },
}
param "keeper" { default = "pm2:liqpass-backend" }
param "old_names" { default = { "us.sqlite.backup", "us.sqlite.backup.*", "us.sqlite.emergency.backup.*" } }
param "init" { default = { "node", "src/scripts/init-db.js" } }
param "init_dir" { default = "{backend_dir}" }

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
