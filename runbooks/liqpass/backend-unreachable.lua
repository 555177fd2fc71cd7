runbook "liqpass/backend-unreachable" {
  title    = { zh = "前端无法连接后端服务", en = "The front end cannot reach the backend" },
  alias    = "backend-unreachable",
  severity = "P1", kind = "incident",
  codes    = { "NETWORK_ERROR", "ECONNREFUSED" },
  symptoms = { "无法连接到服务器", "网络错误" },
  source   = "LiqPass 错误处理与故障排查手册 2.1 错误1",
  impact   = { zh = "用户下不了单", en = "users cannot order" },
}

local KEEPERS = "(systemd|pm2|compose|docker|init):.+"
param "us_health_url"
param "jp_health_url"
param "us_keeper" { type = "string", default = "pm2:us-backend", pattern = KEEPERS, title = { zh = "美国后端由谁守护", en = "who keeps the US backend running" } }
param "jp_keeper" { type = "string", default = "pm2:jp-verify", pattern = KEEPERS, title = { zh = "日本验证由谁守护", en = "who keeps JP Verify running" } }

generic.service_unreachable {
  services = {
    { name = "us-backend", url = "us_health_url", keeper = "us_keeper" },
    { name = "jp-verify", url = "jp_health_url", keeper = "jp_keeper" },
  },
  why = {
    alive    = { zh = "手册的 curl 没有时限，会一直等；这里区分没在运行、挂住、和回了错误",
                 en = "the manual's curl has no deadline; this tells not running, hanging and an error answer apart" },
    ports    = { zh = "手册的 grep :3001 也会匹配 30010；这里按端口号精确看，并看是不是自己的进程",
                 en = "the manual's grep :3001 also matches 30010; this looks for the port itself, and whether it is our process" },
    firewall = { zh = "手册让人 ufw disable，整台机器就没有防火墙了；这里先从外面试连，再只放行这一个端口",
                 en = "the manual's ufw disable leaves the machine without a firewall; this tries from outside, and opens this one port" },
    dns      = { zh = "hosts 里的一行会盖过 DNS", en = "a line in hosts overrides DNS" },
    restart  = { zh = "手册的 npm start 不会返回，终端一关服务就死；这里让守护程序重启它",
                 en = "the manual's npm start never returns and dies with the terminal; this lets its keeper restart it" },
  },
}
param "public_host" { default = "api.liqpass.com" }

prevent "keeper" { title = { zh = "守护",
                             en = "keeping" }, by_hand = { zh = "两个服务都交给 pm2 或 systemd，不要在终端里 npm start", en = "give both to pm2 or systemd, and start "
                                   .. "neither in a terminal" } }
