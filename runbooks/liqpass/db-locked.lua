runbook "liqpass/db-locked" {
  title    = { zh = "SQLite 数据库锁死", en = "SQLite database is locked" },
  alias    = "db-locked",
  severity = "P1",
  kind     = "incident",
  target   = "{db}",
  codes    = { "SQLITE_BUSY", "SQLITE_LOCKED" },
  symptoms = { "database is locked", "数据库操作超时", "数据库锁死" },
  source   = "LiqPass 错误处理与故障排查手册 2.2 错误3",
}

-- Only the kernel's lock table says who holds the lock; a process that merely has the file open is left alone.
param "db"
param "db_log"
-- Beside the database, wherever it is, and never under a name that "rm us.sqlite*" takes along as a file.
param "backup_dir" { default = "{db}-backups" }
param "wait" {
  type = "duration", default = "2s", min = "0s", max = "1m",
  title = { zh = "锁持续多久才算锁死", en = "how long a lock must last to count" },
}
param "wal_warn" {
  type = "size", default = "64MB",
  title = { zh = "WAL 超过多大要处理", en = "WAL size above which to act" },
}
param "min_free_factor" {
  type = "number", default = 2.2, min = 1,
  title = { zh = "备份需要的空间，按数据库大小的倍数", en = "room a backup needs, in times the size of the database" },
}
param "restart" {
  type = "list(string)", default = {},
  title = { zh = "重启服务的命令，例如 pm2,restart,us-backend", en = "command that restarts the service, as pm2,restart,us-backend" },
}

-- What can be wrong.
finding "corrupt" {
  severity = "P0", blocks = true,
  title  = { zh = "数据库文件已损坏：{message}", en = "the database file is corrupt: {message}" },
  advice = { zh = "不要删，也不要结束进程：停掉服务，把 {db}、{db}-wal、{db}-shm、{db}-journal 一起移到别处保存，再从最近一份验证过的备份恢复",
             en = "delete nothing, kill nothing: stop the service, move {db}, {db}-wal, {db}-shm and {db}-journal aside together, "
               .. "then restore the newest verified backup" },
}
finding "locked" {
  title  = { zh = "数据库写不进去（{kind} 锁，{mode} 模式）", en = "the database cannot be written ({kind} lock, {mode} mode)" },
  advice = { zh = "如果看不到占锁者：用 root 再查一次；文件在网络文件系统或容器卷上时，到另一台主机或容器里查",
             en = "if no holder is in sight: look again as root; for a network file system or a container's volume, look on the other host "
               .. "or in the container" },
  verify = function(p)
    local l = sqlite.locks(p.db, { wait = p.wait })
    if l.hot_journal then return false, { zh = "还有未回滚的日志", en = "a journal still waits for its rollback" } end
    if l.locked then return false, { zh = "仍有进程占着锁", en = "somebody still holds a lock" } end
    return sqlite.probe(p.db, { times = 3 }) and sqlite.integrity(p.db).state == "ok"
  end,
}
finding "hot-journal" {
  severity = "P2",
  title = { zh = "写入者中途死掉，留下 {bytes:size} 未回滚的日志", en = "a writer died half-way and left {bytes:size} of journal to roll back" },
}
finding "wal-big" { severity = "P3", title = { zh = "WAL 已有 {bytes:size}", en = "the WAL has grown to {bytes:size}" } }
finding "perm" {
  severity = "P2", key = "path",
  title  = { zh = "{path} 的主人 {owner} 没有写权限（{mode}）", en = "{path} is not writable for its owner {owner} ({mode})" },
  advice = { zh = "确认服务用户，再对 {path} 执行 chmod u+w 或 chown", en = "make sure who the service runs as, then chmod u+w or chown {path}" },
}
finding "read-only-fs" {
  title  = { zh = "{mount} 是只读挂载，谁也写不了", en = "{mount} is mounted read-only: nobody can write" },
  advice = { zh = "先看内核为什么改成只读：dmesg | tail；磁盘没事再 mount -o remount,rw {mount}",
             en = "first see why the kernel made it so: dmesg | tail; when the disk is well, mount -o remount,rw {mount}" },
}

-- What explains them; these count only while what they explain stands.
local process = { "pid", "started" }
finding "process" {
  explains = "locked", key = process,
  title = { zh = "进程 {pid}（{command}，用户 {user}）占着锁", en = "process {pid} ({command}, user {user}) holds the lock" },
}
finding "suspended" {
  explains = "locked", key = process,
  title = { zh = "占锁的进程 {pid}（{command}）被挂起了", en = "the holder, process {pid} ({command}), is suspended" },
}
finding "service" {
  explains = "locked", key = process,
  title = { zh = "有守护的进程 {pid}（{command}）占着锁，结束了会被重新拉起", en = "supervised process {pid} ({command}) holds the lock; killed, it comes back" },
}
finding "hanging" {
  explains = "locked", key = process,
  title  = { zh = "占锁的进程 {pid}（{command}）卡在磁盘 IO 里", en = "the holder, process {pid} ({command}), hangs in disk I/O" },
  advice = { zh = "杀不掉，先查磁盘：dmesg | tail，再查挂载", en = "it cannot be killed; look at the disk first: dmesg | tail, then the mount" },
}
finding "network-fs" {
  explains = "locked",
  title  = { zh = "文件在网络文件系统上，锁可能在另一台主机", en = "the file is on a network file system; the lock may be another host's" },
  advice = { zh = "到挂载它的每台主机上运行同一命令；SQLite 不应放在网络文件系统上", en = "run this on every host that mounts it; SQLite does not belong on one" },
}
finding "no-room" {
  explains = "locked",
  title  = { zh = "只剩 {free:size}，备份需要 {need:size}", en = "{free:size} free, a backup needs {need:size}" },
  advice = { zh = "先腾出空间，否则停进程之前做不了备份", en = "make room first, or the holder is stopped without a backup" },
}
finding "reader" {
  explains = "wal-big", key = process,
  title = { zh = "进程 {pid}（{command}）一直在读旧数据，WAL 收不回去", en = "process {pid} ({command}) reads an old state and keeps the WAL from shrinking" },
}

-- A person's shell is no supervisor: only what another program keeps alive is a service.
local people = { bash = true, sh = true, dash = true, zsh = true, fish = true, sudo = true, su = true, sshd = true, tmux = true, screen = true }
local function is_service(p, h)
  if #p.restart == 0 or h.orphan then return false end
  if h.service and h.service ~= null then return true end
  return h.parent and h.parent ~= null and not people[h.parent.command:match("^%S*/([^/%s]+)") or h.parent.command:match("^%S+")]
end
local function kind_of(p, h)
  if h.state == "D" then return "hanging" end
  if h.state == "T" then return "suspended" end
  return is_service(p, h) and "service" or "process"
end
local function short(command) return text.cut(command, 60) end
local function who(h)
  return {
    pid = h.pid, started = h.started, command = short(h.command), user = h.user, service = h.service,
    parent = h.parent and h.parent ~= null and ("%d %s"):format(h.parent.pid, short(h.parent.command)) or nil, orphan = h.orphan, locks = h.locks,
  }
end
-- Its companions lie beside the real file, also when p.db is a link.
local function part(p, suffix)
  local db = file.stat(p.db)
  if suffix == "" or not db then return db end
  return file.stat(db.path .. suffix)
end

-- Who owns the file must be able to make a journal beside it. root may everywhere; of groups only the bit is known.
local function can_create(dir, db)
  return db.uid == 0 or dir.mode & (dir.uid == db.uid and 128 or 18) ~= 0
end

check "file" {
  title = { zh = "数据库文件", en = "the database file" },
  quote = "ls -la us-backend/data/",
  run = function(p)
    local db = part(p, "") or fail { zh = "没有这个文件：{db}；用 db=路径 指定", en = "no such file: {db}; name it with db=PATH" }
    for _, suffix in ipairs { "", "-wal", "-journal" } do
      local stat = part(p, suffix)
      if stat and stat.mode & 128 == 0 then found("perm", { path = p.db .. suffix, owner = stat.owner, mode = ("%o"):format(stat.mode & 511) }) end
    end
    local beside, disk, dir = part(p, "-wal") or part(p, "-journal"), system.disk(p.db), file.stat(file.parent(db.path))
    if disk.read_only then found("read-only-fs", { mount = disk.mount }) end
    if not beside and not can_create(dir, db) then found("perm", { path = dir.path, owner = db.owner, mode = ("%o"):format(dir.mode & 511) }) end
    if db.size == 0 and not beside then found("corrupt", { message = "0 bytes" }) end
    ok({ zh = "{size:size}，属于 {owner}", en = "{size:size}, owned by {owner}" }, { size = db.size, owner = db.owner })
  end,
}
check "lock" {
  title = { zh = "有没有锁", en = "is it locked" },
  why = { zh = "手册的 PRAGMA database_list 列的是附加库，不是连接，数据库锁死时也照样成功；这里看内核的锁表，自己不去加锁",
          en = "the manual's PRAGMA database_list lists attached files, not connections, and succeeds on a locked database; this reads the kernel's "
            .. "lock table and takes no lock" },
  quote = 'sqlite3 us.sqlite "PRAGMA database_list;"',
  run = function(p)
    local l = sqlite.locks(p.db, { wait = p.wait })
    if l.hot_journal then found("hot-journal", { bytes = l.files.journal.size }) end
    if l.locked then found("locked", { kind = l.kind, mode = l.mode }) else ok { zh = "没有锁", en = "not locked" } end
    return { holders = l.holders, readers = l.readers, hidden = l.hidden, network_fs = l.network_fs, mode = l.mode }
  end,
}
check "holders" {
  when  = "locked",
  title = { zh = "谁占着锁", en = "who holds the lock" },
  why = { zh = "手册的 fuser 列出所有打开文件的进程，空闲的连接池也在内；只有这里列的占着锁",
          en = "the manual's fuser lists everybody who has the file open, idle pools too; only those listed here hold a lock" },
  quote = "fuser us.sqlite",
  run = function(p, r)
    local l = r.lock
    for _, h in ipairs(l.holders) do
      if h.visible then found(kind_of(p, h), who(h)) end
    end
    if l.network_fs then found "network-fs" end
    if l.hidden then ok { zh = "看不到占锁者", en = "no holder in sight" } end
    local disk, need = system.disk(p.db), math.floor(part(p, "").size * p.min_free_factor)
    if disk.free < need then found("no-room", { free = disk.free, need = need }) end
  end,
}
check "content" {
  title = { zh = "内容完整吗", en = "is the content whole" },
  timeout = "5m",
  run = function(p)
    local whole = sqlite.integrity(p.db, { wait = "500ms" })
    if whole.state == "corrupt" or whole.state == "not_a_database" then
      found("corrupt", { message = whole.message })
    elseif whole.state == "ok" then
      ok { zh = "完整", en = "whole" }
    elseif whole.state == "busy" or whole.state == "hot_journal" then
      skip { zh = "锁放开后再查", en = "looked at once the lock is gone" }
    else
      fail({ zh = "查不了：{message}", en = "cannot be judged: {message}" }, whole)
    end
  end,
}
check "wal" {
  title = { zh = "WAL 有多大", en = "size of the WAL" },
  run = function(p, r)
    local wal = part(p, "-wal")
    if not wal or wal.size <= p.wal_warn then ok({ zh = "{bytes:size}", en = "{bytes:size}" }, { bytes = wal and wal.size or 0 }) return end
    found("wal-big", { bytes = wal.size })
    for _, reader in ipairs(r.lock.readers) do
      if reader.visible then found("reader", who(reader)) end
    end
  end,
}
check "log" {
  title = { zh = "日志里的 SQLITE_BUSY", en = "SQLITE_BUSY in the log" },
  why = { zh = "手册的 tail -f 不会自己结束；这里只看最后 1 MB", en = "the manual's tail -f never ends; this reads the last 1 MB" },
  quote = "tail -f us-backend/logs/db.log",
  run = function(p)
    if not file.stat(p.db_log) then skip { zh = "没有 {db_log}", en = "no {db_log}" } end
    local count = 0
    for line in file.tail(p.db_log, { bytes = "1MB" }):gmatch("[^\n]+") do
      if line:find("SQLITE_BUSY", 1, true) or line:find("SQLITE_LOCKED", 1, true) or line:find("database is locked", 1, true) then count = count + 1 end
    end
    ok({ zh = "{n} 行", en = "{n} lines" }, { n = count })
  end,
}

local function backup_name(p, what)
  return ("%s/%s-%s%s"):format(p.backup_dir, p.db:match("([^/]+)$"), fmt.time(now(), true), what)
end
-- Not possible under an exclusive lock; then stopping goes on without it, and the record says so.
local function back_up(p, f)
  for _, lock in ipairs(f.locks) do
    if lock == "exclusive" then return note { zh = "独占锁下做不了备份", en = "no backup: an exclusive lock lets nobody read" } end
  end
  file.mkdir(p.backup_dir, { mode = "0700" })
  local to = backup_name(p, ".sqlite")
  local saved, why = try(sqlite.backup, p.db, to, { wait = "1s", timeout = "5m" })
  if saved then keep { backup = to } else note({ zh = "备份没做成：{why}", en = "no backup: {why}" }, { why = why.message }) end
end
local lost = { zh = "要用它的人得重新启动它；未提交的写入回滚", en = "whoever needs it starts it again; what it had not committed is rolled back" }

-- Safest first.
fix "wake" {
  when = "suspended", risk = "medium", within = "5s",
  title = { zh = "让进程 {pid} 继续运行，自己放锁", en = "let process {pid} go on and release the lock itself" },
  run   = function(p, f) system.signal(f.pid, "CONT", { started = f.started }) end,
  undo  = function(p, f) system.signal(f.pid, "STOP", { started = f.started }) end,
}
fix "restart-service" {
  when = "service", risk = "medium", within = "30s", no_undo = lost,
  title = { zh = "重启服务：{restart:list}", en = "restart the service: {restart:list}" },
  why = { zh = "有守护的进程直接结束会被马上拉起，锁又回来；要让守护程序重启它",
          en = "a supervised process that is just killed comes back with its lock; its supervisor must restart it" },
  run   = function(p) shell.run(p.restart) end,
}
fix "stop-process" {
  when = { "process", "suspended", "service" }, risk = "high", within = "10s", no_undo = lost,
  why = { zh = "手册的 fuser -k 对每个打开文件的进程发 KILL，不管占没占锁；这里只停占锁的这一个，先 TERM，10 秒后才 KILL",
          en = "the manual's fuser -k kills everybody who has the file open, holder or not; this stops the one holder, by TERM, by KILL only after 10 "
            .. "seconds" },
  quote = "fuser -k us.sqlite",
  title = { zh = "能备份就先备份，再停掉进程 {pid}（{command}）", en = "back up if the lock allows it, then stop process {pid} ({command})" },
  run   = function(p, f)
    back_up(p, f)
    system.stop(f.pid, { started = f.started, grace = "10s" })
  end,
}
fix "recover-journal" {
  when = "hot-journal", risk = "medium", within = "5s",
  quote = "cp us.sqlite /tmp/us.sqlite.backup; rm us.sqlite*",
  no_undo = { zh = "回滚前的文件留在 {backup_dir}", en = "the files as they were stay in {backup_dir}" },
  title = { zh = "保存原样，再打开一次数据库，让 SQLite 回滚未完成的写入",
            en = "keep the files as they are, then open the database once so that SQLite rolls the unfinished write back" },
  why = { zh = "手册的 rm us.sqlite* 会删掉这份日志（数据库就坏了）和同名的备份",
          en = "the manual's rm us.sqlite* deletes this journal, which corrupts the database, and backups named like it" },
  run = function(p)
    file.mkdir(p.backup_dir, { mode = "0700" })
    for _, suffix in ipairs { "", "-journal" } do file.copy(part(p, suffix).path, backup_name(p, "-before-rollback.sqlite" .. suffix)) end
    sqlite.recover(p.db)
  end,
}
fix "checkpoint" {
  when = "wal-big", risk = "low",
  title = { zh = "把 WAL 写回数据库", en = "write the WAL back into the database" },
  guard = function()
    return #findings("reader") == 0, { zh = "有进程在读旧数据，先让它结束", en = "a process reads an old state; it must end first" }
  end,
  run = function(p)
    if sqlite.checkpoint(p.db, "truncate").busy then fail { zh = "有人正在用，WAL 没能收回", en = "in use; the WAL could not be cut" } end
  end,
}
fix "stop-reader" {
  when = "reader", risk = "high", within = "10s", no_undo = lost,
  title = { zh = "停掉一直在读的进程 {pid}（{command}）", en = "stop the reading process {pid} ({command})" },
  run   = function(p, f) system.stop(f.pid, { started = f.started, grace = "10s" }) end,
}

-- So that it does not come back.
prevent "start-again" {
  title   = { zh = "停掉的服务", en = "what was stopped" },
  by_hand = { zh = "停掉的进程如果属于某个服务，把它重新启动，确认它不再占锁", en = "if a stopped process belonged to a service, start it again and see that it no longer holds the lock" },
}
prevent "wal-mode" {
  title = { zh = "WAL 模式", en = "WAL mode" },
  run   = function(p)
    if sqlite.locks(p.db, { wait = 0 }).mode == "wal" then return end
    advise { zh = "改用 WAL，读写不再互相挡：PRAGMA journal_mode = WAL",
             en = "use WAL, where readers and a writer do not block each other: PRAGMA journal_mode = WAL" }
  end,
}
prevent "short-writes" {
  title   = { zh = "程序里的事务", en = "transactions in the program" },
  by_hand = { zh = "每个连接设 PRAGMA busy_timeout = 5000；事务里不等网络、不等人；备份用在线备份，不用 cp（会丢 WAL 里的数据）",
              en = "set PRAGMA busy_timeout = 5000 on each connection; wait for no network and no person inside a transaction; "
                .. "copy by online backup, not by cp, which loses what is in the WAL" },
}
