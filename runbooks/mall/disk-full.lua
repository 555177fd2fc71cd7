runbook "mall/disk-full" {
  title    = { zh = "磁盘空间不足", en = "Disk full" },
  severity = "P1", kind = "incident",
  target   = "{mount}",
  codes    = { "ENOSPC" },
  symptoms = { "No space left on device", "写入失败", "服务异常" },
  source   = "Mall 故障处理手册 2.7",
}

generic.disk_full {
  why = {
    find    = { zh = "手册的 du -sh /* 会走进 /proc 和别的挂载；这里只看这一个文件系统，也看 inode",
                en = "the manual's du -sh /* walks into /proc and other mounts; this looks at this one file system, and at inodes" },
    logs    = { zh = "手册的 find -name \"*.log\" -mtime +7 -delete 连正在写的和审计日志也删：正在写的删了空间不还，审计日志没了就查不了。这里只压缩没人打开的",
                en = "the manual's find -delete takes open logs and audit logs too: deleting an open one frees nothing, and audits cannot be made up for. "
                  .. "This compresses what nobody has open" },
    images  = { zh = "手册的 docker system prune -a 说是清日志，其实一行日志也不清，还会删掉停着的生产容器和它的镜像。这里只删没有名字的层",
                en = "the manual's docker system prune -a is called log cleaning, cleans no log, and removes stopped production containers with their "
                  .. "images. This removes layers without a name" },
    backups = { zh = "手册按日期删，可能删掉最后一份能用的；这里永远留下最新 {keep_min} 份验证过的",
                en = "the manual deletes by date, perhaps the last good one; this always keeps the newest {keep_min} that verify" },
  },
}

prevent "rotation" {
  title = { zh = "日志轮转", en = "log rotation" },
  run   = function(p) for _, one in ipairs(logs.unrotated(p.log_dir)) do advise({ zh = "没有规则轮转 {path}（{bytes:size}）",
                                                                                  en = "no rule rotates {path} ({bytes:size})" }, one) end end,
}
prevent "old-logs" { title = { zh = "定期清理", en = "regular cleaning" }, by_hand = { zh = "安排每周的日志维护", en = "schedule the weekly log maintenance" } }
prevent "alert" { title = { zh = "磁盘告警", en = "disk alert" }, by_hand = { zh = "85% 预警，95% 告警", en = "warn at 85%, alert at 95%" } }
prevent "growth" { title = { zh = "扩容", en = "more space" }, by_hand = { zh = "按增长速度安排扩容", en = "plan more space at this rate of growth" } }
