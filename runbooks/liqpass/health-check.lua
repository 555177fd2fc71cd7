runbook "liqpass/health-check" {
  title    = { zh = "服务健康检查", en = "Service health check" },
  alias    = "health-check",
  severity = "P1",
  kind     = "monitor",
  symptoms = { "US Backend: FAILED", "JP Verify: FAILED", "Database: FAILED" },
  source   = "LiqPass 错误处理与故障排查手册 3.1.1",
}

param "db"
param "lock_wait" { type = "duration", default = "2s", title = { zh = "锁持续多久才算锁死", en = "how long a lock must last to count" } }

generic.health_probe {
  endpoints = {
    { name = "us", param = "us_health_url", title = { zh = "后端服务 US Backend", en = "US Backend" }, advice = "runbook exec liqpass/backend-unreachable" },
    { name = "jp", param = "jp_health_url", title = { zh = "验证服务 JP Verify", en = "JP Verify" }, advice = "runbook exec liqpass/backend-unreachable" },
  },
}

finding "db-failed" { title = { zh = "数据库不可用", en = "the database is not usable" } }
finding "db-missing" {
  explains = "db-failed", severity = "P0",
  title  = { zh = "没有数据库文件 {path}", en = "there is no database file {path}" },
  advice = "runbook exec liqpass/db-recovery",
}
finding "db-corrupt" {
  explains = "db-failed", severity = "P0",
  title  = { zh = "数据库文件损坏：{message}", en = "the database file is corrupt: {message}" },
  advice = "runbook exec liqpass/db-recovery",
}
finding "db-unusable" {
  explains = "db-failed",
  title  = { zh = "数据库查不了：{message}", en = "the database cannot be looked at: {message}" },
  advice = { zh = "看文件的权限和磁盘，再 runbook exec liqpass/db-locked", en = "look at the file's rights and at the disk, then runbook exec liqpass/db-locked" },
}
finding "db-locked" {
  explains = "db-failed",
  title  = { zh = "数据库被锁（{kind}），写不进去", en = "the database is locked ({kind}) and cannot be written" },
  advice = "runbook exec liqpass/db-locked",
}

check "database" {
  title = { zh = "数据库", en = "the database" },
  why   = { zh = "手册的 SELECT 1 对锁死的库和垃圾文件都返回 OK，文件不存在时还会新建一个空库；这里只读打开、读表、看锁",
            en = "the manual's SELECT 1 says OK for a locked database and for a garbage file, and creates an empty one where none is; "
              .. "this opens it for reading only, reads its tables, and looks at its locks" },
  run   = function(p)
    local function failed(how, evidence) found "db-failed" found(how, evidence) end
    if not file.stat(p.db) then return failed("db-missing", { path = p.db }) end
    local l = sqlite.locks(p.db, { wait = p.lock_wait })
    if l.locked then return failed("db-locked", { kind = l.kind }) end
    local whole = sqlite.integrity(p.db, { wait = p.lock_wait })
    if whole.state == "corrupt" or whole.state == "not_a_database" then return failed("db-corrupt", { message = whole.message or whole.state }) end
    -- A large database is not read through within one look; the rest is no damage.
    if whole.state ~= "ok" and whole.state ~= "timeout" then return failed("db-unusable", { message = whole.message or whole.state }) end
    local tables = sql(p.db):value("SELECT count(*) FROM sqlite_master WHERE type = 'table'")
    if tables == 0 then return failed("db-corrupt", { message = "no tables" }) end
    ok({ zh = "{n} 张表，可读，没有锁", en = "{n} tables, readable, not locked" }, { n = tables })
  end,
}

schedule "watch" { every = "1m", mode = "diagnose", overlap = "skip" }

prevent "told" {
  title   = { zh = "失败时通知谁", en = "who is told" },
  by_hand = { zh = "手册只留了一句注释“触发告警”。在配置里写 schedule \"liqpass/health-check/watch\" { notify = { \"oncall\" } }，再用 runbook exec liqpass/ops/alert-selftest 确认能收到",
              en = "the manual leaves the alert as a comment. Put schedule \"liqpass/health-check/watch\" { notify = { \"oncall\" } } into the configuration, "
                .. "then runbook exec liqpass/ops/alert-selftest to see that it arrives" },
}
