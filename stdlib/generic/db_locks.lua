-- Transactions that wait for each other's locks (G4). options: driver = mysql or postgres; why = { waits, kill, deadlock }: what
-- the manual does there, and why this does it otherwise. The system's profile declares db_admin.
return function(o)
  options(o, { driver = "module!", why = "table!" })
  local driver, why = o.driver, o.why

  param "db_admin"
  param "wait" { type = "duration", default = "10s", min = "1s", title = { zh = "等锁多久要处理", en = "how long a lock wait must last to count" } }
  param "min_age" { type = "duration", default = "30s", min = "0s", title = { zh = "挡路的事务至少开了多久", en = "how long a blocking transaction must be open" } }
  param "kill_limit" { type = "int", default = 3, min = 1, title = { zh = "一次最多结束几个", en = "sessions ended at most" } }
  param "deadlock_window" { type = "duration", default = "10m", title = { zh = "多近的死锁要报告", en = "how recent a deadlock must be to be told" } }

  -- Who blocks and waits for nobody: ending it lets the others go.
  local function roots(waits)
    local waiting, list, seen = {}, {}, {}
    for _, one in ipairs(waits) do waiting[one.waiting] = true end
    for _, one in ipairs(waits) do
      if not waiting[one.blocking] and not seen[one.blocking] then
        seen[one.blocking] = true
        list[#list + 1] = one
      end
    end
    return list
  end

  finding "waiting" {
    key = "waiting", title = { zh = "会话 {waiting} 等锁 {seconds:duration}：{query}",
                               en = "session {waiting} has waited for a lock for {seconds:duration}: {query}" },
    advice = { zh = "挡路的事务还年轻，先等等", en = "the transaction in its way is still young; wait" },
  }
  local key = { "id" }
  finding "idle-blocker" {
    explains = "waiting", key = key,
    title = { zh = "会话 {id}（{user}）占着锁不干活，事务开了 {age:duration}，改了 {rows} 行",
              en = "session {id} ({user}) holds the lock and does nothing; open for {age:duration}, {rows} rows changed" },
  }
  finding "busy-blocker" {
    explains = "waiting", key = key,
    title = { zh = "会话 {id}（{user}）占着锁在执行：{query}", en = "session {id} ({user}) holds the lock and runs: {query}" },
  }
  finding "prepared-blocker" {
    explains = "waiting",
    title  = { zh = "一个 XA 已准备、没有会话的事务占着锁，开了 {age:duration}", en = "a transaction prepared by XA, without a session, holds the lock; open for {age:duration}" },
    advice = { zh = "XA RECOVER 看是哪个；问事务管理器该 XA COMMIT 还是 XA ROLLBACK。结束会话或重启都没有用，它会留下来",
               en = "XA RECOVER lists it; ask the transaction manager whether to XA COMMIT or XA ROLLBACK. Ending sessions or a restart does not "
                 .. "help: it stays" },
  }
  finding "table-wait" {
    key = "id", title = { zh = "会话 {id} 等整张表 {seconds:duration}（{doing}）：{query}",
                          en = "session {id} has waited for a whole table for {seconds:duration} ({doing}): {query}" },
    advice = { zh = "占着的可能是没提交的事务（附件）、LOCK TABLES 或 FLUSH TABLES WITH READ LOCK（多半是备份）：先问清楚再结束",
               en = "who has it may be an open transaction (attached), LOCK TABLES, or FLUSH TABLES WITH READ LOCK, mostly a backup: ask before ending it" },
  }
  finding "change-waits" {
    key = "id", title = { zh = "会话 {id} 等着改表 {seconds:duration}，{behind} 个会话排在它后面：{query}",
                          en = "session {id} has waited to change a table for {seconds:duration}, {behind} sessions queue behind it: {query}" },
    verify = function(p, f)
      for _, one in ipairs(driver.table_waits(p.db_admin)) do
        if one.id == f.id and one.change then return false, { zh = "它还在等", en = "it still waits" } end
      end
      return true
    end,
  }
  finding "deadlock" {
    severity = "P3",
    title  = { zh = "{seconds:duration}前有过死锁，数据库已经回滚了其中一个", en = "there was a deadlock {seconds:duration} ago; the server rolled one of the two back" },
    advice = { zh = "不用结束任何会话。把附件里两个语句给开发：按同样的顺序访问表、加索引、缩短事务",
               en = "end nobody. Give the two statements attached to the developers: same order of tables, an index, shorter transactions" },
  }

  check "waits" {
    title = { zh = "谁在等锁", en = "who waits for a lock" }, why = why.waits,
    run = function(p)
      local all, old = driver.blockers(p.db_admin), {}
      for _, one in ipairs(all) do
        if one.seconds >= p.wait then
          found("waiting", { waiting = one.waiting, seconds = one.seconds, query = text.cut(one.query ~= null and one.query or "?", 80) })
          old[#old + 1] = one
        end
      end
      ok({ zh = "{n} 个在等", en = "{n} wait" }, { n = #all })
      return { waits = old }
    end,
  }
  check "tables" {
    title = { zh = "谁在等整张表", en = "who waits for a whole table" },
    run = function(p)
      local old, change = {}, nil
      for _, one in ipairs(driver.table_waits and driver.table_waits(p.db_admin) or {}) do
        if one.seconds >= p.wait then
          old[#old + 1] = one
          change = change or one.change and one -- the longest: the others wait behind it
        end
      end
      ok({ zh = "{n} 个在等", en = "{n} wait" }, { n = #old })
      if #old == 0 then return end
      attach("open transactions", driver.transactions(p.db_admin, 0))
      local function query(one) return text.cut(one.query ~= null and one.query or "?", 80) end
      if change then
        found("change-waits", { id = change.id, seconds = change.seconds, query = query(change), behind = #old - 1 })
        return
      end
      for _, one in ipairs(old) do found("table-wait", { id = one.id, seconds = one.seconds, doing = one.doing, query = query(one) }) end
    end,
  }
  check "blockers" {
    when = "waiting", title = { zh = "谁挡着", en = "who is in the way" },
    run = function(p, r)
      local shown = 0
      for _, one in ipairs(roots(r.waits.waits)) do
        if one.blocking == 0 then found("prepared-blocker", { age = one.blocking_seconds }) end
        local query = one.blocking_query ~= null and one.blocking_query or nil
        if one.blocking ~= 0 and one.blocking_seconds >= p.min_age and shown < p.kill_limit then
          shown = shown + 1
          found(query and "busy-blocker" or "idle-blocker", {
            id = one.blocking, started = one.started, user = one.user, age = one.blocking_seconds, rows = one.rows,
            query = query and text.cut(query, 80),
          })
        end
      end
    end,
  }
  check "deadlock" {
    title = { zh = "最近的死锁", en = "the last deadlock" }, why = why.deadlock,
    run = function(p)
      local last = driver.deadlock and driver.deadlock(p.db_admin)
      if not last then return ok { zh = "没有", en = "none" } end
      local seconds = sql(p.db_admin):value("SELECT TIMESTAMPDIFF(SECOND, ?, NOW())", last.at)
      if seconds > p.deadlock_window then return ok({ zh = "{seconds:duration}前", en = "{seconds:duration} ago" }, { seconds = seconds }) end
      attach("deadlock", last.text)
      found("deadlock", { seconds = seconds })
    end,
  }

  local function still_blocks(p, f)
    for _, one in ipairs(driver.blockers(p.db_admin)) do
      if one.blocking == f.id then return true end
    end
    return false, { zh = "它已经不挡着了", en = "it is no longer in the way" }
  end
  local lost = { zh = "它没有提交的 {rows} 行会回滚，行数多时回滚也要时间", en = "its {rows} uncommitted rows are rolled back, which takes time when they are many" }
  fix "end-idle-blocker" {
    when = "idle-blocker", risk = "high", no_undo = lost, guard = still_blocks, why = why.kill, within = "30s",
    title = { zh = "断开会话 {id}（{user}），回滚它的事务", en = "end session {id} ({user}) and roll its transaction back" },
    run   = function(p, f) driver.kill(p.db_admin, f.id, f.started) end,
  }
  fix "cancel-change" {
    when = "change-waits", risk = "high", within = "30s", no_undo = { zh = "表还没有开始改，什么也不会丢", en = "the change has not begun, so nothing is lost" },
    title = { zh = "取消会话 {id} 的 {query}，让后面的过去", en = "cancel {query} of session {id}, and let those behind it through" },
    run   = function(p, f) driver.cancel(p.db_admin, f.id) end,
  }
  fix "cancel-blocker" {
    when = "busy-blocker", risk = "high", no_undo = lost, guard = still_blocks, within = "30s",
    title = { zh = "取消会话 {id} 正在执行的语句，再断开它", en = "cancel what session {id} runs, then end it" },
    run   = function(p, f)
      driver.cancel(p.db_admin, f.id, f.started)
      driver.kill(p.db_admin, f.id, f.started)
    end,
  }
end
