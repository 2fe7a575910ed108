"""The one script that runs in Redis or Valkey: tell, hear, and settle who sends probes, in one step and one hash."""

SCRIPT = """
-- KEYS[1]: a hash. Its fields: "version", a number for each change; "fact NAME": version, when it was found out, until
-- when it holds, and what it says; "probe TARGET": until when it is whose, and who else wants it. Times are
-- microseconds of this server's clock; those in the future are another server's, and count as long ago.
-- ARGV: who asks, the version it has seen, microseconds for which facts are kept and probes held, how many facts;
-- then name, age, left and text of each; then verb, target and process of each order.
if redis.replicate_commands then redis.replicate_commands() end
local key, me, seen = KEYS[1], ARGV[1], tonumber(ARGV[2])
local kept, held, count = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local version = tonumber(redis.call('HGET', key, 'version') or 0)
local whole = seen == 0 or seen > version
if whole then seen = 0 end

local function number(value) return string.format('%.0f', value) end

local function fact(value)
    local changed, found, until_, text = string.match(value, '^(%d+) (%d+) (%d+) (.*)$')
    return tonumber(changed), tonumber(found), tonumber(until_), text
end

local again, at, before = {}, 6, version
for _ = 1, count do
    local field, found, until_, text = 'fact ' .. ARGV[at], now - ARGV[at + 1], now + ARGV[at + 2], ARGV[at + 3]
    at = at + 4
    local there = redis.call('HGET', key, field)
    local _, when, _, same = fact(there or '0 0 0 ')
    if same == text then
        -- told before
    elseif when <= now and when > found then
        again[field] = true
    else
        version = version + 1
        redis.call('HSET', key, field, table.concat({number(version), number(found), number(until_), text}, ' '))
    end
end
if version > before then redis.call('HSET', key, 'version', number(version)) end

local holders = {}
while at <= #ARGV do
    local verb, field, to = ARGV[at], 'probe ' .. ARGV[at + 1], ARGV[at + 2]
    at = at + 3
    local until_, holder, other = string.match(redis.call('HGET', key, field) or '', '^(%d+) (%S+) (%S+)$')
    if holder and (tonumber(until_) <= now or tonumber(until_) > now + held) then holder = nil end
    local answer = ''
    if verb == 'drop' then
        if holder == me then redis.call('HDEL', key, field) end
    elseif verb == 'give' then
        if holder == me then redis.call('HSET', key, field, number(now + held) .. ' ' .. to .. ' -') end
    elseif not holder or holder == me then
        redis.call('HSET', key, field, number(now + held) .. ' ' .. me .. ' -')
        answer = (holder and other ~= '-') and other or me
    elseif verb == 'want' then
        redis.call('HSET', key, field, until_ .. ' ' .. holder .. ' ' .. me)
    end
    holders[#holders + 1] = answer
end
if version > before or #holders > 0 then redis.call('EXPIRE', key, 86400) end

local facts = {}
if version > seen or next(again) then
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
        local field, value = all[i], all[i + 1]
        if string.sub(field, 1, 5) == 'fact ' then
            local changed, found, until_, text = fact(value)
            if until_ + kept < now then
                redis.call('HDEL', key, field)
            elseif changed > seen or again[field] then
                facts[#facts + 1] = string.sub(field, 6)
                facts[#facts + 1] = number(math.max(0, now - found))
                facts[#facts + 1] = number(math.max(0, until_ - now))
                facts[#facts + 1] = text
            end
        elseif string.sub(field, 1, 6) == 'probe ' then
            local until_ = tonumber(string.match(value, '^(%d+)'))
            if until_ <= now then redis.call('HDEL', key, field) end
        end
    end
end
return {version, whole and 1 or 0, holders, facts}
"""
