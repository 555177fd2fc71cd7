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

-- A key and a certificate that openssl made. until_when: the day it ends, as 200101000000Z; default in ten days.
local CA = "[ca]\ndefault_ca = x\n[x]\ndatabase = %s/index\nserial = %s/serial\nnew_certs_dir = %s\ndefault_md = sha256\npolicy = y\n"
  .. "[y]\ncommonName = supplied\n"
local function pair(d, name, until_when, from)
  local ssl, ca = d.p.ssl_dir .. "/" .. name, d.dir .. "/ca"
  file.mkdir(d.p.ssl_dir)
  local made = { "openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" .. name, "-keyout", ssl .. ".key" }
  if not until_when then return shell.run { table.unpack(table.move({ "-x509", "-days", "10", "-out", ssl .. ".crt" }, 1, 5, #made + 1, made)) } end
  file.mkdir(ca)
  for path, words in pairs { index = "", serial = "01\n", conf = CA:gsub("%%s", ca) } do file.write(ca .. "/" .. path, words) end
  shell.run { table.unpack(table.move({ "-out", ca .. "/csr" }, 1, 2, #made + 1, made)) }
  shell.run { "openssl", "ca", "-batch", "-notext", "-selfsign", "-config", ca .. "/conf", "-keyfile", ssl .. ".key", "-in", ca .. "/csr",
    "-out", ssl .. ".crt", "-startdate", from or "190101000000Z", "-enddate", until_when }
end
local function archived(d)
  d:set { ssl_archive = backup.files({ d.p.ssl_dir }, d.p.backup_dir, "ssl_backup").path }
  pair(d, "shop") -- what is there now: another pair
  d.sum = file.hash(d.p.ssl_dir .. "/shop.key")
end
local function same_key(d) assert(file.hash(d.p.ssl_dir .. "/shop.key") == d.sum, "the key was replaced") end
drill "certificates" {
  needs = { "openssl", table.unpack(needs) }, expect = {}, result = "fixed", answers = { nginx = true },
  inject = function(d)
    shop(d)
    pair(d, "shop")
    d.first = file.hash(d.p.ssl_dir .. "/shop.key")
    archived(d)
  end,
  prove = function(d) assert(file.hash(d.p.ssl_dir .. "/shop.key") == d.first, "the key is not back") end,
}
drill "wrong-key" { -- the key of another certificate: nginx would not start with it
  needs = { "openssl", table.unpack(needs) }, expect = { "key-mismatch" }, result = "found", prove = same_key,
  inject = function(d)
    shop(d)
    pair(d, "old")
    pair(d, "shop")
    file.move(d.p.ssl_dir .. "/old.key", d.p.ssl_dir .. "/shop.key", { overwrite = true })
    archived(d)
  end,
}
drill "expired" {
  needs = { "openssl", table.unpack(needs) }, expect = { "expired" }, result = "found", prove = same_key,
  inject = function(d) shop(d) pair(d, "shop", "200101000000Z") archived(d) end,
}
drill "not-yet" { -- issued by a machine whose clock is ahead
  needs = { "openssl", table.unpack(needs) }, expect = { "not-yet" }, result = "found", prove = same_key,
  inject = function(d) shop(d) pair(d, "shop", "491231000000Z", "480101000000Z") archived(d) end,
}
