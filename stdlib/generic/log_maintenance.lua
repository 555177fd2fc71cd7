-- A folder of logs (G10): rotate those that are being written, compress those that nobody writes, let old ones and temporary files
-- go. options: why = { written, closed, packed, rotate } and quote = { written, packed, temp }: what the manual does there, and why
-- this does it otherwise. Its log_dir defaults to logs in the profile's backend_dir.
return function(o)
  options(o, { why = "table!", quote = "table!" })

  param "log_dir" {
    type = "path", default = "{backend_dir}/logs",
    title = { zh = "日志目录", en = "the folder of the logs" },
  }
  param "pattern" {
    type = "string", default = "*.log",
    title = { zh = "哪些是日志", en = "which files are logs" },
  }
  param "rotate_size" {
    type = "size", default = "100MB", min = "1KB",
    title = { zh = "正在写的日志超过多大就轮转", en = "size above which a log that is being written is rotated" },
  }
  param "compress_after" {
    type = "duration", default = "1d", min = "0s",
    title = { zh = "多久没写就压缩", en = "unwritten for so long, a log is compressed" },
  }
  param "delete_after" {
    type = "duration", default = "30d", min = "1d",
    title = { zh = "压缩后的日志保留多久", en = "how long compressed logs are kept" },
  }
  param "keep_min" {
    type = "int", default = 5, min = 0,
    title = { zh = "至少留几份压缩日志", en = "how many compressed logs always stay" },
  }
  param "temp_after" {
    type = "duration", default = "1d", min = "0s",
    title = { zh = "临时文件放多久就删", en = "age at which temporary files go" },
  }
  param "protect" {
    type = "list(string)", default = { "audit*" },
    title = { zh = "永不删除的文件名", en = "names that are never deleted" },
  }
  param "reopen" {
    type = "list(string)", default = {},
    title = { zh = "让服务重新打开日志的命令，例如 pm2,reloadLogs；没有就复制后截断",
              en = "command by which the service opens its logs anew, as pm2,reloadLogs; without one they are copied and cut" },
  }

  finding "no-folder" {
    severity = "P2", blocks = true,
    title  = { zh = "没有日志目录 {path}", en = "no log folder {path}" },
    advice = { zh = "核对 log_dir；服务没在写日志的话先看服务", en = "check log_dir; if the service writes no log, look at the service first" },
  }
  finding "damaged" {
    severity = "P2", key = "path",
    title  = { zh = "压缩日志 {path} 已损坏：{why}", en = "compressed log {path} is damaged: {why}" },
    advice = { zh = "能救多少救多少：zcat {path} > 另一个文件；查一下磁盘", en = "save what can be read: zcat {path} > another file; look at the disk" },
  }
  finding "name-taken" {
    severity = "P4", key = "path",
    title  = { zh = "{path}.gz 已经存在，{path} 压缩不了", en = "{path}.gz is there already, {path} cannot be compressed" },
    advice = { zh = "改名后会自动压缩：mv {path} {path}.old.log", en = "under another name it is compressed by itself: mv {path} {path}.old.log" },
  }
  finding "too-big" {
    key = "path",
    title  = { zh = "正在写的日志 {path} 已有 {bytes:size}", en = "{path}, which is being written, has {bytes:size}" },
  }
  finding "unpacked" {
    severity = "P4", key = "path",
    title = { zh = "{path} 早已不写（{bytes:size}）", en = "{path} is no longer written ({bytes:size})" },
  }
  finding "expired" {
    severity = "P4", key = "path",
    title = { zh = "{path} 过了保留期（{bytes:size}）", en = "{path} is past its time ({bytes:size})" },
  }
  finding "temporary" {
    severity = "P4", key = "path",
    title = { zh = "没人用的临时文件 {path}（{bytes:size}）", en = "unused temporary file {path} ({bytes:size})" },
  }

  local function sum(list)
    local bytes = 0
    for _, one in ipairs(list) do bytes = bytes + one.bytes end
    return bytes
  end
  local function report(list, id)
    for _, one in ipairs(list) do found(id, { path = one.path, bytes = one.bytes }) end
    ok({ zh = "{n} 个，{bytes:size}", en = "{n}, {bytes:size}" }, { n = #list, bytes = sum(list) })
    return { bytes = sum(list) }
  end
  local function plain(list)
    local out = {}
    for i, one in ipairs(list) do out[i] = { path = one.path, bytes = one.size, mtime = one.mtime } end
    return out
  end

  check "folder" {
    title = { zh = "日志目录", en = "the log folder" },
    run = function(p)
      if not file.stat(p.log_dir) then found("no-folder", { path = p.log_dir }) return end
      local disk = system.disk(p.log_dir)
      ok({ zh = "剩余 {free:size}", en = "{free:size} free" }, { free = disk.free })
      return { there = true }
    end,
  }
  check "written" {
    title = { zh = "正在写的日志大不大", en = "how large are the logs that are being written" },
    why = o.why.written,
    quote = o.quote.written,
    run = function(p, r)
      if not r.folder.there then skip { zh = "没有目录", en = "no folder" } end
      local idle, list = {}, {}
      for _, one in ipairs(file.find(p.log_dir, { name = p.pattern, larger = p.rotate_size, closed = true })) do idle[one.path] = true end
      for _, one in ipairs(file.find(p.log_dir, { name = p.pattern, larger = p.rotate_size })) do
        if not idle[one.path] and logs.is_log(one.path, { name = p.pattern }) then list[#list + 1] = { path = one.path, bytes = one.size } end
      end
      return report(list, "too-big")
    end,
  }
  check "closed" {
    title = { zh = "哪些日志可以压缩", en = "which logs can be compressed" },
    why = o.why.closed,
    run = function(p, r)
      if not r.folder.there then skip { zh = "没有目录", en = "no folder" } end
      local list = {}
      for _, one in ipairs(plain(file.find(p.log_dir, { name = p.pattern .. "*", older = p.compress_after, closed = true, except = { "*.gz" } }))) do
        if logs.is_log(one.path, { name = p.pattern }) then -- *.log* is also catalog.login.db
          if file.stat(one.path .. ".gz") then found("name-taken", one) else list[#list + 1] = one end
        end
      end
      return report(list, "unpacked")
    end,
  }
  check "packed" {
    title = { zh = "哪些压缩日志过期", en = "which compressed logs have expired" },
    why = o.why.packed,
    quote = o.quote.packed,
    run = function(p, r)
      if not r.folder.there then skip { zh = "没有目录", en = "no folder" } end
      for _, bad in ipairs(logs.damaged(p.log_dir, { newer = "2d" })) do found("damaged", bad) end
      local old = { name = p.pattern .. "[._-]*gz", except = p.protect, older = p.delete_after, keep_min = p.keep_min }
      return report(retention.expired(p.log_dir, old), "expired")
    end,
  }
  check "temp" {
    title = { zh = "临时文件", en = "temporary files" },
    quote = o.quote.temp,
    run = function(p, r)
      if not r.folder.there then skip { zh = "没有目录", en = "no folder" } end
      return report(plain(file.find(p.log_dir, { name = "*.tmp", older = p.temp_after, closed = true })), "temporary")
    end,
  }

  fix "rotate" {
    when = "too-big", risk = "medium", within = "10s",
    title   = { zh = "轮转 {path}", en = "rotate {path}" },
    why = o.why.rotate,
    no_undo = { zh = "内容都在轮转出来的文件里", en = "all of it is in the rotated file" },
    verify  = function(p, f)
      local stat = file.stat(f.path)
      return stat ~= nil and stat.size < f.bytes, { zh = "服务还没有重新打开它", en = "the service has not opened it anew yet" }
    end,
    run = function(p, f)
      return { path = logs.rotate(f.path, { reopen = #p.reopen > 0 and function() shell.run(p.reopen) end or nil }) }
    end,
  }
  fix "compress" {
    when = "unpacked", risk = "low", batch = true, timeout = "30m",
    title = { zh = "压缩 {n} 个日志：{path:list}", en = "compress {n} logs: {path:list}" },
    run   = function(p, fs)
      for f in progress(fs) do file.gzip(f.path, { timeout = "10m" }) end
      local before, after = sum(fs), 0
      for _, f in ipairs(fs) do after = after + (file.stat(f.path .. ".gz") or { size = 0 }).size end -- not there yet in a rehearsal
      note({ zh = "压缩释放 {bytes:size}", en = "compressing freed {bytes:size}" }, { bytes = before - after })
      return { freed = before - after }
    end,
    verify = function(p, fs)
      for _, f in ipairs(fs) do
        if not file.stat(f.path .. ".gz") then return false, { zh = "没有 " .. f.path .. ".gz", en = "no " .. f.path .. ".gz" } end
      end
      return #logs.damaged(p.log_dir, { newer = "1h" }) == 0
    end,
  }
  fix "delete-temporary" {
    when = "temporary", risk = "low", batch = true,
    title = { zh = "删除 {n} 个临时文件：{path:list}", en = "delete {n} temporary files: {path:list}" },
    run   = function(p, fs)
      local bytes = 0
      for _, f in ipairs(fs) do bytes = bytes + f.bytes file.remove(f.path) end
      note({ zh = "临时文件释放 {bytes:size}", en = "temporary files freed {bytes:size}" }, { bytes = bytes })
      return { freed = bytes }
    end,
  }
  fix "delete-expired" {
    when = "expired", risk = "medium", batch = true,
    title   = { zh = "删除 {n} 份过期的压缩日志：{path:list}", en = "delete {n} expired compressed logs: {path:list}" },
    no_undo = { zh = "删除后找不回来", en = "what is deleted is gone" },
    run     = function(p, fs)
      local bytes = 0
      for _, f in ipairs(fs) do bytes = bytes + f.bytes file.remove(f.path) end
      note({ zh = "过期日志释放 {bytes:size}", en = "expired logs freed {bytes:size}" }, { bytes = bytes })
      return { freed = bytes }
    end,
  }
end
