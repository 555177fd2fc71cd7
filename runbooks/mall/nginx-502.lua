runbook "mall/nginx-502" {
  title    = { zh = "Nginx 502 错误", en = "Nginx 502 Bad Gateway" },
  alias    = "nginx-502",
  severity = "P1", kind = "incident",
  target   = "{nginx_keeper}",
  codes    = { "502", "504" },
  symptoms = { "502 Bad Gateway", "504 Gateway Time-out", { zh = "访问页面返回 502", en = "pages answer 502" }, "connect() failed (111: Connection refused) "
    .. "while connecting to upstream" },
  impact   = { zh = "用户打不开页面", en = "users see no page" },
  source   = "Mall 故障处理手册 2.8",
}

generic.nginx_gateway {
  why = {
    log     = { zh = "旧日志只能说明以前；先直接探测 Nginx、后端和转发地址，日志用来解释探测不到的（头太大、没权限）",
                en = "old lines tell of the past: nginx, backend and addresses are probed, and the log explains what cannot be probed, large headers "
                  .. "and rights" },
    restart = { zh = "手册第一步就重启 Nginx：配置有错时，502 会变成 Nginx 起不来。只有没在运行才启动，其余一律 nginx -t 通过后平滑加载",
                en = "the manual restarts nginx first: with a wrong configuration a 502 becomes a dead nginx. It is started only if it does not run; "
                  .. "everything else is a reload after nginx -t" },
  },
}

prevent "health" {
  title   = { zh = "健康检查", en = "health checks" },
  by_hand = { zh = "upstream 里给每个后端配 max_fails=3 fail_timeout=10s 和至少一个备用，容器配 healthcheck",
              en = "give each upstream server max_fails=3 fail_timeout=10s and a spare one, and each container a healthcheck" },
}
prevent "restart" {
  title = { zh = "自动重启策略", en = "restart policy" },
  run   = function(p)
    local now = keeper.state(p.backend_keeper)
    if now.restarts and now.restarts > 3 then advise({ zh = "后端已自动重启 {n} 次，查它为什么退出",
                                                       en = "the backend was restarted {n} times by itself: find out why it ends" }, { n = now.restarts }) end
  end,
}
prevent "watch" {
  title   = { zh = "监控服务状态", en = "monitoring" },
  by_hand = { zh = "对 {public_url} 每分钟拨测，access.log 的 5xx 超过 1% 告警", en = "probe {public_url} every minute, and alert when more than 1% of access.log is 5xx" },
}
