-- An EVM chain as operations see it: are the nodes there and of one mind, what does a contract say, is an account stuck.
-- c: an rpc connection (a name or an address). Wei are decimal strings, exact at any size; heights, ages and counts are
-- integers. Errors are those of rpc (`runbook help rpc`); an error of the node raises rpc, with err.data.
local task = require "task"

local evm = {}

local LIMB = 10000000 -- of a decimal number under construction

-- ---- numbers ----

--- "0x10" -> 16; raises above 2^63 - 1.
function evm.int(hex)
  local digits = type(hex) == "string" and hex:match("^0x(%x+)$")
  if not digits then error("not a hex number: " .. tostring(hex), 2) end
  digits = digits:gsub("^0+", "")
  if #digits > 16 or #digits == 16 and digits:sub(1, 1):find("[89a-fA-F]") then error("larger than 2^63 - 1: " .. hex, 2) end
  return digits == "" and 0 or math.tointeger(tonumber(digits, 16))
end

--- "0xde0b6b3a7640000" -> "1000000000000000000": a decimal string, exact.
function evm.wei(hex)
  local digits = type(hex) == "string" and hex:match("^0x(%x+)$")
  if not digits then error("not a hex number: " .. tostring(hex), 2) end
  local limbs = { 0 }
  for digit in digits:gmatch(".") do
    local carry = tonumber(digit, 16)
    for i = 1, #limbs do
      local value = limbs[i] * 16 + carry
      limbs[i], carry = value % LIMB, value // LIMB
    end
    if carry > 0 then limbs[#limbs + 1] = carry end
  end
  local text = tostring(limbs[#limbs])
  for i = #limbs - 1, 1, -1 do text = text .. ("%07d"):format(limbs[i]) end
  return text
end

--- -1, 0 or 1: two decimal strings as numbers.
function evm.compare(a, b)
  a, b = a:gsub("^0+", ""), b:gsub("^0+", "")
  if #a ~= #b then return #a < #b and -1 or 1 end
  return a == b and 0 or a < b and -1 or 1
end

--- wei as ether: "1500000000000000000" -> "1.5". places: 18, or 9 for gwei.
function evm.ether(wei, places)
  places = places or 18
  local padded = ("0"):rep(places + 1 - #wei) .. wei
  local whole, part = padded:sub(1, -places - 1), padded:sub(-places):gsub("0+$", "")
  return part == "" and whole or whole .. "." .. part
end

--- The 32-byte words of an answer of eth_call, as "0x…".
function evm.words(hex)
  local list = {}
  for word in (hex:gsub("^0x", "")):gmatch(("%x"):rep(64)) do list[#list + 1] = "0x" .. word end
  return list
end

--- The address in a word: its last 20 bytes.
function evm.address(word) return "0x" .. word:sub(-40):lower() end

--- What a contract said when it refused: the text of Error(string) in err.data, else nil.
function evm.reason(data)
  local hex = type(data) == "table" and (type(data.data) == "string" and data.data or type(data.data) == "table" and data.data.data) or data
  if type(hex) ~= "string" or hex:sub(1, 10) ~= "0x08c379a0" then return nil end
  local words = evm.words("0x" .. hex:sub(11))
  local length = words[2] and evm.int("0x" .. words[2]:sub(-8)) or 0
  local bytes = hex:sub(11 + 128, 10 + 128 + 2 * length):gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)
  return bytes
end

-- ---- the node ----

local function ask(c, method, ...) return task.call("rpc.ask", { connection = c, method = method, params = { ... } }) end

local function batch(c, calls) return task.call("rpc.batch", { connection = c, calls = calls }) end

-- The value of one answer of a batch, or nil and its error.
local function value(answer)
  if answer.ok then return answer.value end
  return nil, answer.error
end

-- A batch whose answers must all be there.
local function all(c, calls)
  local list = batch(c, calls)
  for i, answer in ipairs(list) do
    if not answer.ok then
      error(task.error { code = "rpc", message = calls[i][1] .. ": " .. answer.error.message, verb = "rpc.batch", data = answer.error }, 0)
    end
    list[i] = answer.value
  end
  return list
end

-- A node that answers, but not what it was asked for, is a node that does not work.
local function strange(what, said) error(task.error { code = "rpc", message = what .. ": " .. tostring(said), verb = "rpc.call" }, 0) end

--- { chain_id, height, time, age, base_fee?, gas_price, syncing }. age: seconds since the last block; time: of it, UTC.
function evm.status(c)
  local got = all(c, { { "eth_chainId" }, { "eth_getBlockByNumber", "latest", false }, { "eth_gasPrice" }, { "eth_syncing" } })
  local block = type(got[2]) == "table" and got[2] or strange("eth_getBlockByNumber", got[2])
  for what, said in pairs { eth_chainId = got[1], number = block.number or "?", timestamp = block.timestamp or "?", eth_gasPrice = got[3] } do
    if not tostring(said):find("^0x%x+$") then strange(what, said) end
  end
  local time = evm.int(block.timestamp)
  return {
    chain_id = evm.int(got[1]), height = evm.int(block.number), time = time, age = math.floor(task.call("time.now", {})) - time,
    base_fee = block.baseFeePerGas and evm.wei(block.baseFeePerGas) or nil, gas_price = evm.wei(got[3]), syncing = got[4] ~= false,
  }
end

local function look(c)
  local ok, result = task.protect(evm.status, c)
  if ok then
    result.ok = true
    return result
  end
  if result.kind ~= "verb" or result.fatal then error(result, 0) end
  return { ok = false, code = result.code, error = result.message }
end

--- Are these nodes there and of one mind? nodes: list of connections. options: lag = blocks that one may be behind
--- (default 10), chain_id = what all must say. Returns { agree, why?, height, chain_id?, nodes = { { name, ok, lag, chain_id,
--- height, age, gas_price, … } or { name, ok = false, code, error } } }, in the order of the list. Asks all at once.
function evm.agree(nodes, options)
  local allowed, wanted = options and options.lag or 10, options and options.chain_id
  local list = task.parallel(nodes, look, 8)
  local height, why = 0, nil
  for i, node in ipairs(list) do
    node.name = nodes[i]
    if node.ok and node.height > height then height = node.height end
    wanted = wanted or node.ok and node.chain_id or nil
  end
  for _, node in ipairs(list) do
    node.lag = node.ok and height - node.height or nil
    why = why or not node.ok and "unreachable" or node.chain_id ~= wanted and "chain_id" or node.lag > allowed and "lag" or nil
  end
  return { agree = why == nil, why = why, height = height, chain_id = wanted, nodes = list }
end

--- Wei, a decimal string. block: "latest" by default.
function evm.balance(c, address, block) return evm.wei(ask(c, "eth_getBalance", address, block or "latest")) end

--- { latest, pending, waiting }: waiting transactions of an account; more than 0 for long is stuck.
function evm.nonces(c, address)
  local got = all(c, { { "eth_getTransactionCount", address, "latest" }, { "eth_getTransactionCount", address, "pending" } })
  local latest, pending = evm.int(got[1]), evm.int(got[2])
  return { latest = latest, pending = pending, waiting = pending - latest }
end

--- What became of a transaction: nil when the node does not know it; { state = "pending" } or
--- { state = "success" | "failed", block, confirmations, gas_used, gas_price? }. gas_price: wei paid for each unit of gas.
function evm.receipt(c, hash)
  local got = all(c, { { "eth_getTransactionReceipt", hash }, { "eth_getTransactionByHash", hash }, { "eth_blockNumber" } })
  local receipt, transaction = got[1], got[2]
  if type(receipt) ~= "table" or not receipt.blockNumber then
    return type(transaction) == "table" and transaction.hash and { state = "pending" } or nil
  end
  local block = evm.int(receipt.blockNumber)
  return {
    state = receipt.status == "0x1" and "success" or "failed", block = block, confirmations = evm.int(got[3]) - block + 1,
    gas_used = evm.int(receipt.gasUsed), gas_price = receipt.effectiveGasPrice and evm.wei(receipt.effectiveGasPrice) or nil,
  }
end

--- eth_call: data is "0x" and the selector and arguments. Returns the answer as "0x…".
function evm.call(c, address, data, block) return ask(c, "eth_call", { to = address, data = data }, block or "latest") end

--- Is it paused? true, false, or nil and why not: "no code", "no answer" (no such function), or what the contract said.
function evm.paused(c, address)
  local contract = evm.contract(c, address)
  if not contract.code then return nil, "no code" end
  return contract.paused, contract.paused == nil and (contract.why or "no answer") or nil
end

-- owner(), treasury(), paused(): the selectors of contracts that can be stopped.
local getters = { owner = "0x8da5cb5b", treasury = "0x61d027b3", paused = "0x5c975abb" }

--- What is at an address: { code, size, balance, owner?, treasury?, paused?, owner_is_contract? }. code false: an ordinary
--- account, or a wrong address or chain. A getter that the contract does not have is nil.
function evm.contract(c, address)
  local calls = { { "eth_getCode", address, "latest" }, { "eth_getBalance", address, "latest" } }
  for i, name in ipairs { "owner", "treasury", "paused" } do
    calls[2 + i] = { "eth_call", { to = address, data = getters[name] }, "latest" }
  end
  local list = batch(c, calls)
  local code, err = value(list[1])
  if not code then error(task.error { code = "rpc", message = err.message, verb = "rpc.batch", data = err }, 0) end
  local size = (#code - 2) // 2
  local found = { code = size > 0, size = size, balance = value(list[2]) and evm.wei(list[2].value) or nil }
  local answers = {}
  for i, name in ipairs { "owner", "treasury", "paused" } do
    local hex, refused = value(list[2 + i])
    answers[name] = hex and evm.words(hex)[1] or nil
    found.why = found.why or refused and name == "paused" and (evm.reason(refused) or refused.message) or nil
  end
  found.owner = answers.owner and evm.address(answers.owner)
  found.treasury = answers.treasury and evm.address(answers.treasury)
  if answers.paused then found.paused = answers.paused:find("[1-9a-fA-F]", 3) ~= nil end
  if found.owner then found.owner_is_contract = #ask(c, "eth_getCode", found.owner, "latest") > 2 end
  return found
end

--- Events of a contract. filter: { address, topics?, from, to? } with heights as integers or "latest".
--- Returns a list of { block, transaction, index, topics, data }.
function evm.logs(c, filter)
  local function height(value_of) return math.type(value_of) == "integer" and ("0x%x"):format(value_of) or value_of end
  local list = ask(c, "eth_getLogs", {
    address = filter.address, topics = filter.topics, fromBlock = height(filter.from), toBlock = height(filter.to or "latest"),
  })
  local out = {}
  for i, log in ipairs(list) do
    out[i] = {
      block = evm.int(log.blockNumber), transaction = log.transactionHash, index = evm.int(log.logIndex), topics = log.topics, data = log.data,
    }
  end
  return out
end

return evm
