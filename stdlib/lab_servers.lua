-- The real servers of a drill, one row each: d:redis {}, d:postgres { max_connections = 6 } … What they share is lab.lua's.
-- argv(s, o, t): prepares s.dir and gives the command; s: the server (dir, port, host, name, user), o: what the drill
-- said, t: tools. answers: does it? up: does it so far that `after` can go on? user: who it runs as when we are root.
-- Common options: netns (from d:netns), host, port, again = true (comes back when it is killed), wait = false.
local evm = require "evm"
local mysql = require "mysql"
local postgres = require "postgres"
local programs = require "lab_programs"
local redis = require "redis"
local rt = require "rt"
local task = require "task"

local servers = {}

local PASSWORD = "a lab's password"

local function listens(s) return task.call("net.tcp", { host = s.host, port = s.port, timeout = 2 }).open end

local function words(list, more)
  for _, word in ipairs(more or {}) do list[#list + 1] = tostring(word) end
  return list
end

-- ---- databases ----

-- s.connection: as the application is let in, by TCP and a password. s.admin: as its administrator, by a socket.
local function connections(s, t, driver, admin, socket)
  t.d:secret(s.name .. "-password", PASSWORD)
  s.connection = t.d:connection(s.name, { driver = driver, host = s.host, port = s.port, user = "app", database = "app", tls = "off",
    password = { secret = s.name .. "-password" } })
  s.admin = t.d:connection(s.name .. "-admin", { driver = driver, socket = socket, port = s.port, user = admin, database = "app" })
  t.d:secret(s.name .. "-wrong", "an old password")
  --- As s.connection, with other fields: { password = "wrong" }, { port = 1 } …
  function s:connection_with(name, fields)
    local all = { driver = driver, host = s.host, port = s.port, user = "app", database = "app", tls = "off",
      password = { secret = s.name .. "-password" } }
    for key, value in pairs(fields) do all[key] = value end
    if all.password == "wrong" then all.password = { secret = s.name .. "-wrong" } end
    return t.d:connection(name, all)
  end
end

-- Foreign clients: statements at once, and a session that says so and stays.
local function clients(s, t, client, stay)
  function s:sql(text) return (t.run(client("app", text)).out:gsub("%s+$", "")) end
  function s:session(text)
    local file = s.dir .. "/session-" .. tostring(task.call("drill.port", {}).port)
    t.write(file, text .. "\n" .. stay)
    return t.d:spawn { ready = "standing", table.unpack(client("app", nil, file)) }
  end
end

servers.postgres = {
  user = "postgres", stop = "INT",
  argv = function(s, o, t)
    t.own()
    s.data = s.dir .. "/data"
    t.as_server { t.program "initdb", "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "--username=admin", "--no-locale",
      "--encoding=UTF8", s.data }
    connections(s, t, "postgres", "admin", s.dir)
    local psql = t.program "psql"
    local function client(database, text, file)
      return words({ psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", s.dir, "-p", s.port, "-U", "admin", "-d", database },
        text and { "-c", text } or { "-f", file })
    end
    s.client = client
    clients(s, t, client, "\\echo standing\n\\! sleep 600\n")
    local argv = { t.program "postgres", "-D", s.data, "-p", s.port, "-k", s.dir, "-c", "listen_addresses=" .. s.host, "-c", "fsync=off" }
    for name, value in pairs(o.settings or {}) do words(argv, { "-c", name .. "=" .. tostring(value) }) end
    return words({}, argv)
  end,
  up = function(s, _, t) return t.run(s.client("postgres", "SELECT 1")).ok end,
  after = function(s, _, t)
    t.run(s.client("postgres", "CREATE ROLE app LOGIN PASSWORD '" .. PASSWORD:gsub("'", "''") .. "'"))
    t.run(s.client("postgres", "CREATE DATABASE app OWNER app"))
  end,
  answers = function(s) return postgres.ping(s.admin) end,
}

servers.mysql = {
  user = "mysql",
  argv = function(s, o, t)
    t.own()
    s.data, s.socket = s.dir .. "/data", s.dir .. "/socket"
    local small = { "--innodb-log-file-size=4M", "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--aria-log-file-size=8M" }
    t.as_server(words({ t.program "mariadb-install-db", "--no-defaults", "--datadir=" .. s.data, "--skip-test-db", "--sync-frm=0",
      "--auth-root-authentication-method=normal", "--tmpdir=" .. s.dir }, small))
    connections(s, t, "mysql", "root", s.socket)
    local mariadb = t.program "mariadb"
    local function client(database, text, file)
      local argv = { mariadb, "--no-defaults", "--batch", "--skip-column-names", "--unbuffered", "--socket=" .. s.socket, "--user=root", database }
      return words(argv, { "--execute", text or "source " .. file })
    end
    s.client = client
    clients(s, t, client, "SELECT 'standing';\nsystem sleep 600\n")
    local argv = words({ t.program "mariadbd", "--no-defaults", "--datadir=" .. s.data, "--socket=" .. s.socket, "--port=" .. s.port,
      "--bind-address=" .. s.host, "--innodb-buffer-pool-size=8M", "--tmpdir=" .. s.dir }, small)
    for name, value in pairs(o.settings or {}) do words(argv, { ("--%s=%s"):format(name:gsub("_", "-"), tostring(value)) }) end
    return argv
  end,
  up = function(s, _, t) return t.run(s.client("mysql", "SELECT 1")).ok end,
  after = function(s, _, t)
    t.run(s.client("mysql", "CREATE DATABASE app CHARACTER SET utf8mb4; CREATE USER app@'%' IDENTIFIED BY '" .. PASSWORD:gsub("'", "''")
      .. "'; GRANT ALL ON app.* TO app@'%'; GRANT PROCESS ON *.* TO app@'%'"))
  end,
  answers = function(s) return mysql.ping(s.admin) end,
}

servers.redis = {
  argv = function(s, o, t)
    if o.password then t.d:secret(s.name .. "-password", o.password) end
    s.connection = t.d:connection(s.name, { driver = "redis", host = s.host, port = s.port, tls = "off",
      password = o.password and { secret = s.name .. "-password" } or nil })
    s.conf = s.dir .. "/redis.conf"
    local lines = { "port " .. s.port, "bind " .. s.host, "dir " .. s.dir, 'save ""', "daemonize no", "protected-mode no" }
    if o.password then lines[#lines + 1] = 'requirepass "' .. o.password .. '"' end
    for name, value in pairs(o.settings or {}) do lines[#lines + 1] = name .. " " .. tostring(value) end
    t.write(s.conf, table.concat(lines, "\n") .. "\n")
    local cli = t.program "redis-cli"
    --- Words of a command, by redis-cli.
    function s:cli(...)
      local done = t.run(words({ cli, "-e", "-h", s.host, "-p", s.port }, { ... }), { env = { REDISCLI_AUTH = o.password } })
      return (done.out:gsub("%s+$", ""))
    end
    return { t.program "redis-server", s.conf }
  end,
  answers = function(s) return redis(s.connection, {}):ask "PING" == "PONG" end,
}

-- ---- the web ----

local NGINX = [[
daemon off; pid @DIR@/nginx.pid; error_log @DIR@/error.log notice;
events { worker_connections 64; }
http {
  access_log @DIR@/access.log;
  client_body_temp_path @DIR@/t1; proxy_temp_path @DIR@/t2; fastcgi_temp_path @DIR@/t3; uwsgi_temp_path @DIR@/t4; scgi_temp_path @DIR@/t5;
@HTTP@
}
]]

servers.nginx = {
  argv = function(s, o, t)
    s.conf, s.url = s.dir .. "/nginx.conf", ("http://%s:%d"):format(s.host, s.port)
    --- What stands in its http { } from the next reload or restart on; @PORT@ is its port.
    function s:http(text) t.write(s.conf, (NGINX:gsub("@(%u+)@", { HTTP = text }):gsub("@(%u+)@", { DIR = s.dir, PORT = tostring(s.port) }))) end
    s:http(o.http or "server { listen @PORT@; location / { return 200 'ok'; } }")
    return { t.program "nginx", "-p", s.dir, "-e", s.dir .. "/error.log", "-c", s.conf }
  end,
  stop = "QUIT",
  answers = listens,
}

-- A program of ours in a file of its own.
local function python(s, t, text, ...)
  t.write(s.dir .. "/server.py", text)
  t.program "python3"
  return words({ "/usr/bin/python3", s.dir .. "/server.py", s.port, s.dir }, { ... })
end

servers.http = {
  argv = function(s, o, t)
    --- { ["/health"] = { status = 503, body = "…", delay = 2, headers = { … } }, ["*"] = … } from now on; after a restart it
    --- answers as it was made to.
    function s:routes(routes) t.write(s.dir .. "/routes.json", rt.json_encode(routes)) end
    --- What it was asked so far: a list of { method, path, headers, body }.
    function s:requests()
      local list = {}
      for line in (task.call("file.read", { path = s.dir .. "/requests" }) or ""):gmatch("[^\n]+") do list[#list + 1] = rt.json_decode(line) end
      return list
    end
    s.url = ("http://%s:%d"):format(s.host, s.port)
    t.write(s.dir .. "/first.json", rt.json_encode(o.routes or { ["*"] = { status = 200, body = "ok" } }))
    return python(s, t, programs.http, s.host)
  end,
  answers = listens,
}

--- Any program that stays, kept like the others: d:keep { argv = { "sh", "-c", "…" } }.
servers.keep = {
  argv = function(_, o) return words({}, o.argv) end,
  answers = function(s) return s:process() ~= nil end,
}

--- An application as they are everywhere: it reads s.config (lines "name: value") when it starts, listens on its port, and says
--- in s.log why it cannot. o: config = { port, data = a file it must be able to write, needs = one it must find }; as = a user.
servers.app = {
  argv = function(s, o, t)
    s.user = o.as and t.is_root() and o.as or nil
    s.config, s.url = s.dir .. "/config.yaml", ("http://%s:%d"):format(s.host, s.port)
    local config = { port = s.port }
    for name, value in pairs(o.config or {}) do config[name] = value end
    local lines = { "# made by the drill" }
    for _, name in ipairs { "port", "data", "needs" } do
      if config[name] then lines[#lines + 1] = name .. ": " .. tostring(config[name]) end
    end
    t.write(s.config, table.concat(lines, "\n") .. "\n")
    t.write(s.dir .. "/app.py", programs.app)
    t.program "python3"
    return { "/usr/bin/python3", s.dir .. "/app.py", s.config, s.host }
  end,
  answers = listens,
}

servers.websocket = {
  argv = function(s, o, t)
    --- { greet = { "…" }, close = 1011, after = 0.5, silent = true } for connections from now on.
    function s:mood(mood) t.write(s.dir .. "/mood.json", rt.json_encode(mood)) end
    s.url = ("ws://%s:%d"):format(s.host, s.port)
    s:mood(o.mood or { greet = rt.array {} })
    return python(s, t, programs.websocket, s.host)
  end,
  answers = listens,
}

servers.smtp = {
  argv = function(s, _, t)
    --- The mails so far: a list of { from, to, text }.
    function s:mails()
      local list = {}
      for line in (task.call("file.read", { path = s.dir .. "/mails" }) or ""):gmatch("[^\n]+") do list[#list + 1] = rt.json_decode(line) end
      return list
    end
    return python(s, t, programs.smtp)
  end,
  answers = listens,
}

-- ---- a chain ----

servers.evm = {
  argv = function(s, o, t)
    s.url = ("http://%s:%d"):format(s.host, s.port)
    return words({ t.program "anvil", "--host", s.host, "--port", s.port, "--chain-id", o.chain_id or 8453 }, o.options)
  end,
  answers = function(s) return evm.status(s.url).chain_id end,
  --- s.contract: a contract that can be paused, s.owner: its owner, unlocked in the node. s:rpc(method, …): anything.
  after = function(s)
    function s:rpc(method, ...) return task.call("rpc.call", { connection = s.url, method = method, params = rt.array { ... } }) end
    s.owner = s:rpc("eth_accounts")[1]
    local hash = s:rpc("eth_sendTransaction", { from = s.owner, data = programs.pausable, gas = "0x100000" })
    for _ = 1, 100 do
      local receipt = s:rpc("eth_getTransactionReceipt", hash)
      if receipt then
        s.contract = receipt.contractAddress
        return
      end
      task.call("time.wait", { seconds = 0.1 })
    end
  end,
}

-- ---- containers ----

-- A root file system of busybox and some programs of this machine with their libraries.
local IMAGE = [[
set -eu
root=$1 name=$2; shift 2
mkdir -p "$root/bin" "$root/tmp" "$root/etc" "$root/proc"
cp /usr/bin/busybox "$root/bin/busybox"
for word in sh sleep cat echo true false ls grep; do ln -sf busybox "$root/bin/$word"; done
echo 'root:x:0:0:root:/:/bin/sh' > "$root/etc/passwd"
for program; do
    install -D "$program" "$root$program"
    ldd "$program" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$root$library"; done
done
tar -C "$root" -c . | docker import - "$name"
rm -rf "$root"
]]

servers.dockerd = {
  argv = function(s, o, t)
    s.socket = s.dir .. "/d.sock"
    local env = { DOCKER_HOST = "unix://" .. s.socket }
    function s:docker(...) return t.run({ "docker", ... }, { env = env }) end
    --- An image of this machine's own programs, nothing is pulled: s:image("lab/redis:1", { "redis-server" }).
    function s:image(name, list)
      local args = rt.array { s.dir .. "/root", name }
      for _, one in ipairs(list or {}) do args[#args + 1] = t.program(one) end
      task.call("shell.run", { sh = IMAGE, args = args, env = env, timeout = 120 })
      return name
    end
    --- Brings a compose file up; it gets a folder of its own. Everything of it goes when the drill ends.
    function s:compose(project, text)
      local dir = s.dir .. "/" .. project
      task.call("file.mkdir", { path = dir })
      t.write(dir .. "/docker-compose.yml", text)
      task.call("shell.run", { argv = rt.array { "docker-compose", "-p", project, "up", "-d" }, cwd = dir, env = env, timeout = 120 })
      t.d:defer(function()
        task.call("shell.run", { argv = rt.array { "docker-compose", "-p", project, "down", "--timeout", "1" }, cwd = dir, env = env, timeout = 120 })
      end)
      return project
    end
    t.program "docker"
    return { t.program "dockerd", "--data-root", o.data or s.dir .. "/data", "--exec-root", s.dir .. "/exec", "-p", s.dir .. "/dockerd.pid", "-H",
      "unix://" .. s.socket, "--default-ulimit", "nofile=4096:4096", "--bridge=none", "--iptables=false" }
  end,
  answers = function(s) return s:docker("version").ok end,
}

servers.pm2 = {
  --- A pm2 daemon of its own: s.home, s:pm2(words…). Its processes end with it.
  argv = function(s, _, t)
    s.home, s.bin = s.dir .. "/home", t.program "pm2"
    function s:pm2(...) return t.run({ s.bin, ... }, { env = { PM2_HOME = s.home } }) end
    t.d:defer(function() s:pm2 "kill" end)
    return { "sleep", "3600" }
  end,
  answers = function(s) return s:pm2("ping").ok end,
}

return servers
