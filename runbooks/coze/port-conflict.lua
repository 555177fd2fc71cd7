runbook "coze/port-conflict" {
  title    = { zh = "端口冲突", en = "Port conflict" },
  severity = "P1", kind = "incident",
  target   = "{keeper}",
  codes    = { "EADDRINUSE" },
  symptoms = { "address already in use", "端口被占用" },
  source   = "扣子平台故障排除指南 一.1、一.3 端口冲突",
}

generic.port_conflict {
  why = {
    look = { zh = "手册的 netstat | grep 端口号 会把 30010 当成 3001，也看不出是不是自己；这里按端口号精确找，并和守护程序管的进程比",
             en = "the manual's netstat | grep takes 30010 for 3001, and does not say whether it is ourselves; this looks for the exact port, and compares "
               .. "with the process that the keeper knows" },
    stop = { zh = "先 TERM 等它放手，10 秒后才 KILL", en = "TERM first, and KILL only after 10 seconds" },
    move = { zh = "改自己的端口不伤别人，所以排在停掉别人的进程之前", en = "moving harms nobody, so it comes before stopping somebody else's process" },
  },
}

prevent "reserve" {
  title   = { zh = "端口登记", en = "list of ports" },
  by_hand = { zh = "给每个服务登记一个端口，部署前检查", en = "give each service its port in a list, and check it before deploying" },
}
