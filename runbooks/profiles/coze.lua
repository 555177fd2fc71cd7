-- Coze: one service, its configuration, its logs. The operator's own profile overrides any of it.
profile "coze" { title = "Coze" }

param "keeper" {
  type = "string", default = "systemd:coze", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "服务由谁守护", en = "who keeps the service running" },
}
param "config" { type = "path", default = "/etc/coze/config.yaml", title = { zh = "配置文件", en = "the configuration" } }
param "port_key" { type = "string", default = "port", title = { zh = "配置里端口的键名", en = "the port's name in the configuration" } }
param "app_log" { type = "path", default = "/var/log/coze/app.log", title = { zh = "应用日志", en = "the application's log" } }
param "error_log" { type = "path", default = "/var/log/coze/error.log", title = { zh = "错误日志", en = "the log of errors" } }
