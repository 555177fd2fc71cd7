runbook "mall/restore" {
  title    = { zh = "数据恢复（数据库、配置、证书）", en = "Restore of database, configuration and certificates" },
  severity = "P0", kind = "recovery",
  target   = "{db_name}",
  symptoms = { { zh = "恢复数据库", en = "restore the database" } },
  impact   = { zh = "恢复期间后端停机；备份之后的订单不在里面", en = "the backend is down meanwhile; orders since the backup are not in it" },
  source   = "Mall 故障处理手册 五 5.2",
}

param "db_host"
param "db_port"
param "db_admin"
param "backend_keeper"
param "health_url"
param "db_user"     { type = "string", default = "root", title = { zh = "恢复用的数据库账号", en = "the database account for restoring" } }
param "db_password" { type = "secret", default = "mall-root-password", title = { zh = "它的密码（配置里的 secret）",
                                                                                 en = "its password, a secret of the configuration" } }
param "db_name"     { type = "string", default = "mall", title = { zh = "库名", en = "the database" } }
param "dump"        { type = "string", default = "", title = { zh = "数据库备份，例如 /data/backup/mall_20240120_120000.sql",
                                                               en = "the dump, /data/backup/mall_20240120_120000.sql for example" } }
param "config_archive" { type = "string", default = "", title = { zh = "配置归档", en = "the archive of configurations" } }
param "ssl_archive" { type = "string", default = "", title = { zh = "证书归档", en = "the archive of certificates" } }
param "config_paths" {
  type = "list(path)",
  default = { "/opt/mall-system/.env.prod", "/etc/nginx" },
  title = { zh = "配置归档只许写这些地方", en = "all that the configuration's archive may write" },
}
param "ssl_dir"     { type = "path", default = "/etc/nginx/ssl", title = { zh = "证书归档只许写这里", en = "all that the certificates' archive may write" } }
param "backup_dir"  { type = "path", default = "/data/backup", title = { zh = "恢复前的数据放在哪里", en = "where the state before goes" } }

finding "damaged" {
  blocks = true, key = "path", title = { zh = "备份 {path} 不完整：{why}", en = "{path} is not whole: {why}" },
  advice = { zh = "换一份备份；不要用它覆盖现有数据", en = "take another backup; overwrite nothing with this one" },
}
finding "outside" {
  blocks = true, key = { "path", "name" }, title = { zh = "归档 {path} 要写到不该写的地方：{name}（{why}）",
                                                     en = "the archive {path} would write where it must not: {name} ({why})" },
  advice = { zh = "不要解开它，查它从哪里来", en = "do not unpack it; find out where it came from" },
}

finding "key-mismatch" {
  blocks = true, key = "name", title = { zh = "{ssl_archive} 里的私钥 {name} 和哪张证书都不配对", en = "the key {name} in {ssl_archive} belongs to no certificate in it" },
  advice = { zh = "换一份归档；装上它 Nginx 起不来", en = "take another archive; with this one nginx would not start" },
}
finding "expired" {
  blocks = true, key = "name", title = { zh = "{ssl_archive} 里的证书 {name} 已过期", en = "the certificate {name} in {ssl_archive} has expired" },
  advice = { zh = "换一份归档，或重新签发证书", en = "take another archive, or have it issued anew" },
}
finding "not-yet" {
  blocks = true, key = "name", title = { zh = "{ssl_archive} 里的证书 {name} 要到 {from} 才生效",
                                         en = "the certificate {name} in {ssl_archive} does not hold before {from}" },
  advice = { zh = "换一份归档；也看看签发那台机器和这台的时钟", en = "take another archive; look at the clocks of this machine and of the one that issued it" },
}

local function server(p, database)
  return { host = p.db_host, port = p.db_port, user = p.db_user, password = p.db_password, database = database or p.db_name }
end
-- What openssl says of one file of an archive; a key stays in the pipe.
local function openssl(path, name, ...)
  local words = 'archive=$1 name=$2; shift 2; tar -xOPzf "$archive" -- "$name" | openssl "$@" 2>/dev/null'
  return shell.read { sh = words, args = { path, name, ... } }
end
local function stem(name) return (name:gsub("%.[^./]*$", "")) end
local function given(name) return function(p) return p[name] ~= "" end end
local SCRATCH = "runbook_restore"
local function drop(p) mysql.drop(p.db_admin, SCRATCH) end

check "backups" {
  title = { zh = "要恢复的备份", en = "what is to be restored" }, timeout = "10m",
  why   = { zh = "手册直接对着 / 解包；这里先看完整性，再看每个文件名", en = "the manual unpacks over / blindly; this looks whether it is whole, then at each name in it" },
  run   = function(p)
    local function look(path, allowed)
      if path == "" then return end
      local whole = backup.verify(path)
      if whole.state ~= "ok" then found("damaged", { path = path, why = whole.why or whole.state }) return end
      for _, one in ipairs(allowed and archive.outside(path, allowed) or {}) do found("outside", { path = path, name = one.name, why = one.why }) end
    end
    if p.dump .. p.config_archive .. p.ssl_archive == "" then fail { zh = "没有说恢复什么：dump=、config_archive= 或 ssl_archive=",
                                                                     en = "say what to restore: dump=, config_archive= or ssl_archive=" } end
    look(p.dump)
    look(p.config_archive, p.config_paths)
    look(p.ssl_archive, { p.ssl_dir })
    local stat = p.dump ~= "" and file.stat(p.dump)
    return { age = stat and math.floor(now() - stat.mtime) or 0 }
  end,
}

check "keys" {
  title = { zh = "证书和私钥配对、没有过期", en = "certificates and keys belong together, and hold" },
  why   = { zh = "解包之后才发现不配对，Nginx 已经起不来了；这里先在归档里比", en = "once unpacked, a wrong pair keeps nginx from starting; this compares them inside the archive" },
  run   = function(p)
    if p.ssl_archive == "" or #findings "damaged" + #findings "outside" > 0 then return end
    local public, keys = {}, {} -- of each certificate by the name without its ending, and of each that there is
    for _, one in ipairs(archive.list(p.ssl_archive)) do
      local certificate = one.kind == "file" and openssl(p.ssl_archive, one.name, "x509", "-noout", "-pubkey").out or ""
      local key = one.kind == "file" and openssl(p.ssl_archive, one.name, "pkey", "-pubout", "-passin", "pass:").out or ""
      if certificate ~= "" then
        public[certificate], public[stem(one.name)] = certificate, certificate
        local from = openssl(p.ssl_archive, one.name, "x509", "-noout", "-startdate", "-dateopt", "iso_8601").out:match("=([^\n]+)") or ""
        if from:gsub("%D", "") > fmt.time(now(), true):gsub("%D", "") then found("not-yet", { name = one.name, from = from }) end
        if not openssl(p.ssl_archive, one.name, "x509", "-noout", "-checkend", "0").ok then found("expired", { name = one.name }) end
      end
      if key ~= "" then keys[one.name] = key end
    end
    for name, key in pairs(keys) do
      if (public[stem(name)] or public[key]) ~= key then found("key-mismatch", { name = name }) end
    end
  end,
}

step "trial" {
  when  = given "dump", risk = "medium", timeout = "1h", undo = drop,
  title = { zh = "先导入临时库 runbook_restore", en = "import it into a database of its own first, runbook_restore" },
  why   = { zh = "手册的容器里只有客户端没有服务端，连不上，还挂着正在用的数据卷，密码在参数里；这里通过正在运行的服务器导入",
            en = "the manual's container has a client and no server, mounts the live volume, and shows the password; this imports through the running server" },
  run   = function(p)
    drop(p)
    mysql.create(p.db_admin, SCRATCH)
    mysql.import(server(p, SCRATCH), p.dump, { events = false })
  end,
}
step "before" {
  when   = given "dump", risk = "low", timeout = "1h", title = { zh = "把现有数据再备份一份", en = "dump what is there now" },
  run    = function(p)
    local path = ("%s/before-restore_%s.sql"):format(p.backup_dir, fmt.time(now(), true))
    file.mkdir(p.backup_dir, { mode = "0700" })
    mysql.dump(server(p), path)
    return { path = path }
  end,
  verify = function(_, r) return mysql.whole(r.before.path) end,
}
step "stop" {
  when  = given "dump", risk = "high", key = "backend_keeper", title = { zh = "停掉后端 {backend_keeper}", en = "stop the backend, {backend_keeper}" },
  run   = function(p) keeper.stop(p.backend_keeper) end,
  undo  = function(p) keeper.start(p.backend_keeper) end,
}
step "import" {
  when    = given "dump", risk = "critical", key = "db_name", timeout = "2h",
  title   = { zh = "用 {dump} 覆盖数据库 {db_name}", en = "overwrite the database {db_name} with {dump}" },
  confirm = { zh = "这份备份是 {backups.age:duration} 之前的，之后的数据会没有；现有数据已存到 {before.path}",
              en = "it is {backups.age:duration} old, and what came since is lost; the state now is in {before.path}" },
  run     = function(p) mysql.import(server(p), p.dump) end,
  verify  = function(p)
    for _, t in ipairs(mysql.compare(p.db_admin, SCRATCH, p.db_name)) do
      if t.left then return false, { zh = "表 " .. t.name .. " 与备份不一致", en = "table " .. t.name .. " differs from the backup" } end
    end
    return true
  end,
  undo    = function(p, r) mysql.import(server(p), r.before.path) end,
}
step "tidy" { when = given "dump", risk = "low", title = { zh = "删掉临时库", en = "drop the trial database" }, run = drop }
step "start" {
  when   = given "dump", risk = "medium", within = "60s", title = { zh = "启动后端 {backend_keeper}", en = "start the backend, {backend_keeper}" },
  run    = function(p) keeper.start(p.backend_keeper) end,
  verify = function(p) return http.get(p.health_url, { timeout = "3s" }).ok end,
  undo   = function(p) keeper.stop(p.backend_keeper) end,
}

-- Each file of an archive in its place, what was there kept beside it as PATH.before-restore.
local OLD = ".before-restore"
local function files_of(path)
  local list = {}
  for _, one in ipairs(archive.list(path)) do
    if one.kind == "file" then list[#list + 1] = one.name:gsub("^%.?/*", "/") end
  end
  return list
end
local function put_in(p, path)
  local dir = p.backup_dir .. "/unpacked-" .. fmt.time(now(), true)
  archive.unpack(path, dir)
  for _, live in ipairs(files_of(path)) do
    if file.stat(live) then file.copy(live, p.backup_dir .. "/" .. live:gsub("/", "_") .. OLD, { overwrite = true }) end
    file.mkdir(live:match("^(.*)/"))
    file.copy(dir .. live, live, { overwrite = true })
  end
  file.remove(dir, { tree = true })
end
local function put_back(p, path)
  for _, live in ipairs(files_of(path)) do
    local old = p.backup_dir .. "/" .. live:gsub("/", "_") .. OLD
    if file.stat(old) then file.move(old, live, { overwrite = true }) else file.remove(live) end
  end
end
step "config" {
  when   = given "config_archive", risk = "high", key = "config_archive", title = { zh = "恢复配置 {config_archive}",
                                                                                    en = "restore the configuration of {config_archive}" },
  run    = function(p) put_in(p, p.config_archive) end,
  undo   = function(p) put_back(p, p.config_archive) end,
}
step "certificates" {
  when   = given "ssl_archive", risk = "high", key = "ssl_archive", title = { zh = "恢复证书 {ssl_archive}", en = "restore the certificates of {ssl_archive}" },
  run    = function(p) put_in(p, p.ssl_archive) end,
  undo   = function(p) put_back(p, p.ssl_archive) end,
}
step "nginx" {
  when    = function(p) return p.config_archive .. p.ssl_archive ~= "" end,
  title   = { zh = "检查并加载 Nginx", en = "test and reload nginx" },
  by_hand = { zh = "nginx -t 通过后再 nginx -s reload，然后打开 https 页面看证书", en = "nginx -s reload once nginx -t passes, then open the page by https" },
}
