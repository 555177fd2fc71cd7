-- Mall: docker-compose.prod.yml with backend, MySQL and Redis. The operator's own profile overrides any of it.
profile "mall" { title = { zh = "商城", en = "Mall" }, home = "/opt/mall-system" }

param "db" {
  type = "sql", default = "mall-mysql",
  title = { zh = "数据库，用应用的账号", en = "the database, by the application's account" },
}
param "db_admin" {
  type = "sql", default = "{db}",
  title = { zh = "数据库，用管理账号", en = "the database, by an administrator's account" },
}
param "db_keeper" {
  type = "string", default = "compose:mall/mysql-master", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "数据库由谁守护", en = "who keeps the database running" },
}
param "db_host" { type = "host", default = "localhost", title = { zh = "数据库主机", en = "the database's host" } }
param "db_port" { type = "int", default = 3306, min = 1, max = 65535, title = { zh = "数据库端口", en = "the database's port" } }
param "db_data" { type = "path", default = "/var/lib/docker/volumes/mall_mysql_data/_data", title = { zh = "数据库的数据目录", en = "the database's data folder" } }
param "db_log" { type = "path", default = "/var/log/mysql/error.log", title = { zh = "数据库日志文件（容器里的不用）", en = "the database's log file (not for containers)" } }
param "backend_keeper" {
  type = "string", default = "compose:mall/backend", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "后端由谁守护", en = "who keeps the backend running" },
}
param "health_url" { type = "url", default = "http://localhost:8000/health", title = { zh = "后端健康检查地址", en = "the backend's health address" } }
param "cache" { type = "redis", default = "mall-redis", title = { zh = "Redis", en = "Redis" } }
param "cache_keeper" {
  type = "string", default = "compose:mall/redis-master", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "Redis 由谁守护", en = "who keeps Redis running" },
}
param "cache_log" { type = "path", default = "/var/log/redis/redis-server.log", title = { zh = "Redis 日志文件（容器里的不用）",
                                                                                          en = "Redis's log file (not for containers)" } }
param "env_file" { type = "path", default = "{home}/.env.prod", title = { zh = "环境变量文件", en = "the environment file" } }
