-- LiqPass: where things are, said once. The operator's own profile overrides any of it.
profile "liqpass" {
  home        = "/opt/liqpass",
  backend_dir = "{home}/us-backend",
}

param "db" {
  type = "path", default = "{backend_dir}/data/us.sqlite",
  title = { zh = "数据库文件", en = "the database file" },
}
param "backup_dir" {
  type = "path", default = "{backend_dir}/backups",
  title = { zh = "备份放在哪里", en = "where backups go" },
}
param "db_log" {
  type = "path", default = "{backend_dir}/logs/db.log",
  title = { zh = "数据库日志", en = "the database log" },
}
param "us_health_url" {
  type = "url", default = "http://localhost:3001/healthz",
  title = { zh = "后端服务的健康检查地址", en = "health URL of the US backend" },
}
param "jp_health_url" {
  type = "url", default = "http://localhost:3002/healthz",
  title = { zh = "验证服务的健康检查地址", en = "health URL of JP Verify" },
}
