runbook "mall/db-deadlock" {
  title    = { zh = "数据库死锁", en = "Database deadlock and lock waits" },
  severity = "P1", kind = "incident",
  target   = "{db_keeper}",
  codes    = { "1205", "1213" },
  symptoms = { "事务执行超时", "Lock wait timeout exceeded", "Deadlock found when trying to get lock" },
  source   = "Mall 故障处理手册 2.10",
}

param "db_keeper"

generic.db_locks {
  driver = mysql,
  why = {
    waits    = { zh = "手册的 INNODB_LOCKS 在 MySQL 8 里没有了；这里按服务器版本查：MySQL 用 sys.innodb_lock_waits，MariaDB 用 INNODB_LOCK_WAITS",
                 en = "the manual's INNODB_LOCKS is gone in MySQL 8; this asks by the server's version: sys.innodb_lock_waits or INNODB_LOCK_WAITS" },
    deadlock = { zh = "手册的 grep -A 10 看不到第二个事务；这里取完整一段", en = "the manual's grep -A 10 misses the second transaction; this takes the whole section" },
    kill     = { zh = "手册从 PROCESSLIST 里挑一个 KILL，容易误杀正常的长查询；这里只结束真正挡着别人、自己又不等谁的事务，动手前再查一次",
                 en = "the manual picks one from the PROCESSLIST, and a long but harmless report dies easily; this ends only who is in others' way and waits "
                   .. "for nobody, after looking once more" },
  },
}

prevent "short" {
  title   = { zh = "事务时间", en = "length of transactions" },
  by_hand = { zh = "事务里不调用外部接口，不等人", en = "no calls to others and no waiting for people inside a transaction" },
}
prevent "order" {
  title   = { zh = "访问顺序", en = "order of tables" },
  by_hand = { zh = "所有事务按同样的顺序访问表和行", en = "all transactions go through tables and rows in the same order" },
}
prevent "index" {
  title   = { zh = "索引", en = "indexes" },
  by_hand = { zh = "UPDATE 和 DELETE 的条件列要有索引，否则会锁住整张表", en = "an index on the columns that UPDATE and DELETE look for, or they lock the whole table" },
}
prevent "optimistic" {
  title   = { zh = "乐观锁", en = "optimistic locks" },
  by_hand = { zh = "用版本号代替 SELECT … FOR UPDATE", en = "a version column in place of SELECT … FOR UPDATE" },
}
prevent "isolation" {
  title = { zh = "隔离级别", en = "isolation" },
  run   = function(p)
    local level = sql(p.db_admin):value "SELECT @@global.tx_isolation"
    if level == "SERIALIZABLE" then advise { zh = "隔离级别是 SERIALIZABLE，读也加锁；一般 READ-COMMITTED 就够",
                                             en = "SERIALIZABLE locks reads too; READ-COMMITTED is mostly enough" } end
  end,
}
