-- backup of a real MariaDB, of real files.

local function shop(d)
  d.sql = d:mysql {}
  d:secret("backup-password", "what only the backup knows")
  d.sql:sql [[CREATE TABLE orders(id INT PRIMARY KEY, note TEXT); INSERT INTO orders VALUES (1, '一'), (2, 'two');
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' DO DELETE FROM app.orders WHERE id < 0;
    CREATE USER backup@'%' IDENTIFIED BY 'what only the backup knows'; GRANT ALL ON *.* TO backup@'%';]]
  file.mkdir(d.dir .. "/nginx/ssl")
  file.write(d.dir .. "/nginx/nginx.conf", "events {}\n")
  file.write(d.dir .. "/nginx/ssl/key.pem", "a private key\n", { mode = "0600" })
  d:set {
    db_host = d.sql.host, db_port = d.sql.port, db_password = "backup-password", db_name = "app", db_admin = d.sql.admin,
    backup_dir = d.dir .. "/backup", config_paths = { d.dir .. "/nginx" }, ssl_dir = d.dir .. "/nginx/ssl",
  }
end
local function named(d, start)
  for _, one in ipairs(try(file.list, d.p.backup_dir) or {}) do
    if one.name:sub(1, #start) == start and not one.name:find "manifest" then return one.path end
  end
end
local needs = { "mariadbd", "mysqldump", "python3" }

drill "whole" { -- an event of the trial database would work on the live one
  needs = needs, inject = shop, expect = {}, result = "done",
  prove = function(d)
    for _, start in ipairs { "mall_", "config_backup-", "ssl_backup-" } do
      local path = assert(named(d, start), start .. "… was not made")
      assert(file.stat(path).mode & 63 == 0, path .. " is readable for others")
      assert(backup.verify(path).state == "ok", path .. " is not whole")
    end
    for _, one in ipairs(archive.list(named(d, "config_backup-"))) do assert(not one.name:find "key.pem", "the key is in the configuration's archive") end
    assert(file.read(named(d, "mall_")):find("一", 1, true), "a row is not in the dump")
    assert(not d.sql:sql("SHOW DATABASES"):find "trial", "the trial database was left behind")
    mysql.create(d.sql.admin, "elsewhere")
    mysql.import({ host = d.p.db_host, port = d.p.db_port, user = "backup", password = d.p.db_password, database = "elsewhere" },
      named(d, "mall_"), { events = false })
    local events = d.sql:sql "SELECT event_schema, status FROM information_schema.events ORDER BY 1"
    assert(events:find "app%s+ENABLED" and events:find "elsewhere%s+DISABLED", "an event runs in a database made for a trial: " .. events)
  end,
}
drill "disk-full" {
  needs = { "mariadbd", "mysqldump", "root" }, expect = {}, result = "failed",
  inject = function(d)
    shop(d)
    d.sql:sql("INSERT INTO orders SELECT 10 + seq, REPEAT(MD5(RAND()), 100) FROM seq_1_to_3000")
    d:set { backup_dir = d:tmpfs "1MB" }
  end,
  prove = function(d) assert(not backup.newest(d.p.backup_dir, { name = "mall_*.sql" }), "half a dump counts as a backup") end,
}
drill "server-down" {
  needs = needs, inject = function(d) shop(d) d.sql:stop() end, expect = {}, result = "failed",
  prove = function(d) assert(not file.stat(d.p.backup_dir), "something was written") end,
}
drill "shrunk" { -- a dump far smaller than the one before it
  needs = needs, expect = {}, result = "failed", fails_at = "database",
  inject = function(d)
    shop(d)
    file.mkdir(d.p.backup_dir)
    file.write(d.p.backup_dir .. "/mall_20240120_120000.sql", ("-- rows\n"):rep(20000) .. "-- Dump completed\n")
    d:age(d.p.backup_dir .. "/mall_20240120_120000.sql", "1d")
  end,
}
drill "encrypted" { -- nothing readable is left; who has the key gets the dump back to the byte
  needs = { "openssl", table.unpack(needs) }, expect = {}, result = "done",
  inject = function(d)
    shop(d)
    shell.run { "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=backup", "-days", "2", "-keyout", d.dir .. "/key.pem", "-out",
      d.dir .. "/for.pem" }
    d:set { encrypt_for = d.dir .. "/for.pem" }
  end,
  prove = function(d)
    for _, one in ipairs(file.list(d.p.backup_dir)) do
      assert(one.name:find "%.cms$" or one.name:find "%.cms%.manifest%.json$", one.name .. " is not encrypted")
      assert(file.stat(one.path).mode & 63 == 0, one.name .. " is readable for others")
    end
    local dump, plain = assert(named(d, "mall_"), "there is no dump"), d.dir .. "/plain.sql"
    shell.run { "openssl", "cms", "-decrypt", "-inform", "DER", "-inkey", d.dir .. "/key.pem", "-in", dump, "-out", plain }
    assert(mysql.whole(plain) and file.read(plain):find("一", 1, true), "it does not come back whole")
  end,
}
