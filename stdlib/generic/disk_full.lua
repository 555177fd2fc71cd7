-- A full disk (G7, G10): what takes the space, and the safest way to get some back. options: why = { find, logs, images,
-- backups }: what the manual does there, and why this does it otherwise. Everything found below "full" is only a cause: an
-- old backup on a roomy disk is no problem.
return function(o)
  options(o, { why = "table!" })
  local why = o.why

  param "mount" { type = "path", default = "/", title = { zh = "挂载点", en = "mount point" } }
  param "target_free" { type = "int", default = 20, min = 1, max = 90, title = { zh = "要腾到多少空闲（%）", en = "free space to reach (%)" } }
  param "log_dir" { type = "path", default = "/var/log", title = { zh = "日志目录", en = "folder of logs" } }
  param "log_age" { type = "duration", default = "7d", title = { zh = "多旧的日志可以压缩", en = "age at which logs are compressed" } }
  param "backup_dir" { type = "path", default = "/data/backup", title = { zh = "备份目录", en = "folder of backups" } }
  param "backup_age" { type = "duration", default = "30d", title = { zh = "多旧的备份可以删", en = "age at which backups may go" } }
  param "keep_min" { type = "int", default = 3, min = 1, title = { zh = "至少留几份验证过的备份", en = "verified backups always kept" } }
  param "protect" {
    type = "list(string)", default = { "audit*", "auth*", "wtmp*", "btmp*", "mysql-slow*" },
    title = { zh = "永远不动的日志", en = "logs never touched" },
  }
  param "docker_dir" { type = "path", default = "/var/lib/docker", title = { zh = "Docker 的数据目录", en = "Docker's folder" } }
  param "docker_socket" { type = "path", default = "/var/run/docker.sock", title = { zh = "Docker 的 socket", en = "Docker's socket" } }
  param "larger" { type = "size", default = "50MB", title = { zh = "多大的才值得动", en = "what is worth touching" } }

  finding "full" {
    key = "mount", title = { zh = "{mount} 只剩 {free:size}（{pct}%）", en = "{mount} has {free:size} ({pct}%) left" },
    advice = { zh = "没有可以安全清理的：看附件里最大的文件，或者扩容", en = "nothing can safely go: see the largest files attached, or add space" },
    verify = function(p)
      local probe, free = file.probe(p.mount), system.disk(p.mount).free_pct
      if not probe.ok then return false, probe.message end
      return free >= p.target_free, { zh = "还没腾够", en = "not yet enough" }
    end,
  }
  finding "inodes" {
    key = "mount", title = { zh = "{mount} 的 inode 只剩 {pct}%", en = "{mount} has {pct}% of its inodes left" },
    advice = { zh = "找文件最多的目录：du --inodes -x {mount} | sort -n | tail", en = "find the crowded folder: du --inodes -x {mount} | sort -n | tail" },
  }
  finding "read-only" {
    key = "mount", severity = "P0", blocks = true, title = { zh = "{mount} 被挂成了只读", en = "{mount} is mounted read-only" },
    advice = { zh = "先查磁盘错误：dmesg | tail；腾空间没有用", en = "look for disk errors first: dmesg | tail; making room does not help" },
  }
  finding "deleted-log" {
    explains = "full", key = { "pid", "fd" }, title = { zh = "{command}（{pid}）还占着已删除的日志 {path} {bytes:size}",
                                                        en = "{command} ({pid}) still holds the deleted log {path}, {bytes:size}" },
  }
  finding "deleted" {
    explains = "full", key = { "pid", "fd" }, title = { zh = "{command}（{pid}）还占着已删除的 {path} {bytes:size}",
                                                        en = "{command} ({pid}) still holds the deleted {path}, {bytes:size}" },
    advice = { zh = "重启 {command}，空间才会还回来", en = "restart {command}; only then the space comes back" },
  }
  finding "journal" { explains = "full", title = { zh = "系统日志 {bytes:size}", en = "the system's journal, {bytes:size}" } }
  finding "old-log" { explains = "full", key = "path", title = { zh = "没人打开的旧日志 {path} {bytes:size}", en = "old log {path}, open by nobody, {bytes:size}" } }
  finding "container" { explains = "full", key = "name", title = { zh = "容器 {name} 的日志 {bytes:size}", en = "log of container {name}, {bytes:size}" } }
  finding "layers" { explains = "full", title = { zh = "没有名字也没人用的镜像层 {bytes:size}", en = "image layers without a name that nothing uses, {bytes:size}" } }
  finding "build-cache" { explains = "full", title = { zh = "构建缓存 {bytes:size}", en = "build cache, {bytes:size}" } }
  finding "old-dump" { explains = "full", key = "path", title = { zh = "旧备份 {path} {bytes:size}", en = "old backup {path}, {bytes:size}" } }

  -- Only what lies on the full disk can help it.
  local function on_it(p, path)
    local there = file.stat(path)
    return there ~= nil and there.dev == file.stat(p.mount).dev -- not by the mount's name: Docker mounts its folder once more
  end

  check "space" {
    title = { zh = "剩余空间", en = "free space" }, why = why.find,
    run = function(p)
      local d = system.disk(p.mount)
      if d.read_only then found("read-only", { mount = p.mount }) end
      if d.inodes > 0 and d.inodes_free_pct < 5 then found("inodes", { mount = p.mount, pct = d.inodes_free_pct }) end
      if d.free_pct < p.target_free then found("full", { mount = p.mount, free = d.free, pct = d.free_pct }) end
      ok({ zh = "空闲 {free_pct}%", en = "{free_pct}% free" }, d)
    end,
  }
  check "deleted" {
    when = "full", title = { zh = "删了还没还的空间", en = "deleted, but still open" },
    run = function(p)
      for _, one in ipairs(system.deleted(p.mount).deleted) do
        if one.bytes >= p.larger then
          -- It may be the only copy of something: nothing but a log is emptied, and none that is protected.
          found(logs.is_log((one.path:gsub(" %(deleted%)$", "")), { except = p.protect }) and "deleted-log" or "deleted", {
            pid = one.pid, started = one.started, fd = one.fd, command = text.cut(one.command, 60), path = one.path, bytes = one.bytes,
          })
        end
      end
    end,
  }
  check "logs" {
    when = "full", timeout = "2m", title = { zh = "日志", en = "logs" },
    run = function(p)
      if on_it(p, p.log_dir) then
        for _, one in ipairs(logs.closed(p.log_dir, { older = p.log_age, except = p.protect })) do found("old-log", one) end
      end
      if on_it(p, "/var/log/journal") and disk.journal_size() > 2e8 then found("journal", { bytes = disk.journal_size() }) end
    end,
  }
  check "docker" {
    when = "full", title = "Docker",
    run = function(p)
      if not on_it(p, p.docker_dir) then skip { zh = "不在这个盘上", en = "not on this disk" } end
      for _, one in ipairs(docker.log_sizes { larger = p.larger, socket = p.docker_socket }) do found("container", one) end
      local usage = docker.usage { socket = p.docker_socket }
      if usage.dangling.bytes >= p.larger then found("layers", usage.dangling) end
      if usage.build_cache.bytes >= p.larger then found("build-cache", usage.build_cache) end
    end,
  }
  check "backups" {
    when = "full", timeout = "5m", title = { zh = "旧备份", en = "old backups" },
    run = function(p)
      if not on_it(p, p.backup_dir) then skip { zh = "不在这个盘上", en = "not on this disk" } end
      for _, one in ipairs(backup.expired(p.backup_dir, { older = p.backup_age, keep_min = p.keep_min })) do found("old-dump", one) end
    end,
  }
  check "biggest" {
    when = "full", timeout = "2m", title = { zh = "最大的文件", en = "the largest files" },
    run = function(p) attach("biggest", disk.biggest(p.mount, { top = 20, timeout = "60s" })) end,
  }

  -- One after the other, until the goal is met; what was done is kept for undo, also when a later one fails.
  local function until_enough(p, list, words, free)
    local done = {}
    for one in progress(list, words) do
      if system.disk(p.mount).free_pct >= p.target_free then break end
      free(one)
      done[#done + 1] = one.path
      keep(done)
    end
    return done
  end

  local function prune(p, what) shell.run { "docker", what, "prune", "--force", env = { DOCKER_HOST = "unix://" .. p.docker_socket } } end

  fix "vacuum-journal" {
    when = "journal", risk = "low", title = { zh = "系统日志压到 200 MB", en = "shrink the system's journal to 200 MB" },
    run  = function() shell.run { "journalctl", "--vacuum-size=200M" } end,
  }
  fix "prune-build-cache" {
    when = "build-cache", risk = "low", title = { zh = "清掉构建缓存", en = "remove the build cache" },
    run  = function(p) prune(p, "builder") end,
  }
  fix "empty-deleted-log" {
    when = "deleted-log", risk = "medium", no_undo = { zh = "日志早就删了，只是空间没还", en = "the log was deleted already, only its space was not" },
    title = { zh = "把 {command} 占着的已删除日志清空，不用重启它", en = "empty the deleted log that {command} holds; it goes on running" },
    run   = function(p, f) shell.run { sh = ': >"$1"', args = { ("/proc/%d/fd/%d"):format(f.pid, f.fd) } } end,
  }
  fix "compress-logs" {
    when = "old-log", batch = true, risk = "medium", why = why.logs,
    title = { zh = "压缩 {n} 个没人打开的旧日志", en = "compress {n} old logs that nobody has open" },
    run   = function(p, fs) return until_enough(p, fs, { zh = "压缩", en = "compressing" }, function(f) file.gzip(f.path) end) end,
    undo  = function(p, fs, r) for _, path in ipairs(r.compress_logs) do file.gunzip(path .. ".gz") end end,
  }
  fix "cut-container-log" {
    when = "container", risk = "medium", no_undo = { zh = "更早的日志行没有了", en = "earlier lines are gone" },
    title = { zh = "容器 {name} 的日志只留最后 10 MB", en = "keep the last 10 MB of {name}'s log" },
    run   = function(p, f) logs.cut(f.path, { keep = "10MB" }) end,
  }
  fix "prune-layers" {
    when = "layers", risk = "medium", no_undo = { zh = "可以重新构建", en = "they can be built again" }, why = why.images,
    title = { zh = "删掉没有名字也没人用的镜像层", en = "remove image layers without a name that nothing uses" },
    run   = function(p) prune(p, "image") end,
  }
  fix "delete-dumps" {
    when = "old-dump", batch = true, risk = "high", no_undo = { zh = "删除后无法恢复", en = "they cannot be brought back" }, why = why.backups,
    title   = { zh = "删除 {n} 份旧备份，够用就停", en = "delete {n} old backups, stopping when there is room" },
    confirm = { zh = "将删除：{path}。最新 {keep_min} 份验证过的保留", en = "deleted: {path}. The newest {keep_min} verified ones stay" },
    run = function(p, fs) return until_enough(p, fs, { zh = "删除", en = "deleting" }, function(f) file.remove(f.path) end) end,
  }
end
