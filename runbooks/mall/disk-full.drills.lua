-- A real file system that is full. Loaded with disk-full.lua; drill and test only.

local needs = { "root", "gzip" }

local function mount(d, o)
  d.mount = d:tmpfs("64MB", o)
  d:set { mount = d.mount, log_dir = d.mount .. "/log", backup_dir = d.mount .. "/backup", docker_dir = d.dir .. "/none", target_free = 30, larger = "5MB" }
  file.mkdir(d.p.log_dir)
  file.mkdir(d.p.backup_dir)
end
local function fill(d, path, size, age)
  d:fill(path, size)
  d:age(path, age or "10d")
end
local DUMP = 'head --bytes="$1" /dev/zero | tr "\\0" "x" >"$2"; printf "\\n-- Dump completed on 2026-01-01\\n" >>"$2"'
local function dump(d, name, age)
  local path = d.p.backup_dir .. "/" .. name
  shell.run { sh = DUMP, args = { "12000000", path } }
  d:age(path, age)
end
local function free(d) assert(system.disk(d.mount).free_pct >= 30, "there is still no room") end

drill "healthy" { needs = needs, expect = {}, inject = function(d) mount(d) fill(d, d.p.log_dir .. "/app.log", "10MB") end }
drill "old-logs" {
  needs = needs, expect = { "full", "old-log" }, repair = "compress-logs",
  inject = function(d)
    mount(d)
    for i = 1, 5 do fill(d, ("%s/app %d.log"):format(d.p.log_dir, i), "9MB") end
    fill(d, d.p.log_dir .. "/audit.log", "4MB")
  end,
  prove = function(d)
    free(d)
    assert(file.stat(d.p.log_dir .. "/audit.log").size == 4000000, "the audit log was touched")
    assert(file.stat(d.p.log_dir .. "/app 5.log"), "more was compressed than had to be")
  end,
}
drill "open-log" { -- somebody writes it: nothing that may be done
  needs = { "python3", table.unpack(needs) }, expect = { "full" }, repair = { "compress-logs", "delete-dumps" }, result = "found",
  inject = function(d)
    mount(d)
    fill(d, d.p.log_dir .. "/app.log", "50MB")
    d:spawn { ready = "up", "sh", "-c", 'exec 3>>"$0"; echo up; exec sleep 600', d.p.log_dir .. "/app.log" }
  end,
  prove = function(d) assert(file.stat(d.p.log_dir .. "/app.log").size == 50000000, "an open log was touched") end,
}
drill "deleted-log" {
  needs = needs, expect = { "full", "deleted-log" }, repair = "empty-deleted-log",
  inject = function(d)
    mount(d)
    local hold = 'exec 3>"$0"; head --bytes=50000000 /dev/zero >&3; rm "$0"; echo up; exec sleep 600'
    d.writer = d:spawn { ready = "up", "sh", "-c", hold, d.p.log_dir .. "/app.log" }
  end,
  prove = function(d) free(d) assert(d:alive(d.writer), "the writer was stopped") end,
}
drill "deleted-data" { -- nobody empties a file that is no log
  needs = needs, expect = { "full", "deleted" }, repair = "empty-deleted-log", result = "found",
  inject = function(d)
    mount(d)
    local hold = 'exec 3>"$0"; head --bytes=50000000 /dev/zero >&3; rm "$0"; echo up; exec sleep 600'
    d:spawn { ready = "up", "sh", "-c", hold, d.mount .. "/table.ibd" }
  end,
}
drill "deleted-by-mistake" { -- the only copies left of a database, its journal and an audit: they only sound like logs
  needs = needs, expect = { "full", "deleted" }, repair = { "empty-deleted-log", "compress-logs" }, result = "found",
  inject = function(d)
    mount(d)
    local hold = 'cd "$0"; for f in shop.logistics.sqlite 000123.log audit.log; do exec 3>"$f"; head --bytes=16000000 /dev/zero >&3; rm "$f"; '
      .. 'sleep 600 & done; exec 3>&-; echo up; exec sleep 600'
    d:spawn { ready = "up", "sh", "-c", hold, d.mount }
    fill(d, d.p.log_dir .. "/shop.logistics.sqlite", "4MB")
  end,
  prove = function(d) assert(file.stat(d.p.log_dir .. "/shop.logistics.sqlite"), "a database was compressed") end,
}
drill "old-backups" {
  needs = needs, expect = { "full", "old-dump" }, repair = "delete-dumps",
  inject = function(d)
    mount(d)
    for i = 1, 4 do dump(d, ("mall_%d.sql"):format(i), (30 + 10 * i) .. "d") end
  end,
  prove = function(d)
    assert(not file.stat(d.p.backup_dir .. "/mall_4.sql"), "the oldest is still there")
    for i = 1, 3 do assert(file.stat(d.p.backup_dir .. ("/mall_%d.sql"):format(i)), "one of the newest three is gone") end
  end,
}
drill "one-backup-left" { -- the last verified copy is never offered
  needs = needs, expect = { "full" }, repair = "delete-dumps", result = "found",
  inject = function(d) mount(d) dump(d, "mall_1.sql", "40d") fill(d, d.mount .. "/data", "40MB") end,
  prove = function(d) assert(file.stat(d.p.backup_dir .. "/mall_1.sql"), "the last backup is gone") end,
}
drill "inodes" {
  needs = needs, expect = { "inodes" }, result = "found",
  inject = function(d)
    mount(d, { inodes = 100 })
    shell.run { sh = 'for i in $(seq 95); do : >"$1/$i"; done', args = { d.mount } }
  end,
}
drill "read-only" { -- and nothing is changed
  needs = needs, expect = { "read-only", "full", "old-log" }, repair = "compress-logs", result = "found",
  inject = function(d)
    mount(d)
    fill(d, d.p.log_dir .. "/app.log", "50MB")
    shell.run { "mount", "-o", "remount,ro", d.mount }
  end,
}

-- Docker with its data on the full disk.
local with_docker = { "root", "dockerd", "docker", "busybox" }
local function docker_on(d)
  mount(d)
  local s = d:dockerd { data = d.mount .. "/docker" }
  s:image("lab/busy:1", {})
  d:set { docker_dir = d.mount .. "/docker", docker_socket = s.socket }
  return s
end
drill "container-log" {
  needs = with_docker, expect = { "full", "container" }, repair = "cut-container-log",
  inject = function(d)
    local s = docker_on(d)
    local chatter = "/bin/busybox yes 'an order came in' | /bin/busybox head -n 500000; exec /bin/busybox sleep 600"
    s:docker("run", "--detach", "--name", "chatty", "--network", "none", "lab/busy:1", "/bin/sh", "-c", chatter)
    d:defer(function() s:docker("rm", "--force", "chatty") end)
    wait_until(function() return system.disk(d.mount).free_pct < 30 end, { within = "60s", every = "500ms" })
    d.docker = s
  end,
  prove = function(d)
    free(d)
    assert(docker.inspect("chatty", { socket = d.docker.socket }).running, "the container was stopped")
  end,
}
drill "build-cache" { -- what was built stays
  needs = with_docker, expect = { "full", "build-cache" }, repair = "prune-build-cache",
  inject = function(d)
    local s = docker_on(d)
    file.mkdir(d.dir .. "/ctx")
    -- Debian's own docker, which builds without a plug-in.
    file.write(d.dir .. "/ctx/Dockerfile", "FROM scratch\nCOPY blob /blob\n")
    local build = 'head --bytes="$2" /dev/urandom >"$1/blob"; PATH=/usr/bin:$PATH docker build --tag "$4" "$1"'
    local function make(size, tag)
      local env = { DOCKER_HOST = "unix://" .. s.socket, DOCKER_BUILDKIT = "1" }
      shell.run { sh = build, args = { d.dir .. "/ctx", size, s.socket, tag }, env = env, timeout = "1m" }
    end
    make("15000000", "lab/old:1")
    make("1000", "lab/kept:1")
    s:docker("image", "rm", "lab/old:1")
    d:fill(d.mount .. "/data", "30MB")
    d.docker = s
  end,
  prove = function(d)
    free(d)
    assert(d.docker:docker("images", "--format", "{{.Repository}}").out:find("lab/kept", 1, true), "an image is gone")
  end,
}
drill "compressed-and-back" {
  needs = needs, expect = { "full", "old-log" }, repair = "compress-logs", undo = true,
  inject = function(d)
    mount(d)
    for i = 1, 5 do fill(d, ("%s/app %d.log"):format(d.p.log_dir, i), "9MB") end
    d.sum = file.hash(d.p.log_dir .. "/app 1.log")
  end,
  prove = function(d) assert(file.hash(d.p.log_dir .. "/app 1.log") == d.sum, "a log is not what it was") end,
}
drill "dangling-layers" { -- what has a name, and a stopped container's image, stay
  needs = with_docker, expect = { "full", "layers" }, repair = "prune-layers",
  inject = function(d)
    local s = docker_on(d)
    s:docker("create", "--name", "stopped", "--network", "none", "lab/busy:1", "/bin/sh")
    d:defer(function() s:docker("rm", "--force", "stopped") end)
    local import = 'head --bytes="$2" /dev/urandom >"$1/blob"; tar -C "$1" -c blob | DOCKER_HOST="unix://$3" docker import - lab/big:1; rm "$1/blob"'
    for _, size in ipairs { "52000000", "1000" } do shell.run { sh = import, args = { d.dir, size, s.socket }, timeout = "1m" } end
    d.docker = s
  end,
  prove = function(d)
    free(d)
    local images = d.docker:docker("images", "--format", "{{.Repository}}").out
    assert(images:find("lab/big", 1, true) and images:find("lab/busy", 1, true), "an image with a name is gone: " .. images)
    assert(docker.inspect("stopped", { socket = d.docker.socket }), "the stopped container is gone")
  end,
}
