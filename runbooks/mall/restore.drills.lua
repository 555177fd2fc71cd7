-- restore of a real MariaDB, and of real archives.

local function shop(d)
  d.sql, d.back = d:mysql {}, d:http {}
  d:secret("restore-password", "what only the restore knows")
  d.sql:sql [[CREATE TABLE orders(id INT PRIMARY KEY, note TEXT); INSERT INTO orders VALUES (1, 'one'), (2, 'two');
    CREATE USER restorer@'%' IDENTIFIED BY 'what only the restore knows'; GRANT ALL ON *.* TO restorer@'%';]]
  d:set {
    db_host = d.sql.host, db_port = d.sql.port, db_user = "restorer", db_password = "restore-password", db_name = "app", db_admin = d.sql.admin,
    backend_keeper = "init:" .. d.back.service, health_url = d.back.url .. "/health", backup_dir = d.dir .. "/backup",
    config_paths = { d.dir .. "/etc" }, ssl_dir = d.dir .. "/etc/ssl",
  }
  file.mkdir(d.p.backup_dir)
  file.mkdir(d.dir .. "/etc")
end
local function dumped(d)
  shop(d)
  local to = d.p.backup_dir .. "/mall_20240120_120000.sql"
  mysql.dump({ host = d.sql.host, port = d.sql.port, user = "restorer", password = d.p.db_password, database = "app" }, to)
  d:set { dump = to }
end
local function untouched(d) assert(d.sql:sql("SELECT count(*) FROM orders") == "2", "data was changed") end
local needs = { "mariadbd", "mysqldump", "python3" }

drill "dropped-table" {
  needs = needs, expect = {}, result = "fixed",
  inject = function(d) dumped(d) d.sql:sql "DROP TABLE orders" end,
  prove  = function(d)
    untouched(d)
    assert(http.get(d.p.health_url).ok, "the backend was not started again")
    assert(not d.sql:sql("SHOW DATABASES"):find "runbook_restore", "the trial database was left behind")
  end,
}
drill "truncated" {
  needs = needs, expect = { "damaged" }, result = "found", prove = untouched,
  inject = function(d)
    dumped(d)
    shell.run { "truncate", "--size=-200", d.p.dump }
    d.pid = d.back:process().pid
  end,
}
drill "leads-out" { -- an archive that writes elsewhere
  needs = needs, expect = { "outside" }, result = "found", prove = untouched,
  inject = function(d)
    shop(d)
    file.write(d.dir .. "/passwd", "evil\n")
    shell.run { "tar", "-czPf", d.dir .. "/config.tar.gz", d.dir .. "/etc/../passwd" }
    d:set { config_archive = d.dir .. "/config.tar.gz" }
  end,
}
drill "configuration" {
  needs = needs, expect = {}, result = "fixed", answers = { nginx = true },
  inject = function(d)
    shop(d)
    file.write(d.dir .. "/etc/nginx.conf", "good\n")
    d:set { config_archive = backup.files({ d.dir .. "/etc" }, d.p.backup_dir, "config_backup").path }
    file.write(d.dir .. "/etc/nginx.conf", "bad\n", { backup = false })
  end,
  prove  = function(d) assert(file.read(d.dir .. "/etc/nginx.conf") == "good\n", "the configuration is not back") end,
}
