runbook "aicoin/db-connection" {
  title    = { zh = "数据库连接错误", en = "Database connection error" },
  severity = "P1", kind = "incident",
  target   = "{db_keeper}",
  codes    = { "ECONNREFUSED", "53300", "57P03", "28P01" },
  symptoms = { "connection refused", "could not connect to server", "too many clients already", "remaining connection slots are reserved" },
  source   = "AICOIN 故障排查手册 1.4",
  impact   = { zh = "后端所有读写都会失败", en = "every read and write of the backend fails" },
}

generic.db_connection {
  driver = postgres,
  name   = { zh = "PostgreSQL", en = "PostgreSQL" },
  why    = {
    connect  = { zh = "手册的 psql 不带 -c 会停在提示符；用容器里的管理账号连得上，也不说明应用连得上",
                 en = "the manual's psql without -c waits at its prompt; and that the administrator gets in inside the container does not say "
                   .. "that the application does" },
    sessions = { zh = "手册的 count(*) 把后台进程也算进去（5 个客户端显示 10 行）；这里只数客户端，和应用可用的名额比",
                 en = "the manual's count(*) counts background processes too (10 rows for 5 clients); this counts clients against what "
                   .. "applications may use" },
    end_idle = { zh = "名额用完时先断空闲会话，不必重启：重启会断掉所有人，连接池随后一起涌回来",
                 en = "when the slots are taken, end idle sessions first: a restart disconnects everybody, and all pools come back at once" },
    restart  = { zh = "手册把重启列为第 4 个排查步骤；重启是修复，只在数据库停了或挂住时才做",
                 en = "the manual lists the restart as its fourth diagnostic step; it is a repair, and only for a database that stopped or hangs" },
  },
}

prevent "idle-timeout" {
  title = { zh = "发呆的事务", en = "idle transactions" },
  run = function(p)
    local set = try(sql(p.db).value, sql(p.db), "SELECT current_setting('idle_in_transaction_session_timeout')")
    if set == "0" then
      advise { zh = "设 idle_in_transaction_session_timeout = '5min'，发呆的事务会自己断开",
               en = "set idle_in_transaction_session_timeout = '5min', and idle transactions end by themselves" }
    end
  end,
}
prevent "pool" {
  title   = { zh = "连接池", en = "the pool" },
  by_hand = { zh = "所有进程的连接池加起来要小于 max_connections 的 80%", en = "all pools of all processes together stay below 80% of max_connections" },
}
