runbook "liqpass/db-locked" {
  title    = { zh = "SQLite 数据库锁死", en = "SQLite database is locked" },
  alias    = "db-locked",
  severity = "P1",
  kind     = "incident",
  target   = "{db}",
  codes    = { "SQLITE_BUSY", "SQLITE_LOCKED" },
  symptoms = { "database is locked", "数据库操作超时", "数据库锁死" },
  source   = "LiqPass 错误处理与故障排查手册 2.2 错误3",
}

generic.sqlite_locked {
  quote = {
    files    = "ls -la us-backend/data/",
    lock     = 'sqlite3 us.sqlite "PRAGMA database_list;"',
    holders  = "fuser us.sqlite",
    log      = "tail -f us-backend/logs/db.log",
    stop     = "fuser -k us.sqlite",
    rollback = "cp us.sqlite /tmp/us.sqlite.backup; rm us.sqlite*",
  },
  why = {
    lock     = { zh = "手册的 PRAGMA database_list 列的是附加库，不是连接，数据库锁死时也照样成功；这里看内核的锁表，自己不去加锁",
                 en = "the manual's PRAGMA database_list lists attached files, not connections, and succeeds on a locked database; "
                 .. "this reads the kernel's lock table and takes no lock" },
    holders  = { zh = "手册的 fuser 列出所有打开文件的进程，空闲的连接池也在内；只有这里列的占着锁",
                 en = "the manual's fuser lists everybody who has the file open, idle pools too; only those listed here hold a lock" },
    log      = { zh = "手册的 tail -f 不会自己结束；这里只看最后 1 MB", en = "the manual's tail -f never ends; this reads the last 1 MB" },
    service  = { zh = "有守护的进程直接结束会被马上拉起，锁又回来；要让守护程序重启它",
                 en = "a supervised process that is just killed comes back with its lock; its supervisor must restart it" },
    stop     = { zh = "手册的 fuser -k 对每个打开文件的进程发 KILL，不管占没占锁；这里只停占锁的这一个，先 TERM，10 秒后才 KILL",
                 en = "the manual's fuser -k kills everybody who has the file open, holder or not; this stops the one holder, by TERM, "
                 .. "by KILL only after 10 seconds" },
    rollback = { zh = "手册的 rm us.sqlite* 会删掉这份日志（数据库就坏了）和同名的备份",
                 en = "the manual's rm us.sqlite* deletes this journal, which corrupts the database, and backups named like it" },
  },
}

-- So that it does not come back.
prevent "start-again" {
  title   = { zh = "停掉的服务", en = "what was stopped" },
  by_hand = { zh = "停掉的进程如果属于某个服务，把它重新启动，确认它不再占锁", en = "if a stopped process belonged to a service, start it again and see that it no longer holds the lock" },
}
prevent "wal-mode" {
  title = { zh = "WAL 模式", en = "WAL mode" },
  run   = function(p)
    if sqlite.locks(p.db, { wait = 0 }).mode == "wal" then return end
    advise { zh = "改用 WAL，读写不再互相挡：PRAGMA journal_mode = WAL",
             en = "use WAL, where readers and a writer do not block each other: PRAGMA journal_mode = WAL" }
  end,
}
prevent "short-writes" {
  title   = { zh = "程序里的事务", en = "transactions in the program" },
  by_hand = { zh = "每个连接设 PRAGMA busy_timeout = 5000；事务里不等网络、不等人；备份用在线备份，不用 cp（会丢 WAL 里的数据）",
              en = "set PRAGMA busy_timeout = 5000 on each connection; wait for no network and no person inside a transaction; "
                .. "copy by online backup, not by cp, which loses what is in the WAL" },
}
