-- A Redis that does not answer, is full, or is about to be (G6). options: why = { ping, unlink, restart, memory }: what the
-- manual does there, and why this does it otherwise. The system's profile declares cache, cache_keeper, cache_log.
return function(o)
  options(o, { why = "table!" })
  local why = o.why

  param "cache"
  param "cache_keeper"
  param "cache_log"
  param "patience" { type = "duration", default = "3s", min = "1s", max = "1m", title = { zh = "等应答多久", en = "how long to wait for an answer" } }
  param "pattern" { type = "string", default = "*:cache:*", title = { zh = "可以清掉的缓存键", en = "cache keys that may go" } }
  param "protect" {
    type = "list(string)", default = { "stock:lock:*", "session:*", "queue:*" },
    title = { zh = "绝不能动的键", en = "keys that must stay" },
  }
  param "batch" { type = "int", default = 500, min = 1, max = 10000, title = { zh = "每批删多少个", en = "keys removed at a time" } }
  param "mem_pct" { type = "int", default = 90, min = 1, max = 100, title = { zh = "内存用到百分之几算满", en = "percentage of memory that counts as full" } }
  param "max_clients_pct" { type = "int", default = 80, min = 1, max = 100, title = { zh = "连接用到百分之几要处理", en = "percentage of clients at which to act" } }
  param "idle" { type = "duration", default = "10m", title = { zh = "空闲多久的连接可以断开", en = "a client idle for so long may be ended" } }
  param "target_maxmemory" { type = "size", default = "1GB", title = { zh = "maxmemory 调到多少", en = "what maxmemory is set to" } }
  param "policy" {
    type = "enum", choices = { "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-ttl" }, default = "allkeys-lru",
    title = { zh = "内存满了淘汰谁", en = "what goes when memory is full" },
  }

  local function cache(p) return redis(p.cache, { timeout = p.patience }) end
  local function up(p) return cache(p):probe() end
  -- What a server that answers says instead of PONG; refused and unreachable are told apart by the keeper.
  local SIGNS = {
    { "LOADING", "loading" }, { "MISCONF", "not-saving" }, { "BUSY", "script" }, { "MASTERDOWN", "replica" }, { "max number of clients", "clients" },
  }
  local function cause_of(err)
    if err.code == "auth" then return "auth" end
    for _, sign in ipairs(SIGNS) do
      if err.message:find(sign[1], 1, true) then return sign[2] end
    end
    return "down"
  end
  -- Of the configuration; an account that may not see it sees the default.
  local function setting(p, name, default)
    local c = cache(p)
    local all = try(c.config, c, name)
    return all and all[name] or default
  end

  finding "loading" {
    blocks = true, title = { zh = "Redis 正在把数据读进内存", en = "Redis is loading its data into memory" },
    advice = { zh = "等它读完；重启会从头再来", en = "wait until it is done; a restart makes it begin again" },
  }
  finding "down" {
    title  = { zh = "Redis 没有应答：{message}", en = "Redis does not answer: {message}" }, verify = up, within = "30s",
    advice = { zh = "看下面的原因", en = "see the causes below" },
  }
  finding "stopped" { explains = "down", title = { zh = "Redis 没有在运行（{detail}）", en = "Redis is not running ({detail})" } }
  finding "hung" { explains = "down", title = { zh = "进程还在，{patience} 内没有应答", en = "it runs, but does not answer within {patience}" } }
  finding "unreachable" {
    explains = "down", title = { zh = "Redis 在运行，但网络不通或端口不对", en = "Redis runs, but nothing gets through to it" },
    advice = { zh = "查 bind、端口、防火墙；重启没有用", en = "look at bind, port and firewall; a restart does not help" },
  }
  finding "auth" {
    title  = { zh = "Redis 拒绝密码：{message}", en = "Redis refuses the password: {message}" },
    advice = { zh = "核对应用的密码和 requirepass 哪个改过；不要重启", en = "compare the application's password with requirepass; do not restart" },
  }
  finding "not-saving" {
    title  = { zh = "Redis 存不了盘，因此拒绝写入（MISCONF）", en = "Redis cannot save to disk and so refuses writes (MISCONF)" },
    advice = { zh = "看它的数据盘是不是满了（disk-full 手册）；腾出空间后它会自己恢复，不要关掉 stop-writes-on-bgsave-error",
               en = "is its disk full (runbook disk-full)? it recovers by itself once there is room; do not turn stop-writes-on-bgsave-error off" },
  }
  finding "script" {
    title  = { zh = "一个脚本一直在跑，Redis 谁也不理", en = "a script runs on and on, and Redis answers nobody else" }, verify = up,
    advice = { zh = "它已经写过数据时杀不掉：等它结束；SHUTDOWN NOSAVE 会丢掉上次存盘以后的一切",
               en = "one that has written cannot be ended: wait for it; SHUTDOWN NOSAVE loses all since the last save" },
  }
  finding "no-replicas" {
    title  = { zh = "主库拒绝写入：跟上的副本只有 {good} 个，min-replicas-to-write 要 {min} 个",
               en = "the master refuses writes: {good} replicas keep up, min-replicas-to-write wants {min}" },
    advice = { zh = "查副本为什么断开或落后，把它们接回来；重启主库没有用",
               en = "find out why the replicas are gone or behind, and bring them back; restarting the master does not help" },
  }
  finding "replica" {
    title  = { zh = "这是一个只读副本，不是主库", en = "this is a read-only replica, not the master" },
    advice = { zh = "确认主库在哪，让应用连主库；不要在这里改角色", en = "find the master and point the application at it; do not change roles here" },
  }
  finding "memory-full" {
    title  = { zh = "内存用了 {used:size}，上限 {max:size}（{pct}%）", en = "{used:size} of {max:size} of memory is used ({pct}%)" },
    verify = up,
  }
  finding "noeviction" { explains = "memory-full", title = { zh = "满了也没有可淘汰的（{policy_now}）", en = "nothing can be evicted ({policy_now})" } }
  finding "no-maxmemory" { severity = "P3", title = { zh = "没有设 maxmemory，会一直涨到系统杀掉它", en = "maxmemory is not set; it grows until the system kills it" } }
  finding "clients" {
    title  = { zh = "连接 {used} 个，上限 {max}（{pct}%）", en = "{used} of {max} clients ({pct}%)" },
    advice = { zh = "没有可断开的空闲连接，或连不进去数：在应用主机上查谁开了这么多连接，减小连接池",
               en = "none idle to end, or no way in to count them: on the application's hosts find out who opens so many, and make the pool smaller" },
  }
  finding "idle-client" {
    explains = "clients", key = "id", title = { zh = "连接 {id}（{addr}）空闲了 {seconds:duration}",
                                                en = "client {id} ({addr}) has been idle for {seconds:duration}" },
  }

  check "server" {
    title = { zh = "Redis 在运行吗", en = "is Redis running" },
    run = function(p)
      local kept = keeper.state(p.cache_keeper)
      ok("{state}（{detail}）", kept)
      return kept
    end,
  }
  check "ping" {
    title = { zh = "应答吗", en = "does it answer" }, why = why.ping,
    run = function(p, r)
      local c = cache(p)
      local answer, err = try(c.ask, c, "PING")
      if answer then ok(answer) return { answer = answer } end
      local cause = cause_of(err)
      if cause == "not-saving" then found(cause) return { answer = "MISCONF" } end
      found(cause, { message = err.message, used = "?", max = "?", pct = 100, master = "?" })
      if cause == "loading" then return end
      attach("log", keeper.logs(p.cache_keeper, p.cache_log))
      if cause ~= "down" then return end
      if r.server.state ~= "running" then found("stopped", { detail = r.server.detail })
      elseif err.code == "timeout" then found "hung"
      else found "unreachable" end
    end,
  }
  -- At its limit a cache that evicts is as it should be.
  local function makes_room(c, policy)
    if policy:find("allkeys", 1, true) then return true end
    return policy:find("volatile", 1, true) ~= nil and c:ask("INFO", "keyspace"):find("expires=[1-9]") ~= nil
  end
  check "memory" {
    title = { zh = "内存", en = "memory" }, why = why.memory,
    run = function(p, r)
      if not r.ping.answer then return end
      local c = cache(p)
      local m = c:info "memory"
      if m.maxmemory == 0 then found("no-maxmemory", { used = m.used_memory }) return end
      local pct = math.floor(m.used_memory * 100 / m.maxmemory)
      ok({ zh = "{pct}%，碎片率 {ratio}", en = "{pct}%, fragmentation {ratio}" }, { pct = pct, ratio = m.mem_fragmentation_ratio })
      if pct < p.mem_pct or makes_room(c, m.maxmemory_policy) then return end
      local keys, all = c:scan { match = p.pattern, max = 1000 }
      local count = all and #keys or #keys .. "+"
      found("memory-full", { used = m.used_memory, max = m.maxmemory, pct = pct, keys = count, sample = { table.unpack(keys, 1, 5) } })
      found("noeviction", { policy_now = m.maxmemory_policy })
    end,
  }
  check "clients" {
    title = { zh = "连接数", en = "clients" },
    run = function(p, r)
      if not r.ping.answer then return end
      local info = cache(p):info "clients"
      local max = info.maxclients or tonumber(setting(p, "maxclients", 10000))
      local pct = math.floor(info.connected_clients * 100 / max)
      ok({ zh = "{n} / {max}，等待中 {blocked}",
           en = "{n} of {max}, {blocked} waiting" }, { n = info.connected_clients, max = max, blocked = info.blocked_clients })
      if pct < p.max_clients_pct then return end
      found("clients", { used = info.connected_clients, max = max, pct = pct })
      for _, one in ipairs(cache(p):clients()) do
        if one.idle >= p.idle and one.flags == "N" then found("idle-client", { id = one.id, addr = one.addr, seconds = one.idle }) end
      end
    end,
  }
  check "saving" {
    title = { zh = "能存盘吗，是主库吗", en = "can it save, is it the master" },
    run = function(p, r)
      if not r.ping.answer then return end
      local saved = cache(p):info "persistence"
      local refuses = saved.rdb_last_bgsave_status == "err" and setting(p, "stop-writes-on-bgsave-error", "yes") == "yes"
      if refuses or saved.aof_last_write_status == "err" then found "not-saving" end
      local role = cache(p):info "replication"
      local good, min = role.min_slaves_good_slaves, tonumber(setting(p, "min-replicas-to-write", 0))
      if good and good < min then found("no-replicas", { good = good, min = min }) end
      if role.role == "slave" then found("replica", { master = role.master_host }) end
      ok("{role}", role)
      return { dirty = saved.rdb_changes_since_last_save, aof = saved.aof_enabled == 1 }
    end,
  }

  local function set(p, name, value)
    local before = cache(p):config(name)[name]
    cache(p):call("CONFIG", "SET", name, value)
    keep { before = before }
    local kept = try(cache(p).call, cache(p), "CONFIG", "REWRITE")
    if not kept then note { zh = "没有配置文件可改：重启后这个值就没了", en = "it has no file to keep this in: after a restart it is gone" } end
    return { before = before }
  end
  fix "restart" {
    when = { "stopped", "hung" }, risk = "high", key = "cache_keeper", within = "60s", why = why.restart,
    no_undo = { zh = "没有存盘的缓存、锁和计数都会丢", en = "caches, locks and counters that are not saved are lost" },
    title   = { zh = "重启 Redis：{cache_keeper}", en = "restart Redis: {cache_keeper}" },
    run     = function(p) keeper.restart(p.cache_keeper) end,
    verify  = up,
  }
  fix "end-script" {
    when = "script", risk = "medium", title = { zh = "结束这个脚本（SCRIPT KILL）", en = "end the script (SCRIPT KILL)" },
    no_undo = { zh = "只对还没写过数据的脚本有效，什么也不会丢", en = "it works only on a script that has written nothing, so nothing is lost" },
    run     = function(p) cache(p):call("SCRIPT", "KILL") end,
  }
  fix "evict" {
    when = "noeviction", risk = "medium", title = { zh = "满了按 {policy} 淘汰", en = "evict by {policy} when it is full" },
    guard = function(p)
      for _, pattern in ipairs(p.protect) do
        if p.policy:find("allkeys", 1, true) and #cache(p):scan { match = pattern, max = 1 } > 0 then
          return false, { zh = "这里还存着不能淘汰的键（{protect:list}）", en = "it also holds keys that must stay ({protect:list})" }
        end
      end
      return true
    end,
    run   = function(p) return set(p, "maxmemory-policy", p.policy) end,
    undo  = function(p, f, r) set(p, "maxmemory-policy", r.evict.before) end,
  }
  fix "clear-cache" {
    when = "memory-full", risk = "high", key = "pattern", why = why.unlink,
    no_undo = { zh = "缓存会从数据库重新生成，头几分钟会慢", en = "caches are made anew from the database; the first minutes are slow" },
    title   = { zh = "清掉匹配 {pattern} 的 {keys} 个缓存键", en = "remove the {keys} cache keys that match {pattern}" },
    confirm = { zh = "例如 {sample:list}。{protect:list} 不动", en = "such as {sample:list}. {protect:list} stay" },
    guard   = function(p, f) return f.keys ~= 0, { zh = "没有匹配 {pattern} 的键", en = "no key matches {pattern}" } end,
    run     = function(p) return cache(p):unlink { match = p.pattern, protect = p.protect, batch = p.batch, timeout = "5m" } end,
  }
  fix "raise-maxmemory" {
    when = { "memory-full", "no-maxmemory" }, risk = "medium",
    title = { zh = "maxmemory 调到 {target_maxmemory}", en = "set maxmemory to {target_maxmemory}" },
    guard = function(p, f)
      local room = math.floor(system.memory().total * 0.75)
      if p.target_maxmemory > room then return false, { zh = "超过这台机器内存的 75%", en = "more than 75% of this machine's memory" } end
      return p.target_maxmemory > (f.max or 0), { zh = "不比现在的大", en = "no larger than it is" }
    end,
    run   = function(p) return set(p, "maxmemory", p.target_maxmemory) end,
    undo  = function(p, f, r) set(p, "maxmemory", r.raise_maxmemory.before) end,
  }
  fix "end-idle" {
    when = "idle-client", batch = true, risk = "high", no_undo = { zh = "被断开的会自己重连", en = "whoever was disconnected connects again" },
    title = { zh = "断开 {n} 个空闲连接", en = "end {n} idle clients" },
    run   = function(p, fs) for one in progress(fs, { zh = "断开", en = "ending" }) do try(cache(p).call, cache(p), "CLIENT", "KILL", "ID", one.id) end end,
  }
end
