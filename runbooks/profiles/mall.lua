-- Mall: where things are, said once. The operator's own profile overrides any of it.
profile "mall" {
  home = "/opt/mall-system",
}

param "db" {
  type = "sql", default = "mall-mysql",
  title = { zh = "MySQL 主库（配置里的 connection）", en = "the MySQL primary, a connection of the configuration" },
}
param "cache" {
  type = "redis", default = "mall-redis",
  title = { zh = "Redis 主库（配置里的 connection）", en = "the Redis primary, a connection of the configuration" },
}
