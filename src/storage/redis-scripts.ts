import { createHash } from "node:crypto";
import { LIMITS } from "../limits.ts";
import { DELTA_HEAD_BYTES } from "./lines.ts";
import { RENEW_AFTER_MS } from "./renewal.ts";

/** A Lua script and the name by which a server that has seen it knows it. */
export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** Values that one command of a script takes: Lua puts them on a stack of 8,000. */
const CHUNK = 4_000;

/** What the scripts share. A document is stored as `<revision>:<JSON>`, an object's time as `<32 bytes of hash><milliseconds>`, a delta as the 32
 * bytes of its base, its place and the rest. */
const SHARED = `
local function call(command, key, values, first, last)
  for from = first, last, ${CHUNK} do
    redis.call(command, key, unpack(values, from, math.min(from + ${CHUNK - 1}, last)))
  end
end

local function use_of(uses, hash)
  return redis.call('ZRANGE', uses, '[' .. hash, '(' .. hash .. '\\255', 'BYLEX', 'LIMIT', 0, 1)[1]
end
`;

/**
 * One commit, or objects ahead of one. Everything that can refuse it stands before the first write; the server itself refuses the
 * whole script, before it begins, where there is no memory or where it is a replica.
 *
 * An object that others stand upon is hidden when it is deleted, until these are gone too.
 *
 * KEYS: documents, order of keys, revision, objects, uses of objects, fence, deltas, dependents, hidden objects.
 * ARGV: era, channel ("" for objects alone), partition, counts of checks, puts, deletes, objects and deleted objects, all objects' hashes, all
 * deleted objects' hashes; then key and revision of each check, key and JSON of each put, keys of deletes, base (or "") and data of
 * objects.
 * Answers the new revision (0 for objects alone), -1 for a lost race, -2 where the writer's era is over, -3 where what an
 * object would stand upon is not there, or not at the place that its own place demands: places descend, so that nothing stands upon itself.
 */
const COMMIT = script(`#!lua
${SHARED}
local documents, order, revision, objects, uses, fence, deltas, dependents, hidden = unpack(KEYS)
local channel, partition = ARGV[2], ARGV[3]
local checks, puts, deletes, puts_of_objects, deletes_of_objects =
  tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local hashes, gone = ARGV[9], ARGV[10]
local at = 11

local fenced = redis.call('GET', fence)
if fenced and tonumber(ARGV[1]) <= tonumber(fenced) then return -2 end

for from = 0, checks - 1, ${CHUNK} do
  local keys = {}
  local count = math.min(${CHUNK}, checks - from)
  for i = 1, count do keys[i] = ARGV[at + 2 * (from + i - 1)] end
  local found = redis.call('HMGET', documents, unpack(keys))
  for i = 1, count do
    local value = found[i]
    local known = value and string.sub(value, 1, string.find(value, ':', 1, true) - 1) or ''
    if known ~= ARGV[at + 2 * (from + i - 1) + 1] then return -1 end
  end
end
at = at + 2 * checks

-- A key that is not of the engine's making fails here, before anything is written.
if puts + deletes > 0 then redis.call('HLEN', documents) redis.call('ZCARD', order) end
local has_deltas, has_hidden = false, false
if puts_of_objects + deletes_of_objects > 0 then
  redis.call('HLEN', objects) redis.call('ZCARD', uses)
  has_deltas, has_hidden = redis.call('HLEN', deltas) > 0, redis.call('HLEN', hidden) > 0
end

local first_object = at + 2 * puts + deletes
local first_delta = nil
for i = 1, puts_of_objects do
  if ARGV[first_object + 2 * i - 2] ~= '' then first_delta = i break end
end
if first_delta or has_hidden or deletes_of_objects > 0 then redis.call('HLEN', dependents) end

-- Nil where there is no such object.
local function place_of(hash)
  if redis.call('HEXISTS', objects, hash) == 1 then return 0 end
  local delta = redis.call('HGET', deltas, hash)
  if delta then return string.byte(delta, 33) end
  local value = redis.call('HGET', hidden, hash)
  if not value then return nil end
  if string.sub(value, 1, 1) == 'W' then return 0 end
  return string.byte(value, 34)
end

-- Most commits have whole objects alone, and ask for no place.
local own = {}
for i = 1, first_delta and puts_of_objects or 0 do
  local hash, base = string.sub(hashes, 32 * i - 31, 32 * i), ARGV[first_object + 2 * i - 2]
  local place = place_of(hash)
  if not place and base == '' then place = 0
  elseif not place then
    place = string.byte(ARGV[first_object + 2 * i - 1], 1)
    if (own[base] or place_of(base)) ~= bit.band(place, place - 1) then return -3 end
  end
  own[hash] = place
end

local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)

local new = 0
if channel ~= '' then
  new = redis.call('INCR', revision)
  local mark = string.format('%.0f:', new)
  local values, members = {}, {}
  for i = 1, puts do
    local key = ARGV[at + 2 * i - 2]
    values[2 * i - 1], values[2 * i] = key, mark .. ARGV[at + 2 * i - 1]
    members[2 * i - 1], members[2 * i] = '0', key
  end
  call('HSET', documents, values, 1, 2 * puts)
  call('ZADD', order, members, 1, 2 * puts)
  at = at + 2 * puts
  call('HDEL', documents, ARGV, at, at + deletes - 1)
  call('ZREM', order, ARGV, at, at + deletes - 1)
  at = at + deletes
end

local function unhide(hash, value)
  redis.call('HSET', string.sub(value, 1, 1) == 'W' and objects or deltas, hash, string.sub(value, 2))
  redis.call('HDEL', hidden, hash)
end

local function store(hash, base, data)
  if base == '' then redis.call('HSET', objects, hash, data)
  else
    redis.call('HSET', deltas, hash, base .. data)
    redis.call('HINCRBY', dependents, base, 1)
  end
end

-- A hash tells a new object, as most are, sooner than the order of all uses does.
local function is_there(hash)
  return redis.call('HEXISTS', objects, hash) == 1 or has_deltas and redis.call('HEXISTS', deltas, hash) == 1
end

for i = 1, puts_of_objects do
  local hash = string.sub(hashes, 32 * i - 31, 32 * i)
  local use = is_there(hash) and use_of(uses, hash)
  if not use then
    local value = has_hidden and redis.call('HGET', hidden, hash)
    if value then unhide(hash, value) else store(hash, ARGV[first_object + 2 * i - 2], ARGV[first_object + 2 * i - 1]) end
    redis.call('ZADD', uses, '0', hash .. string.format('%.0f', now))
  elseif now - tonumber(string.sub(use, 33)) >= ${RENEW_AFTER_MS} then
    redis.call('ZREM', uses, use)
    redis.call('ZADD', uses, '0', hash .. string.format('%.0f', now))
  end
end

-- What only an object that is gone stood upon goes too: as often as a chain is long.
local function release(base)
  while base do
    if redis.call('HINCRBY', dependents, base, -1) > 0 then return end
    redis.call('HDEL', dependents, base)
    local value = redis.call('HGET', hidden, base)
    if not value then return end
    redis.call('HDEL', hidden, base)
    base = string.sub(value, 1, 1) == 'D' and string.sub(value, 2, 33) or nil
  end
end

for i = 1, deletes_of_objects do
  local hash = string.sub(gone, 32 * i - 31, 32 * i)
  local use = use_of(uses, hash)
  if use then
    redis.call('ZREM', uses, use)
    local delta = redis.call('HGET', deltas, hash)
    if redis.call('HEXISTS', dependents, hash) == 1 then
      redis.call('HSET', hidden, hash, delta and 'D' .. delta or 'W' .. redis.call('HGET', objects, hash))
      redis.call('HDEL', delta and deltas or objects, hash)
    elseif delta then
      redis.call('HDEL', deltas, hash)
      release(string.sub(delta, 1, 32))
    else redis.call('HDEL', objects, hash) end
  end
end

if channel ~= '' then redis.call('PUBLISH', channel, partition .. ' ' .. string.format('%.0f', new)) end
return new
`);

/**
 * From now on no commit of this writer's eras up to the given one is taken, however late it arrives. A fence that arrives late itself, from a
 * connection that is lost, takes nothing back from a newer one. May run where memory is full.
 *
 * KEYS: fence. ARGV: era.
 */
const FENCE = script(`#!lua flags=allow-oom
local newest = redis.call('GET', KEYS[1])
if not newest or tonumber(newest) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ${LIMITS.storeFenceMs}) end
return 0
`);

/** KEYS: documents, order of keys. ARGV: first bound, second bound, limit, "REV" or "". Answers the keys, then the values. */
const LIST = script(`#!lua flags=no-writes
local keys
if ARGV[4] == 'REV' then keys = redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[2], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[3])
else keys = redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[3]) end
local values = {}
for from = 1, #keys, ${CHUNK} do
  local found = redis.call('HMGET', KEYS[1], unpack(keys, from, math.min(from + ${CHUNK - 1}, #keys)))
  for i = 1, #found do values[from + i - 1] = found[i] end
end
return { keys, values }
`);

/** KEYS: objects, uses of objects, deltas. ARGV: lower bound, limit. Answers the uses, then of each the size or the head of the delta. */
const LIST_OBJECTS = script(`#!lua flags=no-writes
local uses = redis.call('ZRANGE', KEYS[2], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])
local sizes = {}
for i = 1, #uses do
  local hash = string.sub(uses[i], 1, 32)
  local delta = redis.call('HGET', KEYS[3], hash)
  sizes[i] = delta and string.sub(delta, 33, ${32 + DELTA_HEAD_BYTES}) or redis.call('HSTRLEN', KEYS[1], hash)
end
return { uses, sizes }
`);

/**
 * What is stored of objects, and of all that they stand upon. KEYS: objects, deltas, hidden objects. ARGV: hashes. Answers hash, kind (`W` whole, `D`
 * delta, before it `H` where hidden) and value of each.
 */
const LINKS = script(`#!lua flags=no-writes
local found, seen = {}, {}
local function link(hash)
  local value, kind = redis.call('HGET', KEYS[2], hash), 'D'
  if not value then value, kind = redis.call('HGET', KEYS[1], hash), 'W' end
  if not value then
    value = redis.call('HGET', KEYS[3], hash)
    if not value then return nil end
    kind, value = 'H' .. string.sub(value, 1, 1), string.sub(value, 2)
  end
  found[#found + 1], found[#found + 2], found[#found + 3] = hash, kind, value
  return string.sub(kind, -1) == 'D' and string.sub(value, 1, 32) or nil
end
for i = 1, #ARGV do
  local hash = ARGV[i]
  while hash and not seen[hash] do
    seen[hash] = true
    hash = link(hash)
  end
end
return found
`);

/** KEYS: turns. ARGV: ticket, milliseconds after which nobody who is in the list waits any more. Answers the first ticket. */
const ENTER = script(`#!lua
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('LINDEX', KEYS[1], 0)
`);

/** KEYS: turns. ARGV: channel, ticket, another ticket or "". Tells which one is the first then. */
const LEAVE = script(`#!lua flags=allow-oom
for i = 2, 3 do
  if ARGV[i] ~= '' then redis.call('LREM', KEYS[1], 1, ARGV[i]) end
end
local first = redis.call('LINDEX', KEYS[1], 0)
if first then redis.call('PUBLISH', ARGV[1], first) end
return 0
`);

export const SCRIPTS = {
  commit: COMMIT,
  fence: FENCE,
  enter: ENTER,
  leave: LEAVE,
  list: LIST,
  listObjects: LIST_OBJECTS,
  links: LINKS,
} as const;

function script(source: string): Script {
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
