runbook "mall/stock-oversold" {
  title    = { zh = "库存超卖", en = "Stock oversold" },
  alias    = "stock-oversold",
  severity = "P1",
  symptoms = { { zh = "订单数量超过库存", en = "more was ordered than is in stock" }, "库存超卖" },
  impact   = { zh = "有用户付了款却发不出货", en = "customers have paid for what cannot be sent" },
  source   = "Mall 故障处理手册 2.6",
}

param "db"
param "cache"
param "consumes" {
  type = "list(int)", default = { 1, 2, 3 }, min = 1,
  title = { zh = "占用库存的订单状态（待发货、待收货、已完成）", en = "order states that consume stock (to send, sent, done)" },
}
param "on_shelf"  { type = "int", default = 1, title = { zh = "商品上架的状态值", en = "status of a product on the shelf" } }
param "off_shelf" { type = "int", default = 0, title = { zh = "商品下架的状态值", en = "status of a product off the shelf" } }
param "lock_pattern" { type = "string", default = "stock:lock:*", pattern = "[^*]{3,}.*", title = { zh = "库存锁的键", en = "keys of the stock locks" } }
param "lock_max_ttl" { type = "duration", default = "30s", title = { zh = "库存锁最长多久", en = "how long a stock lock may last" } }
param "counted" {
  type = "list(string)", default = {}, pattern = "[0-9]+=[0-9]+",
  title = { zh = "实物盘点结果，例如 17=3（SKU 17 还有 3 件）", en = "what was counted by hand, as 17=3 (three left of SKU 17)" },
}
param "settled" {
  type = "list(string)", default = {},
  title = { zh = "已与用户谈妥延期发货的订单号", en = "order numbers whose buyers have agreed to wait" },
}

finding "oversold" {
  key = "sku",
  title = { zh = "SKU {sku}（{name}）收货 {received} 件，卖出 {sold} 件，超卖 {over} 件：{orders:list}",
            en = "SKU {sku} ({name}): {received} received, {sold} sold, {over} too many: {orders:list}" },
}
finding "stock-wrong" {
  key = "sku", severity = "P2",
  title = { zh = "SKU {sku}（{name}）账面库存 {stock}，应为 {should}", en = "SKU {sku} ({name}): the books say {stock}, it should be {should}" },
}
finding "no-receipts" {
  key = "sku", severity = "P3",
  title  = { zh = "SKU {sku}（{name}）没有收货记录，对不了账：卖出 {sold} 件，账面库存 {stock}",
             en = "SKU {sku} ({name}) has no receipts and cannot be judged: {sold} sold, the books say {stock}" },
  advice = { zh = "先补录期初库存，再诊断；账面是负数就先人工下架", en = "enter what was there at the start, then look again; where the books are below 0, take it off the "
               .. "shelf by hand" },
}
finding "lock-leaked" {
  key = "lock", severity = "P2",
  title = { zh = "库存锁 {lock} 没有释放：{how}", en = "the stock lock {lock} was not released: {how}" },
}

local function marks(list) return (("?,"):rep(#list):gsub(",$", "")) end
-- What was received and what paid orders took, of each SKU; cancelled and refunded orders do not count.
local function books(p)
  return sql(p.db):rows([[SELECT s.id AS sku, s.name, s.stock, s.product_id AS product, p.status AS shelf,
    CAST((SELECT COALESCE(SUM(quantity), 0) FROM stock_receipts r WHERE r.sku_id = s.id) AS SIGNED) AS received,
    (SELECT COUNT(*) FROM stock_receipts r WHERE r.sku_id = s.id) AS receipts,
    CAST((SELECT COALESCE(SUM(i.quantity), 0) FROM order_items i JOIN orders o ON o.id = i.order_id
          WHERE i.sku_id = s.id AND o.status IN (]] .. marks(p.consumes) .. [[)) AS SIGNED) AS sold
    FROM product_skus s JOIN products p ON p.id = s.product_id ORDER BY s.id]], table.unpack(p.consumes))
end
local function orders_of(p, sku)
  local values = { sku, table.unpack(p.consumes) }
  return sql(p.db):rows([[SELECT o.order_no AS no, CAST(SUM(i.quantity) AS SIGNED) AS quantity FROM orders o JOIN order_items i ON i.order_id = o.id
    WHERE i.sku_id = ? AND o.status IN (]] .. marks(p.consumes) .. ") GROUP BY o.id, o.order_no ORDER BY o.id DESC", table.unpack(values))
end
local function holds(list, value)
  for _, one in ipairs(list) do
    if one == value then return true end
  end
end
-- The newest orders that reach beyond what was received, without those whose buyers wait.
local function beyond(p, one)
  local over, list = one.sold - one.received, {}
  for _, order in ipairs(orders_of(p, one.sku)) do
    if over <= 0 then break end
    over = over - order.quantity
    if not holds(p.settled, tostring(order.no)) then list[#list + 1] = order.no end
  end
  return list
end

check "locks" {
  title = { zh = "库存锁", en = "stock locks" },
  why   = { zh = "手册的 KEYS 会卡住整个 Redis，这里用 SCAN", en = "the manual's KEYS holds all of Redis up; this uses SCAN" },
  run   = function(p)
    local cache = redis(p.cache)
    local function look(lock)
      local ttl = cache:ask("TTL", lock)
      local how = ttl == -1 and "no expiry" or ttl > p.lock_max_ttl and ttl .. " s left"
      if not how then return end
      local kind = cache:ask("TYPE", lock) -- Redisson keeps its holder in a hash
      return { lock = lock, how = how, kind = kind, owner = kind == "string" and cache:ask("GET", lock) or kind, ttl = ttl }
    end
    local keys, odd = cache:scan { match = p.lock_pattern, max = 10000 }, {}
    for _, lock in ipairs(keys) do odd[#odd + 1] = look(lock) end
    if #odd > 0 then wait "2s" end -- SETNX and EXPIRE may be two steps, and a lock without expiry is let go when the order is through
    for _, one in ipairs(odd) do
      local again = look(one.lock)
      if again and again.owner == one.owner then found("lock-leaked", again) end
    end
    ok({ zh = "{n} 把", en = "{n}" }, { n = #keys })
  end,
}
check "books" {
  title = { zh = "库存与订单对账", en = "stock against orders" },
  why   = { zh = "手册的汇总把取消的订单也算进去，而且从不与收货数比较", en = "the manual's sum counts cancelled orders too and is never compared with what was received" },
  run   = function(p)
    local all = books(p)
    for _, one in ipairs(all) do
      local left, orders = one.received - one.sold, beyond(p, one)
      one.should = math.max(0, left)
      if one.receipts == 0 then
        if one.sold > 0 or one.stock ~= 0 then found("no-receipts", one) end -- older than the records: nothing was oversold by that
      else
        if #orders > 0 then one.over, one.orders = -left, orders found("oversold", one) end
        if one.stock ~= one.should then found("stock-wrong", one) end
      end
    end
    ok({ zh = "{n} 个 SKU", en = "{n} SKUs" }, { n = #all })
  end,
}

local function counted(p, f)
  for _, one in ipairs(p.counted) do
    local sku, n = one:match("^(%d+)=(%d+)$")
    if tonumber(sku) == f.sku then return math.tointeger(tonumber(n)) end
  end
end
local function shelve(p, f, to) return sql(p.db):exec("UPDATE products SET status = ? WHERE id = ? AND status <> ?", to, f.product, to) end
local function stock_is(p, f, from, to)
  local done = sql(p.db):exec("UPDATE product_skus SET stock = ? WHERE id = ? AND stock = ?", to, f.sku, from)
  if done.changes ~= 1 then fail { zh = "库存刚刚又变了，没有改动，重新诊断", en = "the stock has just changed again; nothing was done, look anew" } end
end

fix "take-off-shelf" {
  when  = "oversold", risk = "high",
  title = { zh = "下架商品 {product}（SKU {sku}），停止接单", en = "take product {product} (SKU {sku}) off the shelf, so that nobody orders more" },
  run    = function(p, f) shelve(p, f, p.off_shelf) end,
  verify = function(p, f) return sql(p.db):value("SELECT status FROM products WHERE id = ?", f.product) == p.off_shelf end,
  undo   = function(p, f) shelve(p, f, f.shelf) end, -- what people had taken off before stays off
}
fix "release-lock" {
  when  = "lock-leaked", risk = "medium",
  title = { zh = "释放库存锁 {lock}（持有者仍是 {owner} 才释放）", en = "release the stock lock {lock}, if {owner} still holds it" },
  guard = function(_, f)
    return f.kind == "string", { zh = "它是 {kind}，不是一个值（Redisson 的锁）：确认持有的进程已不在，再 DEL", en = "it is a {kind}, not one value (Redisson's): "
                                   .. "make sure that the process that holds it is gone, then DEL" }
  end,
  run   = function(p, f)
    redis(p.cache):call("EVAL", "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0", 1, f.lock, f.owner)
  end,
  undo  = function(p, f) redis(p.cache):call("SET", f.lock, f.owner, "NX") end,
}
fix "set-stock" {
  when  = "stock-wrong", risk = "high",
  title = { zh = "把 SKU {sku} 的库存从 {stock} 改成盘点数", en = "set the stock of SKU {sku} from {stock} to what was counted" },
  why   = { zh = "手册的 SET stock = actual_stock 把占位符当成了列名；数量必须来自实物盘点，并且只在库存仍是刚才看到的值时才改",
            en = "the manual's SET stock = actual_stock takes a placeholder for a column; the number must come from counting, "
              .. "and is set only while the stock is still what was seen" },
  guard = function(p, f)
    local n = counted(p, f)
    if not n then return false, { zh = "先盘点实物，再加参数 counted=" .. f.sku .. "=数量", en = "count what is there first, then add counted=" .. f.sku .. "=N" } end
    return n == f.should, { zh = "盘点 " .. n .. " 件，账上应有 " .. f.should .. " 件：先查清收货和订单记录",
                            en = n .. " counted, " .. f.should .. " by the records: find out why first" }
  end,
  run   = function(p, f) stock_is(p, f, f.stock, counted(p, f)) end,
  undo  = function(p, f) stock_is(p, f, counted(p, f), f.stock) end,
}
fix "settle-orders" {
  when    = "oversold",
  title   = { zh = "处理超卖订单", en = "settle the oversold orders" },
  by_hand = { zh = "逐单联系用户：{orders:list}。退款的在后台改成已退款；同意延期发货的，用参数 settled=订单号 记下来",
              en = "call the buyer of each order: {orders:list}. Refund in the back office; note those who agree to wait by settled=ORDER" },
}
fix "put-on-shelf" {
  when  = "asked", risk = "high", key = "db",
  title = { zh = "把库存为正、又已下架的商品重新上架", en = "put what is off the shelf and in stock back on it" },
  run   = function(p) return sql(p.db):exec("UPDATE products SET status = ? WHERE status = ? AND id IN (SELECT product_id FROM product_skus WHERE stock > "
                                              .. "0)", p.on_shelf, p.off_shelf) end,
  no_undo = { zh = "再用 take-off-shelf 下架", en = "take it off the shelf again" },
  confirm = { zh = "会把所有有库存的下架商品都上架，包括人工下架的", en = "this takes all that is in stock, also what people took off by hand" },
}

prevent "distributed-lock" { title = { zh = "Redis 分布式锁",
                                       en = "distributed lock" }, by_hand = { zh = "下单用 Redis 分布式锁，SET key 随机值 NX PX，释放时比对持有者", en = "order under a Redis "
                                             .. "lock: SET key random NX PX, released only by its holder" } }
prevent "lock-time" { title = { zh = "锁定时间", en = "lock time" }, by_hand = { zh = "锁定时间不超过 {lock_max_ttl}", en = "no lock longer than {lock_max_ttl}" } }
prevent "check-stock" { title = { zh = "库存检查",
                                  en = "stock check" }, by_hand = { zh = "扣减时检查：UPDATE … SET stock = stock - n WHERE id = ? AND stock >= "
                                        .. "n，看影响行数；上线前用并发下单验证库存 1 只卖出 1 件", en = "check while taking: UPDATE … SET stock = stock - n WHERE id = ? AND stock "
                                              .. ">= n, and look at the count; try it with parallel orders for one piece" } }
prevent "reserve" { title = { zh = "预扣库存",
                              en = "reservation" }, by_hand = { zh = "下单预扣、支付确认、超时释放", en = "reserve with the order, confirm with the payment, release when "
                                    .. "it lapses" } }
