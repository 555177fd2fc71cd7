-- incident-response, its people played by the drill; the service is a real HTTP server.

local function service(d)
  d.shop = d:http { routes = { ["/health"] = { status = 503 }, ["*"] = { body = "shop" } } }
  d:set { health_url = d.shop.url .. "/health", report_dir = d.dir .. "/reports" }
end
local function repaired(d) d.shop:routes { ["*"] = { body = "ok" } } return { done = "restarted the backend" } end
local function people(more)
  local answers = {
    discovered = { how = "alert", what = "shop is down" }, level = { level = "P0" }, scope = { scope = "all users", degree = "total" },
    plan = { plan = "restart" }, metrics = { seen = "no requests" }, logs = { seen = "out of memory" }, reproduce = { how = "not needed" },
    cause = { cause = "memory", run = "r-1" }, act = repaired, effect = { seen = "requests" }, verified = true, normal = { at = "03:10" },
    analysis = { root = "no memory limit" }, lessons = { lessons = "alert earlier" }, measures = { measures = "limit, by Friday" },
    documents = { changed = "2.8" },
  }
  for name, value in pairs(more or {}) do answers[name] = value end
  return answers
end
local function reports(d) return try(file.list, d.p.report_dir) or {} end

drill "whole" {
  needs = { "python3" }, inject = service, expect = {}, answers = people(), result = "done",
  prove = function(d)
    local text = file.read(reports(d)[1].path)
    for _, word in ipairs { "P0", "shop is down", "no memory limit", "limit, by Friday", "r-1" } do
      assert(text:find(word, 1, true), word .. " is not in the report")
    end
  end,
}
drill "not-over" { -- whatever the person says: while the service is down it is not closed
  needs = { "python3" }, inject = service, expect = {}, answers = people { act = { done = "nothing" } },
  result = "failed", fails_at = "verified", within = "3m",
  prove = function(d) assert(#reports(d) == 0, "it was closed") end,
}
drill "no-root-cause" { -- without it there is no report and no end
  needs = { "python3" }, inject = service, expect = {}, answers = people { analysis = false }, result = "aborted",
  prove = function(d) assert(#reports(d) == 0, "it was closed") end,
}
drill "nobody-can-be-told" { -- the channel is down with the rest: the incident goes on, and the report says so
  needs = { "python3" }, expect = {}, answers = people(), result = "done",
  inject = function(d)
    service(d)
    d:set { channel = d:channel("oncall", { kind = "webhook", url = ("http://127.0.0.1:%d/hook"):format(d:port()) }) }
  end,
  prove = function(d) assert(file.read(reports(d)[1].path):find("by telephone", 1, true), "it does not say that nobody was told") end,
}
