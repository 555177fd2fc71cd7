runbook "mall/db-connection-failed" {
  title    = { zh = "数据库连接失败", en = "Database connection failed" },
  severity = "P1", kind = "incident",
  target   = "{db_keeper}",
  codes    = { "1040", "1045", "2002", "2003", "2013" },
  symptoms = { "无法连接数据库", "提示连接超时", "Too many connections", "Can't connect to MySQL server" },
  source   = "Mall 故障处理手册 2.2",
  impact   = { zh = "下单、支付、登录都会失败", en = "orders, payments and logins fail" },
}

param "env_file"
param "pool_key" { type = "string", default = "DB_POOL_SIZE", title = { zh = "连接池大小的变量名", en = "variable that holds the pool's size" } }
param "workers" { type = "int", default = 1, min = 1, title = { zh = "后端进程数，每个进程一个池", en = "backend processes, each with a pool" } }
param "pool_min" { type = "int", default = 5, min = 1, title = { zh = "连接池小于多少算太小", en = "a smaller pool is too small" } }
param "pool_want" { type = "int", default = 20, min = 1, title = { zh = "太小时调到多少", en = "what a small pool is raised to" } }

generic.db_connection {
  driver = mysql, restart_risk = "high",
  name   = { zh = "MySQL", en = "MySQL" },
  why    = {
    connect  = { zh = "手册的 mysqladmin ping 在密码错时也说 alive；这里用应用自己的账号登录并执行一条语句",
                 en = "the manual's mysqladmin ping says alive even when access is denied; this logs in as the application and runs a statement" },
    sessions = { zh = "手册的 mysql -u root -p -e 没有终端时会把第一行输入当密码；这里用单独的管理账号，和 max_connections 比",
                 en = "without a terminal the manual's mysql -u root -p -e takes the first input line as the password; this uses an administrator's "
                   .. "connection, and compares with max_connections" },
    end_idle = { zh = "手册让人手抄编号去 KILL；这里只断空闲超过 {idle} 的客户端会话，不碰复制、系统和自己，逐个复查",
                 en = "the manual kills by a hand-copied id; this ends only client sessions idle for {idle}, none of replication, system or its own" },
    restart  = { zh = "重启会做崩溃恢复并断掉所有会话，只在停了或挂住时做", en = "a restart recovers from the crash and ends all sessions; only when it stopped or hangs" },
  },
}

finding "pool" {
  severity = "P2",
  title = { zh = "{pool_key} = {size}，{workers} 个进程共 {need}，数据库最多 {max}", en = "{pool_key} = {size}: {need} for {workers} processes, the server takes {max}" },
}
finding "bind-address" {
  severity = "P2",
  title  = { zh = "数据库只监听 {bind}，应用却连 {db_host}", en = "the server listens on {bind} only, and the application uses {db_host}" },
  advice = { zh = "改 my.cnf 的 bind-address，再重启数据库", en = "change bind-address in my.cnf, then restart the server" },
}

check "pool" {
  title = { zh = "连接池大小", en = "size of the pool" },
  why   = { zh = "手册只说增加连接池；池乘进程数超过 max_connections 时，调大只会更糟",
            en = "the manual only says to make it larger; where pool times processes exceeds max_connections that makes it worse" },
  run = function(p)
    local size = tonumber(envfile.get(p.env_file, p.pool_key))
    if not size then skip { zh = "{env_file} 里没有 {pool_key}", en = "no {pool_key} in {env_file}" } end
    local slots = mysql.slots(p.db_admin)
    local most = (slots.max - slots.reserved) * p.max_conn_pct // (100 * p.workers)
    local fits = math.max(1, math.min(math.max(size, p.pool_want), most))
    if size < p.pool_min or size > most then
      found("pool", { size = size, need = size * p.workers, max = slots.max, to = fits })
    end
    ok({ zh = "{size} × {workers}，最多 {max}", en = "{size} × {workers} of {max}" }, { size = size, max = slots.max })
  end,
}
check "config" {
  title = { zh = "生效的配置", en = "the effective configuration" },
  why   = { zh = "手册看容器里的 /etc/my.cnf，那不一定是生效的；这里问服务器自己", en = "the manual reads /etc/my.cnf, which need not be in effect; this asks the server" },
  run = function(p)
    local bind = sql(p.db_admin):value "SELECT @@bind_address"
    local here = p.db_host == "localhost" or p.db_host:find("^127%.")
    if bind == "127.0.0.1" and not here then found("bind-address", { bind = bind }) end
    ok("bind-address = {bind}", { bind = bind })
  end,
}

fix "set-pool" {
  when = "pool", risk = "medium",
  title = { zh = "{pool_key} 改成 {to}，再让后端重建", en = "set {pool_key} to {to}, then make the backend anew" },
  why   = { zh = "restart 不会重读 .env.prod，要重建容器", en = "a restart does not read .env.prod again; the container must be made anew" },
  run = function(p, f)
    local set = envfile.set(p.env_file, p.pool_key, tostring(f.to))
    keep(set)
    keeper.renew(p.backend_keeper)
    return set
  end,
  undo = function(p, f, r) envfile.restore(r.set_pool) keeper.renew(p.backend_keeper) end,
}

prevent "pool-size" {
  title   = { zh = "连接池", en = "the pool" },
  by_hand = { zh = "池 × 进程数不超过 max_connections 的 80%", en = "pool times processes stays below 80% of max_connections" },
}
prevent "watch" {
  title   = { zh = "连接数监控", en = "watching sessions" },
  by_hand = { zh = "Threads_connected 到 80% 告警", en = "alert when Threads_connected reaches 80%" },
}
prevent "idle" {
  title = { zh = "空闲连接", en = "idle sessions" },
  run   = function(p)
    local timeout = sql(p.db_admin):value "SELECT @@global.wait_timeout"
    if timeout <= 3600 then return end
    advise({ zh = "wait_timeout 是 {t:duration}，改成 10 分钟，空闲连接会自己断开",
             en = "wait_timeout is {t:duration}; with 10 minutes idle sessions end by themselves" }, { t = timeout })
  end,
}
