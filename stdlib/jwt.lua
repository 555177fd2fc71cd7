-- JSON web tokens, looked at: what they say, not whether they are genuine. Nothing here checks a signature, so nothing here
-- may decide who somebody is; it tells an operator why a token is refused.
local rt = require "rt"
local task = require "task"

local jwt = {}

local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local TOKEN_MAX = 65536

local places = {}
for i = 1, #alphabet do places[alphabet:sub(i, i)] = i - 1 end

-- base64url without padding; nil for anything else.
local function decode(text)
  if text:find("[^%w%-_]") or #text % 4 == 1 then return nil end
  local out, bits, value = {}, 0, 0
  for char in text:gmatch(".") do
    value, bits = (value << 6 | places[char]) & 0xffffff, bits + 6
    if bits >= 8 then
      bits = bits - 8
      out[#out + 1] = string.char(value >> bits & 0xff)
    end
  end
  return table.concat(out)
end

local function decode_json(text, part)
  local raw = decode(text)
  if not raw then return nil, part .. " is not base64url" end
  local ok, value = task.protect(rt.json_decode, raw)
  if not ok or type(value) ~= "table" or value == rt.null or rt.is_array(value) then return nil, part .. " is not a JSON object" end
  return value
end

--- { header, payload, signed } or nil and why it is malformed. "Bearer " in front is left out. signed: is there a signature
--- at all; whether it is right is not looked at.
function jwt.decode(token)
  if type(token) ~= "string" then return nil, "not a text" end
  token = token:gsub("^%s*[Bb]earer%s+", ""):gsub("%s+$", "")
  if #token > TOKEN_MAX then return nil, "longer than " .. TOKEN_MAX .. " bytes" end
  local first, second, third = token:match("^([^.]*)%.([^.]*)%.([^.]*)$")
  if not first then return nil, "not three parts with dots between them" end
  local header, why = decode_json(first, "the header")
  if not header then return nil, why end
  local payload, other = decode_json(second, "the payload")
  if not payload then return nil, other end
  if not decode(third) then return nil, "the signature is not base64url" end
  return { header = header, payload = payload, signed = third ~= "" }
end

local function number(value) return math.type(value) and value or nil end

local function holds(value, wanted)
  if type(value) ~= "table" then return value == wanted end
  for _, one in ipairs(value) do
    if one == wanted then return true end
  end
  return false
end

-- Each: the name of the problem, and whether it is there. o: options; t: { header, payload, signed }; now: UTC seconds.
local checks = {
  { "alg_none", function(_, t) return tostring(t.header.alg):lower() == "none" end },
  { "alg_unexpected", function(o, t) return o.alg and t.header.alg ~= o.alg end },
  { "unsigned", function(_, t) return not t.signed end },
  { "expired", function(o, t, now) return number(t.payload.exp) and now > t.payload.exp + o.skew end },
  { "no_expiry", function(_, t) return number(t.payload.exp) == nil end },
  { "not_yet_valid", function(o, t, now) return number(t.payload.nbf) and now < t.payload.nbf - o.skew end },
  { "issued_in_future", function(o, t, now) return number(t.payload.iat) and now < t.payload.iat - o.skew end },
  { "issuer_unexpected", function(o, t) return o.issuer and t.payload.iss ~= o.issuer end },
  { "audience_unexpected", function(o, t) return o.audience and not holds(t.payload.aud, o.audience) end },
}

--- Why a token may be refused. options: alg, issuer, audience = what is expected; skew = seconds that clocks may differ
--- (default 120); now = UTC seconds (default: now). Returns { problems = list of malformed alg_none alg_unexpected unsigned expired
--- no_expiry not_yet_valid issued_in_future issuer_unexpected audience_unexpected, header?, payload?, expires_in?, why? }.
function jwt.inspect(token, options)
  local given = options or {}
  local o = { alg = given.alg, issuer = given.issuer, audience = given.audience, skew = given.skew or 120 }
  local now = given.now or task.call("time.now", {})
  local t, why = jwt.decode(token)
  if not t then return { problems = rt.array { "malformed" }, why = why } end
  local problems = rt.array {}
  for _, check in ipairs(checks) do
    if check[2](o, t, now) then problems[#problems + 1] = check[1] end
  end
  local expiry = number(t.payload.exp)
  return { problems = problems, header = t.header, payload = t.payload, expires_in = expiry and math.floor(expiry - now) or nil }
end

return jwt
