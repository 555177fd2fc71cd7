-- AICOIN: a compose project with backend, PostgreSQL and Redis. The operator's own profile overrides any of it.
profile "aicoin" { title = "AICOIN" }

param "db" {
  type = "sql", default = "aicoin-db",
  title = { zh = "数据库，用应用的账号", en = "the database, by the application's account" },
}
param "db_admin" {
  type = "sql", default = "{db}",
  title = { zh = "数据库，用管理账号", en = "the database, by an administrator's account" },
}
param "db_keeper" {
  type = "string", default = "compose:aicoin/postgres", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "数据库由谁守护", en = "who keeps the database running" },
}
param "db_host" { type = "host", default = "localhost", title = { zh = "数据库主机", en = "the database's host" } }
param "db_port" { type = "int", default = 5432, min = 1, max = 65535, title = { zh = "数据库端口", en = "the database's port" } }
param "db_data" { type = "path", default = "/var/lib/postgresql/data", title = { zh = "数据库的数据目录", en = "the database's data folder" } }
param "db_log" { type = "path", default = "/var/log/postgresql/postgresql.log", title = { zh = "数据库日志文件（容器里的不用）",
                                                                                          en = "the database's log file (not for containers)" } }
param "backend_keeper" {
  type = "string", default = "compose:aicoin/backend", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "后端由谁守护", en = "who keeps the backend running" },
}
param "health_url" { type = "url", default = "http://localhost:8000/api/v1/health", title = { zh = "后端健康检查地址", en = "the backend's health address" } }
