-- Makes of a fresh Lua what scripts see: the library as Redis offers it, behind tables that cannot
-- be changed, so that no script can leave anything behind for the next.
--
-- `native` holds what is written in Rust. What this returns is known to interpreter.rs.

local native = ...
local error, setmetatable, rawset, type, tostring, next =
  error, setmetatable, rawset, type, tostring, next
local pcall, xpcall, resume = pcall, xpcall, coroutine.resume

local protected = {}

-- An empty table that shows what another holds. What writes without asking a metatable asks `protected`.
local function protect(real)
  local face = setmetatable({}, {
    __index = real,
    __newindex = function() error("Attempt to modify a readonly table", 2) end,
    __metatable = false,
  })
  protected[face] = true
  return face
end

-- Errors of Rust functions are values that scripts know nothing of.
-- Errors of functions that are wrapped here name this file: the script is what they mean.
local gsub, match = string.gsub, string.match
local function plain(failure, line)
  if type(failure) == "userdata" then failure = native.plain(failure) end
  if type(failure) == "string" and match(failure, "^redist:%d+: ") then
    failure = gsub(failure, "^redist:%d+: ", "user_script:" .. (line or 1) .. ": ")
  end
  return failure
end

local function caught(done, ...)
  if done then return true, ... end
  local failure = plain((...))
  -- As Redis does for scripts that were written before errors were tables.
  if type(failure) == "table" and type(failure.err) == "string" then failure = failure.err end
  return false, failure
end

local function resumed(done, ...)
  if done then return true, ... end
  return false, plain((...))
end

-- Raises what has failed.
local function settled(done, ...)
  if done then return ... end
  error((...), 0)
end

local real = {}
for _, name in ipairs {
  "_VERSION", "assert", "error", "gcinfo", "getmetatable", "ipairs", "next",
  "pairs", "rawequal", "rawget", "select", "tonumber", "tostring", "type", "unpack",
} do
  real[name] = _G[name]
end

function real.pcall(...) return caught(pcall(...)) end
function real.xpcall(run, handle)
  return xpcall(run, function(failure) return handle(plain(failure)) end)
end
function real.rawset(table, key, value)
  if protected[table] then error("Attempt to modify a readonly table", 0) end
  return rawset(table, key, value)
end
function real.setmetatable(table, metatable)
  if protected[table] then error("Attempt to modify a readonly table", 0) end
  return setmetatable(table, metatable)
end
-- Byte code that was tampered with could do anything.
local loadstring = loadstring
function real.loadstring(text, name)
  if type(text) == "string" and text:byte(1) == 27 then
    return nil, "bytecode is not supported"
  end
  return loadstring(text, name or text)
end
function real.load(read, name)
  local pieces = {}
  while true do
    local piece = read()
    if piece == nil or piece == "" then break end
    if type(piece) ~= "string" then return nil, "reader function must return a string" end
    pieces[#pieces + 1] = piece
  end
  return real.loadstring(table.concat(pieces), name or "=(load)")
end

local coroutine = coroutine
function coroutine.resume(...) return resumed(resume(...)) end
function coroutine.wrap(run)
  local thread = coroutine.create(run)
  return function(...) return settled(resumed(resume(thread, ...))) end
end

local redis = native.redis
function redis.status_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  return { ok = text }
end
function redis.error_reply(...)
  local text = ...
  if select("#", ...) ~= 1 or type(text) ~= "string" then
    return { err = "ERR wrong number or type of arguments" }
  end
  if text:sub(1, 1) == "-" then
    text = text:sub(2)
    if not text:find(" ", 1, true) then text = "ERR " .. text end
  elseif not text:find(" ", 1, true) then
    text = "ERR " .. text
  end
  return { err = text }
end
local protected_call, check = native.protected_call, native.check
function redis.pcall(...) return redis.call(protected_call, ...) end
function redis.acl_check_cmd(...) return redis.call(check, ...) end
function redis.replicate_commands() return true end
function redis.breakpoint() return false end
function redis.debug() end

math.random, math.randomseed = native.random, native.randomseed

-- Runs something that takes much stack on one that has much.
local function on_more(run)
  return settled(native.on_more(function() return pcall(run) end))
end

-- Lua matches patterns by recursion, as deep as they are long.
local has_room = native.has_room
local function is_long(pattern)
  if type(pattern) ~= "string" or #pattern <= native.short_pattern_bytes_max then return false end
  if #pattern > native.pattern_bytes_max then error("pattern too complex", 3) end
  return true
end
local function needs_more(pattern)
  return is_long(pattern) and not has_room(#pattern)
end

local find, gmatch = string.find, string.gmatch
function string.find(...)
  local text, pattern, start, plain = ...
  if needs_more(pattern) then
    return on_more(function() return find(text, pattern, start, plain) end)
  end
  return find(...)
end
function string.match(...)
  local text, pattern, start = ...
  if needs_more(pattern) then
    return on_more(function() return match(text, pattern, start) end)
  end
  return match(...)
end
function string.gmatch(...)
  local _, pattern = ...
  if not is_long(pattern) then return gmatch(...) end
  local iterate = gmatch(...)
  return function()
    if has_room(#pattern) then return iterate() end
    return on_more(iterate)
  end
end
function string.gsub(...)
  local text, pattern, by, count = ...
  local calls = type(by) == "function" or type(by) == "table"
  if needs_more(pattern) or calls and not has_room(0) then
    return on_more(function() return gsub(text, pattern, by, count) end)
  end
  return gsub(...)
end

local insert = table.insert
function table.insert(...)
  if protected[(...)] and select("#", ...) > 1 then
    error("Attempt to modify a readonly table", 0)
  end
  return insert(...)
end

-- It calls itself, and what compares.
local sort = table.sort
function table.sort(...)
  if has_room(0) then return sort(...) end
  local list, is_less = ...
  return on_more(function() return sort(list, is_less) end)
end

-- Nothing many times over is still nothing, but takes long.
local rep = string.rep
function string.rep(text, count)
  if text == "" and type(count) == "number" then return "" end
  return rep(text, count)
end

-- Whatever a script asks for here holds for all that come after it.
local collectgarbage = collectgarbage
function real.collectgarbage(option, value)
  if option == nil or option == "collect" or option == "count" or option == "step" then
    return collectgarbage(option or "collect", value)
  end
  return 0
end

local libraries = {
  string = string, table = table, math = math, coroutine = coroutine, redis = redis,
}
for name, library in next, native.libraries do libraries[name] = library end
for name, library in next, libraries do real[name] = protect(library) end
getmetatable("").__metatable = protect { __index = real.string }

setmetatable(real, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local globals = protect(real)
real._G = globals

local place = native.place

-- An error comes with the place where it was raised.
local function placed(failure)
  local source, line = place()
  failure = plain(failure, line)
  if type(failure) ~= "table" then failure = { err = "ERR " .. tostring(failure) } end
  failure.source, failure.line = source, line
  return failure
end

-- Runs a script with the function that runs commands. What it comes to stands behind whether it has ended well.
local function run(script, call, keys, args)
  redis.call = call
  real.KEYS, real.ARGV = keys, args
  return xpcall(script, placed)
end

return {
  globals = globals,
  run = run,
  -- The same with the words one by one, the keys first. There may be fewer of them, but it is faster.
  run_with = function(script, call, key_count, ...)
    local words = { ... }
    if key_count == 0 then return run(script, call, {}, words) end
    if key_count == #words then return run(script, call, words, {}) end
    local keys, args = {}, {}
    for i = 1, key_count do keys[i] = words[i] end
    for i = key_count + 1, #words do args[i - key_count] = words[i] end
    return run(script, call, keys, args)
  end,
}
