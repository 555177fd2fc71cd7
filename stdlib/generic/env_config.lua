-- The variables that a service needs (G15): are they in its file, does it run with them, put in new ones. A value is never shown
-- and comes only from a secret. keys: list of { name = "BINANCE_API_KEY", param = "binance_api_key", title }; rejected: a finding
-- of the caller that new values answer, too; steady(p): called after the restart, waits; well(p): a part of each verify.
return function(o)
  options(o, { keys = "table!", why = "table!", rejected = "string", steady = "function", well = "function" })
  local why = o.why
  local names = {}
  for i, key in ipairs(o.keys) do names[i] = key.name end

  param "env_file"
  param "backend_keeper"
  for _, key in ipairs(o.keys) do param(key.param) { type = "secret", required = false, title = key.title } end

  local function unset(p)
    local list = {}
    for _, one in ipairs(envfile.check(p.env_file, names)) do
      if one.problem ~= "duplicate" then list[#list + 1] = one end
    end
    return list
  end
  -- A program that reads the file itself (dotenv) was started with none of its names. Values are not looked at.
  local function reads_itself(pid, entries)
    local names_of = shell.read { sh = [[tr '\0' '\n' <"/proc/$1/environ" | cut -d= -f1]], args = { tostring(pid) } }.out
    for _, name in ipairs(text.lines(names_of)) do
      if entries[name] then return false end
    end
    return true
  end
  -- Names whose value in the file is not the one that the running service has; its process; whether that cannot be seen.
  local function stale(p)
    local pid, list = keeper.state(p.backend_keeper).pid, {}
    local entries = pid and envfile.read(p.env_file, { pid = pid }) or {}
    for name, entry in pairs(entries) do
      if entry.loaded == false then list[#list + 1] = name end
    end
    table.sort(list)
    if #list > 0 and reads_itself(pid, entries) then return {}, pid, true end
    return list, pid, false
  end
  local function loaded(p)
    local list, pid = stale(p)
    if not pid then return false, { zh = "后端没有在运行", en = "the backend is not running" } end
    if #list > 0 then return false, { zh = "后端还没有用上新的值", en = "the backend does not run with it yet" } end
    if o.well then return o.well(p) end
    return true
  end
  local function complete(p)
    if #unset(p) > 0 then return false, { zh = "{env_file} 里还缺变量", en = "{env_file} still lacks some" } end
    return loaded(p)
  end

  finding "key-missing" {
    key    = "name", title = { zh = "{env_file} 里的 {name} 不能用（{problem}）", en = "{name} in {env_file} is of no use ({problem})" },
    verify = complete, within = "30s",
  }
  finding "env-not-loaded" {
    key    = "name", title = { zh = "后端运行时用的 {name} 和 {env_file} 里的不一样", en = "the backend runs with another {name} than {env_file} has" },
    verify = loaded, within = "30s",
  }

  check "keys" {
    title = { zh = "变量配置", en = "its variables" }, why = why.read,
    run   = function(p)
      if not file.stat(p.env_file) then fail { zh = "没有 {env_file}", en = "there is no {env_file}" } end
      local missing = unset(p)
      for _, one in ipairs(missing) do found("key-missing", one) end
      ok({ zh = "{n} 个必需的变量，{bad} 个不能用", en = "{n} needed, {bad} of no use" }, { n = #names, bad = #missing })
    end,
  }
  check "loaded" {
    title = { zh = "后端运行时用的变量", en = "what the backend runs with" }, why = why.loaded,
    run   = function(p)
      local list, pid, unseen = stale(p)
      if not pid then skip { zh = "后端没有在运行", en = "the backend is not running" } end
      if unseen then skip { zh = "后端自己读 {env_file}，从进程看不出来", en = "the backend reads {env_file} itself, which its process does not show" } end
      for _, name in ipairs(list) do found("env-not-loaded", { name = name }) end
    end,
  }

  local function renew(p)
    keeper.renew(p.backend_keeper)
    if o.steady then o.steady(p) end
  end
  local function given(p)
    local list = {}
    for _, key in ipairs(o.keys) do
      if p[key.param] ~= nil then list[#list + 1] = key end
    end
    return list
  end
  local words = {}
  for i, key in ipairs(o.keys) do words[i] = "--param " .. key.param .. "=" .. key.param:gsub("_", "-") end
  fix "set-keys" {
    when  = o.rejected and { "key-missing", o.rejected } or "key-missing", batch = true, risk = "high", key = "env_file", within = "60s", why = why.set,
    title = { zh = "把新的密钥写进 {env_file}，重启后端", en = "put the new keys into {env_file} and restart the backend" },
    guard = function(p)
      local list = given(p)
      for _, one in ipairs(#findings "key-missing" > 0 and unset(p) or {}) do
        local there = false
        for _, key in ipairs(list) do there = there or key.name == one.name end
        if not there then return false, { zh = "没有给出 " .. one.name .. " 的新值", en = "no new value of " .. one.name .. " was given" } end
      end
      if #list == 0 then return false, { zh = "没有给出新的密钥", en = "no new key was given" } end
      for _, key in ipairs(list) do
        local shape = secret.inspect(p[key.param])
        if not shape.set or shape.placeholder then return false, { zh = key.name .. " 的新值是占位符", en = "the new " .. key.name .. " is a placeholder" } end
      end
      return true
    end,
    by_hand = { zh = "到交易所后台重新生成密钥（只给读行情的权限，绑定出口 IP），存成 secret，再执行时加 " .. table.concat(words, " "),
                en = "make a new key at the exchange (reading prices only, bound to our address), keep it as a secret, then run this with "
                  .. table.concat(words, " ") },
    run = function(p)
      local done = {}
      for i, key in ipairs(given(p)) do
        done[i] = envfile.set(p.env_file, key.name, p[key.param])
        keep(done)
      end
      renew(p)
      return done
    end,
    undo = function(p, _, r)
      for i = #r.set_keys, 1, -1 do envfile.restore(r.set_keys[i]) end
      keeper.renew(p.backend_keeper)
    end,
  }
  fix "reload" {
    when = "env-not-loaded", batch = true, risk = "medium", within = "60s", why = why.restart,
    no_undo = { zh = "后端会中断几秒", en = "the backend is gone for some seconds" },
    title   = { zh = "重启后端，让它读 {env_file}", en = "restart the backend, so that it reads {env_file}" },
    run     = renew,
  }
end
