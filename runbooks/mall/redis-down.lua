runbook "mall/redis-down" {
  title    = { zh = "Redis 连接失败", en = "Redis connection failed" },
  severity = "P1", kind = "incident",
  target   = "{cache_keeper}",
  codes    = { "NOAUTH", "WRONGPASS", "MISCONF", "OOM" },
  symptoms = { "缓存失效", "OOM command not allowed", "MISCONF Redis is configured to save RDB snapshots", "max number of clients reached" },
  source   = "Mall 故障处理手册 2.3",
  impact   = { zh = "缓存失效，接口变慢；库存锁也在里面", en = "caches are gone and requests slow; the stock locks are in it, too" },
}

generic.redis_down {
  why = {
    ping    = { zh = "手册的 redis-cli -a 把密码放进进程列表；这里走 AUTH，并区分密码错、正在加载、挂住",
                en = "the manual's redis-cli -a shows the password in the list of processes; this uses AUTH, and tells a wrong password, loading "
                  .. "and hanging apart" },
    memory  = { zh = "满了要先看淘汰策略：noeviction 满了就拒绝写入", en = "when it is full the policy matters: with noeviction it refuses writes" },
    unlink  = { zh = "手册说“清理过期键”，删的其实是还有效的键；xargs 里的第二个 redis-cli 连的是宿主机上另一个 Redis，带空格的键还会断开。"
                  .. "这里在同一个连接上 SCAN 加 UNLINK，锁和会话不碰",
                en = "the manual calls it expired keys, but deletes live ones; its second redis-cli talks to another Redis, on the host, and keys with "
                  .. "spaces break. This uses SCAN and UNLINK on one connection, and leaves locks and sessions alone" },
    restart = { zh = "只有停了或挂住才重启：没存盘的锁和计数会丢", en = "only if it stopped or hangs: locks and counters that are not saved are lost" },
  },
}

prevent "memory" { title = { zh = "内存使用率", en = "memory use" }, by_hand = { zh = "给内存使用率 80% 设告警", en = "alert at 80% of memory" } }
prevent "policy" {
  title = { zh = "驱逐策略", en = "eviction policy" },
  run   = function(p)
    local now = redis(p.cache):config("maxmemory*")
    if now["maxmemory-policy"] == "noeviction" then
      advise { zh = "缓存和锁分开两个 Redis：缓存用 allkeys-lru，锁和会话用 noeviction", en = "two Redis: allkeys-lru for caches, noeviction for locks and sessions" }
    end
  end,
}
prevent "expiry" {
  title = { zh = "过期数据", en = "expiry" },
  run   = function(p)
    local c, without = redis(p.cache), 0
    for _, key in ipairs((c:scan { match = p.pattern, max = 100 })) do
      if c:ask("TTL", key) == -1 then without = without + 1 end
    end
    if without > 0 then advise({ zh = "抽查 100 个缓存键，{n} 个没有过期时间", en = "{n} of 100 cache keys never expire" }, { n = without }) end
  end,
}
