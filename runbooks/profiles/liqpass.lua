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
param "rpc_nodes" {
  type = "list(string)", default = { "https://mainnet.base.org" }, min = 1,
  title = { zh = "RPC 节点（最好两个不同的供应商）", en = "RPC nodes, best of two providers" },
}
param "chain_id" { type = "int", default = 8453, title = { zh = "链 ID", en = "chain id" } }
param "contract" { type = "string", pattern = "0x[0-9a-fA-F]{40}", title = { zh = "合约地址", en = "the contract's address" } }
param "ops_wallet" { type = "string", pattern = "0x[0-9a-fA-F]{40}", title = { zh = "运维钱包地址", en = "address of the operations wallet" } }
param "ops_key" { type = "secret", default = "liqpass-ops-key", title = { zh = "运维钱包私钥（配置里的 secret）", en = "its private key, a secret of the configuration" } }
param "contracts_dir" { type = "path", default = "{home}/contracts", title = { zh = "合约控制脚本的目录", en = "the folder of the contract scripts" } }
param "channel" { type = "string", default = "oncall", title = { zh = "通知渠道（配置里的 channel）", en = "the channel to tell people on" } }
param "env_file" {
  type = "path", default = "{backend_dir}/.env.us",
  title = { zh = "后端的环境变量文件", en = "the backend's environment file" },
}
param "backend_keeper" {
  type = "string", default = "pm2:us-backend", pattern = "(systemd|pm2|compose|docker|init):.+",
  title = { zh = "后端由谁守护", en = "who keeps the backend running" },
}
