-- The application cannot reach its database (PostgreSQL, MySQL, MariaDB): is the server up, does it let the application
-- in, are sessions left? options: driver = postgres or mysql; name = { zh, en } of the server; why = { connect, sessions,
-- end_idle, restart }: what the manual does there, and why this does it otherwise; restart_risk, default "medium".
-- The system's profile declares db, db_admin, db_keeper, db_host, db_port, db_data, db_log, backend_keeper, health_url.
return function(o)
  options(o, { driver = "module!", name = "table!", why = "table!", restart_risk = "string" })
  local driver, why = o.driver, o.why

  param "db"
  param "db_admin"
  param "db_keeper"
  param "db_host"
  param "db_port"
  param "db_data"
  param "db_log"
  param "backend_keeper"
  param "health_url"
  param "patience" { type = "duration", default = "5s", min = "1s", max = "1m", title = { zh = "等数据库应答多久", en = "how long to wait for an answer" } }
  param "max_conn_pct" { type = "int", default = 80, min = 1, max = 100, title = { zh = "连接数用到百分之几要处理", en = "percentage of sessions at which to act" } }
  param "idle" { type = "duration", default = "5m", title = { zh = "空闲多久的会话可以断开", en = "a session idle for so long may be ended" } }
  param "kill_limit" { type = "int", default = 20, min = 1, title = { zh = "一次最多断开几个会话", en = "sessions ended at most" } }
  param "min_free" { type = "size", default = "100MB", title = { zh = "数据盘至少要剩多少", en = "room the data disk must have" } }

  local function up(p)
    local answers, refused = driver.ping(p.db, { timeout = p.patience })
    if not answers then return false, refused.message end
    local probe = sql(p.db, { timeout = p.patience }):probe()
    return probe.ok, probe.message
  end
  local function below(p)
    local slots = driver.slots(p.db_admin)
    return slots.used * 100 < p.max_conn_pct * (slots.max - slots.reserved)
  end

  finding "corrupt" {
    severity = "P0", blocks = true,
    title  = { zh = "数据库日志说数据已损坏：{line}", en = "the database's log says that data is corrupt: {line}" },
    advice = { zh = "不要重启，也不要删文件：先把数据目录整个备份走，再从验证过的备份恢复", en = "neither restart nor delete: copy the whole data folder away, then restore a verified backup" },
  }
  finding "starting" {
    blocks = true,
    title  = { zh = "数据库还在启动或做崩溃恢复", en = "the database is still starting or recovers from a crash" },
    advice = { zh = "等它做完；现在重启会从头再来", en = "wait until it is done; a restart makes it begin again" },
  }
  finding "down" {
    title  = { zh = "连不上数据库：{message}", en = "the database cannot be reached: {message}" },
    advice = { zh = "看下面的原因；没有原因时把数据库日志交给 DBA", en = "see the causes below; if there is none, show the database's log to the DBA" },
    verify = up, within = "30s",
  }
  finding "stopped" { explains = "down", title = { zh = "数据库没有在运行（{detail}）", en = "the database is not running ({detail})" } }
  finding "hung" { explains = "down", title = { zh = "进程还在，端口也通，但 {patience} 内没有应答",
                                                en = "it runs and takes connections, but does not answer within {patience}" } }
  finding "not-listening" {
    explains = "down", title = { zh = "在运行，但 {db_host}:{db_port} 没有监听", en = "it runs, but does not listen on {db_host}:{db_port}" },
    advice = { zh = "查 bind-address / listen_addresses 和端口配置", en = "look at bind-address or listen_addresses, and at the port" },
  }
  finding "blocked" {
    explains = "down", title = { zh = "到 {db_host}:{db_port} 的网络不通（{code}）", en = "nothing gets through to {db_host}:{db_port} ({code})" },
    advice = { zh = "查两台机器之间的防火墙、安全组和路由；重启数据库没有用",
               en = "look at firewall, security group and routes between the two machines; restarting the database does not help" },
  }
  finding "disk-full" {
    title  = { zh = "数据盘满了，数据库写不进去", en = "the data disk is full, the database cannot write" },
    advice = { zh = "先腾空间（disk-full 手册），再启动数据库；不要删数据库自己的文件",
               en = "make room first (runbook disk-full), then start it; delete none of the database's own files" },
  }
  finding "auth" {
    title  = { zh = "数据库拒绝应用的账号：{message}", en = "the database refuses the application's account: {message}" },
    advice = { zh = "核对应用配置里的用户名和密码是不是最近改过；重启数据库没有用",
               en = "compare user and password in the application's configuration with the server's; a restart does not help" },
  }
  finding "no-database" {
    title  = { zh = "没有这个库：{message}", en = "there is no such database: {message}" },
    advice = { zh = "确认库名；如果库真的没了，按恢复手册恢复，不要新建空库", en = "make sure of the name; if it is gone, restore it, and create no empty one" },
  }
  finding "slots" {
    title  = { zh = "连接用了 {used} 个，共 {max} 个（{pct}%）", en = "{used} of {max} sessions are taken ({pct}%)" },
    advice = { zh = "没有可断开的空闲会话：查谁在开这么多连接，减小连接池", en = "no idle session can be ended: find out who opens so many, and make the pool smaller" },
    verify = function(p) return up(p) and below(p), { zh = "连接还没降下来", en = "there are still too many" } end,
  }
  finding "idle" { explains = "slots", key = "id", title = { zh = "会话 {id}（{user}）空闲了 {seconds:duration}",
                                                             en = "session {id} ({user}) has been idle for {seconds:duration}" } }
  finding "idle-transaction" {
    severity = "P2", key = "id",
    title = { zh = "会话 {id}（{user}）开着事务发呆 {seconds:duration}", en = "session {id} ({user}) idles in a transaction for {seconds:duration}" },
  }
  finding "backend" {
    title = { zh = "数据库好了，后端仍回 {status}", en = "the database is fine, the backend still answers {status}" },
  }

  check "server" {
    title = { zh = "数据库在运行吗", en = "is the server running" },
    run = function(p)
      local kept = keeper.state(p.db_keeper)
      ok("{state}（{detail}）", kept)
      return kept
    end,
  }
  check "connect" {
    title = { zh = "应用连得上吗", en = "can the application connect" }, why = why.connect,
    run = function(p, r)
      local answers, refused = driver.ping(p.db, { timeout = p.patience })
      if answers then ok { zh = "连得上", en = "it can" } return { full = false } end
      local cause = refused.cause or "down"
      if cause == "slots" then return { full = true } end
      found(cause, { message = refused.message })
      if cause ~= "down" then return end
      local open, code = net.reachable(p.db_host, p.db_port, { timeout = p.patience })
      if r.server.state ~= "running" then found("stopped", { detail = r.server.detail })
      elseif refused.said then note { zh = "它应答了，只是不让进：重启没有用", en = "it answers, and lets nobody in: a restart does not help" }
      elseif open then found "hung"
      elseif code == "refused" then found "not-listening"
      else found("blocked", { code = code }) end
    end,
  }
  check "log" {
    when = "down", title = { zh = "数据库的日志", en = "the database's log" },
    run = function(p)
      local words = keeper.logs(p.db_keeper, p.db_log)
      attach("log", words)
      local corrupt = text.match(words, "(?m)^.*(?:" .. driver.signs.corrupt .. ").*$")
      if corrupt then found("corrupt", { line = text.cut(corrupt[0], 200) }) end
      if text.match(words, driver.signs.full) then found "disk-full" end
    end,
  }
  check "room" {
    title = { zh = "数据盘", en = "the data disk" },
    run = function(p)
      if not p.db_data or not file.stat(p.db_data) then skip { zh = "数据目录不在这台机器上", en = "the data folder is not on this machine" } end
      local disk = system.disk(p.db_data)
      if disk.free < p.min_free then found "disk-full" end
      ok({ zh = "剩 {free:size}", en = "{free:size} left" }, disk)
    end,
  }
  check "sessions" {
    title = { zh = "连接数", en = "sessions" }, why = why.sessions,
    run = function(p, r)
      local full = r.connect.full -- nothing to ask for when it does not answer at all
      local slots, refused = try(driver.slots, p.db_admin)
      if not slots and not full then skip({ zh = "管理账号连不上：{message}", en = "the administrator cannot connect: {message}" }, refused) end
      if not slots then found("slots", { used = "?", max = "?", pct = 100 }) return end
      local pct = math.floor(slots.used * 100 / (slots.max - slots.reserved))
      ok({ zh = "{used} / {max}", en = "{used} of {max}" }, slots)
      if pct >= p.max_conn_pct or full then found("slots", { used = slots.used, max = slots.max, pct = pct }) end
      for _, one in ipairs(driver.idle_transactions(p.db_admin, p.idle)) do found("idle-transaction", one) end
      local idle = driver.idle(p.db_admin, p.idle)
      for i = 1, math.min(#idle, p.kill_limit) do found("idle", idle[i]) end
    end,
  }
  check "health" {
    title = { zh = "后端", en = "the backend" },
    run = function(p)
      if #findings "down" + #findings "auth" + #findings "slots" > 0 then skip { zh = "数据库好了再看", en = "looked at once the database is fine" } end
      local answer = try(http.get, p.health_url, { timeout = p.patience })
      if not answer then skip { zh = "后端没在运行，那是另一个手册", en = "the backend is not running; that is another runbook" } end
      if answer.ok then ok("{status}", answer) else found("backend", { status = answer.status }) end
    end,
  }

  fix "end-idle" {
    when = "idle", batch = true, risk = "high", why = why.end_idle,
    no_undo = { zh = "断开的应用会自己重连；没有提交的东西没有丢，因为它们不在事务里", en = "whoever was disconnected connects again; nothing is lost, they were in no transaction" },
    title   = { zh = "断开 {n} 个空闲会话，连接数够用就停", en = "end {n} idle sessions, stopping when there is room" },
    run = function(p, fs)
      local ended = 0
      for one in progress(fs, { zh = "断开", en = "ending" }) do
        if below(p) and driver.ping(p.db, { timeout = p.patience }) then break end -- one account may have a limit of its own
        if driver.kill(p.db_admin, one.id, one.started) then ended = ended + 1 end
        keep { ended = ended }
      end
      return { ended = ended }
    end,
  }
  fix "end-transaction" {
    when = "idle-transaction", risk = "high",
    no_undo = { zh = "它没有提交的修改会回滚", en = "what it has not committed is rolled back" },
    title   = { zh = "断开会话 {id}（{user}），回滚它的事务", en = "end session {id} ({user}) and roll its transaction back" },
    run = function(p, f) driver.kill(p.db_admin, f.id, f.started) end,
  }
  fix "restart" {
    when = { "stopped", "hung" }, risk = o.restart_risk or "medium", key = "db_keeper", within = "60s", why = why.restart,
    no_undo = { zh = "所有会话都会断开，未提交的事务回滚", en = "all sessions end, and what they had not committed is rolled back" },
    title   = { zh = "重启数据库 {db_keeper}", en = "restart the database {db_keeper}" },
    run = function(p) keeper.restart(p.db_keeper) end,
    verify = up,
  }
  fix "restart-backend" {
    when = "backend", risk = "medium", within = "60s", no_undo = { zh = "后端会中断几秒", en = "the backend is gone for some seconds" },
    title = { zh = "重启后端 {backend_keeper}，让它重新连库", en = "restart the backend {backend_keeper}, so that it connects again" },
    run = function(p) keeper.restart(p.backend_keeper) end,
    verify = function(p) return http.get(p.health_url, { timeout = p.patience }).ok end,
  }
end
