runbook "mall/backup" {
  title    = { zh = "数据备份（数据库、配置、证书）", en = "Backup of database, configuration and certificates" },
  severity = "P2", kind = "maintenance",
  target   = "{backup_dir}",
  source   = "Mall 故障处理手册 五 5.1",
}

param "db_host"
param "db_port"
param "db_user"     { type = "string", default = "backup", title = { zh = "备份用的数据库账号", en = "the database account for backups" } }
param "db_password" { type = "secret", default = "mall-backup-password", title = { zh = "它的密码（配置里的 secret）",
                                                                                   en = "its password, a secret of the configuration" } }
param "db_name"     { type = "string", default = "mall", title = { zh = "库名", en = "the database" } }
param "db_admin"    { title = { zh = "管理账号的连接，试恢复时建库用", en = "an administrator's connection, for the trial restore" } }
param "backup_dir"  { type = "path", default = "/data/backup", title = { zh = "备份放在哪里", en = "where backups go" } }
param "config_paths" { type = "list(path)", default = { "/opt/mall-system/.env.prod", "/etc/nginx" }, title = { zh = "要备份的配置", en = "configurations" } }
param "ssl_dir"     { type = "path", default = "/etc/nginx/ssl", title = { zh = "证书目录", en = "certificates" } }
param "encrypt_for" {
  type = "string", default = "",
  title = { zh = "用哪张证书（PEM）加密备份，私钥放在别处；空着就不加密", en = "the certificate (PEM) that backups are encrypted for, its key kept elsewhere; empty: none" },
}
param "shrink_pct"  { type = "int", default = 50, min = 0, max = 100, title = { zh = "比上一份小百分之多少就算异常", en = "smaller than the last one by so much is wrong" } }
param "keep"        { type = "duration", default = "30d", title = { zh = "保留多久", en = "how long they are kept" } }

local function server(p, database)
  return { host = p.db_host, port = p.db_port, user = p.db_user, password = p.db_password, database = database or p.db_name }
end
-- The newest dump, encrypted or not.
local DUMPS = { "mall_*.sql", "mall_*.sql.cms" }
local function last_dump(p)
  local newest
  for _, name in ipairs(file.stat(p.backup_dir) and DUMPS or {}) do
    local one = backup.newest(p.backup_dir, { name = name })
    if one and not (newest and newest.mtime > one.mtime) then newest = one end
  end
  return newest
end
-- CMS with the certificate's key: only its owner reads it; the plain one goes once the other is whole.
local function encrypt(p, path)
  local to = path .. ".cms"
  shell.run { "openssl", "cms", "-encrypt", "-binary", "-stream", "-aes256", "-outform", "DER", "-in", path, "-out", to, p.encrypt_for, umask = "0077",
    timeout = "1h" }
  backup.record(to, { kind = "encrypted", source = path })
  file.remove(path)
  file.remove(path .. ".manifest.json")
  return to
end
local function scratch(r) return "runbook_trial_" .. r.database.path:match("(%d+_%d+)") end
local function whole(path)
  local answer = backup.verify(path)
  return answer.state == "ok", answer.why
end

check "room" {
  title = { zh = "备份盘的空间", en = "room for a backup" },
  run   = function(p)
    local last = last_dump(p)
    local free, need = system.disk(file.stat(p.backup_dir) and p.backup_dir or p.backup_dir:match("^(.+)/") or "/").free, last and last.bytes * 2 or 0
    if free < need then fail({ zh = "只剩 {free:size}，需要 {need:size}", en = "{free:size} free, {need:size} needed" }, { free = free, need = need }) end
    ok({ zh = "剩 {free:size}，上一份 {last:size}", en = "{free:size} free, the last one {last:size}" }, { free = free, last = last and last.bytes or 0 })
    return { last = last and last.bytes, path = last and last.path }
  end,
}
check "server" {
  title = { zh = "数据库能不能连", en = "does the database answer" },
  run   = function(p)
    local up, why = mysql.ping(p.db_admin)
    if not up then fail({ zh = "连不上：{message}", en = "no: {message}" }, why) end
  end,
}

step "database" {
  risk  = "low", timeout = "1h",
  title = { zh = "导出数据库 {db_name}", en = "dump the database {db_name}" },
  why   = { zh = "手册的 backup_mysql.sh 没有附上；这里 --single-transaction 不锁表，带存储过程、触发器和事件，密码不进参数，末尾必须有 Dump completed",
            en = "the manual's backup_mysql.sh is not supplied; this dumps in one transaction without locks, with routines, triggers and events, no password "
              .. "in an argument, and wants \"Dump completed\" at the end" },
  run   = function(p)
    local path = ("%s/mall_%s.sql"):format(p.backup_dir, (fmt.time(now(), true):gsub("T", "_"):gsub("Z", "")))
    file.mkdir(p.backup_dir, { mode = "0700" })
    keep { path = path }
    mysql.dump(server(p), path)
    backup.record(path, { kind = "mysql", source = p.db_name })
    return { path = path }
  end,
  verify = function(p, r)
    local last, size = r.room.last, file.stat(r.database.path).size
    if last and size < last * (100 - p.shrink_pct) / 100 then return false, { zh = "比上一份小太多", en = "much smaller than the last one" } end
    return whole(r.database.path)
  end,
}
step "trial" {
  risk  = "low", timeout = "1h",
  title = { zh = "试恢复到临时库，与原库对比行数", en = "restore it into a database made for that, and compare the tables" },
  why   = { zh = "没有恢复过的备份不算备份", en = "a backup that was never restored is none" },
  run   = function(p, r)
    local name = scratch(r)
    mysql.create(p.db_admin, name)
    local good, problem = try(mysql.import, server(p, name), r.database.path, { events = false })
    local differs = not problem and mysql.compare(p.db_admin, p.db_name, name) or {}
    mysql.drop(p.db_admin, name)
    if problem then fail({ zh = "导不进去：{why}", en = "it cannot be imported: {why}" }, { why = problem.message }) end
    local gone = {}
    for _, t in ipairs(differs) do
      if t.right == nil then gone[#gone + 1] = t.name end -- the live one goes on changing; a table that is not there is lost
    end
    if #gone > 0 then fail({ zh = "备份里没有表：{tables:list}", en = "the backup lacks tables: {tables:list}" }, { tables = gone }) end
    return { changed_since = #differs, imported = good ~= false }
  end,
}
step "config" {
  risk  = "low", title = { zh = "备份配置", en = "back up the configuration" },
  why   = { zh = "手册把含密码的归档放在当前目录，谁都能读；这里 0600，放进备份目录。/etc/nginx 里的 ssl 另外备份，不重复",
            en = "the manual leaves archives with passwords in the current folder, readable for all; these have mode 0600 and lie in the backup folder. "
              .. "ssl below /etc/nginx has an archive of its own" },
  run    = function(p) return backup.files(p.config_paths, p.backup_dir, "config_backup", { exclude = { p.ssl_dir } }) end,
  verify = function(_, r) return whole(r.config.path) end,
}
step "certificates" {
  risk   = "low", title = { zh = "备份证书", en = "back up the certificates" },
  run    = function(p) return backup.files({ p.ssl_dir }, p.backup_dir, "ssl_backup") end,
  verify = function(_, r) return whole(r.certificates.path) end,
}

step "encrypt" {
  when  = function(p) return p.encrypt_for ~= "" end,
  risk  = "low", timeout = "2h", title = { zh = "用 {encrypt_for} 加密三份备份，删掉明文", en = "encrypt the three for {encrypt_for}, and remove the plain ones" },
  why   = { zh = "归档里有 .env.prod 和 TLS 私钥；试恢复在加密之前做。解密：openssl cms -decrypt -inform DER -inkey 私钥 -in 文件 -out 文件",
            en = "they hold .env.prod and TLS keys; the trial came before. To read one: openssl cms -decrypt -inform DER -inkey KEY -in FILE -out FILE" },
  run   = function(p, r)
    local made = {}
    for i, path in ipairs { r.database.path, r.config.path, r.certificates.path } do
      made[i] = encrypt(p, path)
      keep { paths = made }
    end
    return { paths = made }
  end,
  verify = function(_, r)
    for _, path in ipairs(r.encrypt.paths) do
      if not whole(path) or not shell.read({ "openssl", "cms", "-cmsout", "-noout", "-inform", "DER", "-in", path }).ok then return false, path end
    end
    return #r.encrypt.paths == 3
  end,
}

schedule "nightly" { cron = "30 2 * * *", tz = "Asia/Shanghai", mode = "fix", allow = "low" }

prevent "old" {
  title = { zh = "过期的备份", en = "old backups" },
  run   = function(p)
    local old = {}
    for _, name in ipairs(file.stat(p.backup_dir) and DUMPS or {}) do
      for _, one in ipairs(backup.expired(p.backup_dir, { older = p.keep, keep_min = 7, name = name })) do old[#old + 1] = one end
    end
    if #old > 0 then advise({ zh = "{n} 份已过期，用 runbook exec mall/disk-full 清理",
                              en = "{n} are older than they need be; runbook exec mall/disk-full removes them" }, { n = #old }) end
  end,
}
prevent "elsewhere" {
  title   = { zh = "异地和加密", en = "another place, encrypted" },
  by_hand = { zh = "归档里有 .env.prod 和私钥：设 encrypt_for 加密，再复制到另一台机器；同盘的备份不算备份",
              en = "the archives hold .env.prod and private keys: set encrypt_for, and copy them to another machine; one on the same disk is none" },
}
