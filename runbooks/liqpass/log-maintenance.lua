runbook "liqpass/log-maintenance" {
  title    = { zh = "日志轮转与清理", en = "Log rotation and retention" },
  alias    = "log-maintenance",
  severity = "P3",
  kind     = "maintenance",
  target   = "{log_dir}",
  symptoms = { "日志占满磁盘", "日志文件太大", "logs fill the disk", "log files too large" },
  tags     = { "logs", "disk", "daily" },
  source   = "LiqPass 错误处理与故障排查手册 5.1.2",
}

generic.log_maintenance {
  quote = {
    written = 'find "$LOG_DIR" -name "*.log" -mtime +1 -exec gzip {} \\;',
    packed  = 'find "$LOG_DIR" -name "*.log.gz" -mtime +30 -delete',
    temp    = 'find "$LOG_DIR" -name "*.tmp" -mtime +1 -delete',
  },
  why = {
    written = { zh = "手册对它们直接 gzip：写日志的进程还握着旧文件，之后的行全部丢失；这里先轮转",
                en = "the manual gzips them: their writer keeps the deleted file, and every later line is lost; here they are rotated first" },
    closed  = { zh = "只压缩没有进程打开的普通文件，不跟随链接；已有同名 .gz 的不碰",
                en = "only plain files that no process has open, links are not followed; what has a .gz of its name is left alone" },
    packed  = { zh = "审计日志（protect）不删，最新的 {keep_min} 份总是留着", en = "audit logs (protect) stay, and so do the newest {keep_min}" },
    rotate  = { zh = "改名后让服务重新打开；没有 reopen 命令时复制后原地截断，那一瞬间写入的行会丢",
                en = "renamed, then the service opens it anew; without a reopen command it is copied and cut, which loses what is written in that instant" },
  },
}

prevent "logrotate" {
  title = { zh = "没有轮转规则的日志", en = "logs no rule rotates" },
  run = function(p)
    for _, one in ipairs(logs.unrotated(p.log_dir, { larger = p.rotate_size })) do
      advise({ zh = "{path}（{bytes:size}）不在 logrotate 里", en = "{path} ({bytes:size}) is in no logrotate rule" }, one)
    end
  end,
}

schedule "nightly" { cron = "40 3 * * *", mode = "fix", allow = "medium", jitter = "5m", within = "3h" }
