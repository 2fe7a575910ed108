"""The one script by which Redis or Valkey counts limits: all that a request wants is held, or nothing, in one step."""

SCRIPT = """
-- KEYS[1] holds the era: a word that is made up when there is nothing here, so that processes notice. Every further key
-- is a counter, a hash:
--   of a window ("w") or of places ("c"): s, when its window began; u, what was used in it; h, what is held; n, when
--     the first of the holds expires; w, there was a warning; "o PROCESS", what this process has used in it, all in
--     all; "i HOLD", when it expires and how much it is; after what was here has been lost, "b PROCESS", what that one
--     had used by then, "x PROCESS", what all others had as far as it knew, and g, what nobody who is left has used;
--   of a rate ("r"): f, the seconds in which it would be empty, at a; w;
--   of each: l, the first of each process's line in front of it: {process, whose turn it is to be, what a turn counts,
--     until when, since when}; t, by whose turn, when the next one is due (stride scheduling), and of the last one ''.
-- Times are microseconds of this server's clock. Numbers are doubles: whole ones are exact below 2^53.
-- ARGV: verb, process, until when the answer is waited for, hold, seconds for which it is held, the era that is known;
--   which counter the process stands in line for, how many may have a turn there, then whose it is and what it counts
--   of each, first of who asks; then for each counter
--   reserve: kind, wanted, firm, warn at, amount, start, end, own;  of a rate kind, wanted, firm, warn at, burst, each
--   tell:    kind, hold, amount, start, end, own, b and x or nothing;                   of a rate kind, more (seconds)
if redis.replicate_commands then redis.replicate_commands() end
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local verb, me, patient, hold = ARGV[1], ARGV[2], tonumber(ARGV[3]), 'i ' .. ARGV[4]
local own_field, lease = 'o ' .. me, tonumber(ARGV[5])

local function number(value) return string.format('%.0f', value) end
local function exact(value) return string.format('%.17g', value) end

local era = redis.call('GET', KEYS[1])
if not era then
    era = number(now) .. ' ' .. me
    redis.call('SET', KEYS[1], era)
end

local last = 8 + 2 * tonumber(ARGV[8])

local function line_of(text)
    local line = {}
    for _, each in ipairs(text and cmsgpack.unpack(text) or {}) do
        if each[4] > now and each[4] <= now + 2500000 then line[#line + 1] = each end
    end
    return line
end

-- Less what is mine; where it is said whose, only that.
local function without_me(line, whose)
    local left = {}
    for _, each in ipairs(line) do
        if each[1] ~= me or (whose and each[2] ~= whose) then left[#left + 1] = each end
    end
    return left
end

local function turns_of(key)
    local text = redis.call('HGET', key, 't')
    return text and cmsgpack.unpack(text) or {['']=0}
end

local function due(turns, each) return turns[each[2]] or turns[''] + each[3] end

local function first_of(line, turns)
    local first
    for _, each in ipairs(line) do
        local sooner = first and due(turns, each) - due(turns, first)
        if not first or sooner < 0 or (sooner == 0 and each[5] < first[5]) then first = each end
    end
    return first
end

-- Of those who do not wait and are not ahead of their turn nothing is to be known.
local function keep(key, line, turns)
    local known = {['']=turns['']}
    for _, each in ipairs(line) do known[each[2]] = turns[each[2]] end
    for whose, at in pairs(turns) do
        if at > turns[''] then known[whose] = at end
    end
    redis.call('HSET', key, 't', cmsgpack.pack(known))
    if #line > 0 then
        redis.call('HSET', key, 'l', cmsgpack.pack(line))
    else
        redis.call('HDEL', key, 'l')
    end
    if redis.call('PTTL', key) < 5000 then redis.call('PEXPIRE', key, 5000) end
end

-- That it is the turn of somebody in another process. Who may not be told looks again within a second.
local function call(key, first)
    if first and first[1] ~= me then
        redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -4) .. 'turn ' .. first[1], key)
    end
end

local function sweep(counter)
    local all = redis.call('HGETALL', counter.key)
    counter.held, counter.next = 0, 0
    for i = 1, #all, 2 do
        if string.sub(all[i], 1, 2) == 'i ' then
            local expires, amount = string.match(all[i + 1], '^(%d+) (%d+)$')
            expires = tonumber(expires)
            if expires <= now then
                redis.call('HDEL', counter.key, all[i])
            else
                counter.held = counter.held + amount
                if counter.next == 0 or expires < counter.next then counter.next = expires end
            end
        end
    end
    redis.call('HSET', counter.key, 'h', number(counter.held), 'n', number(counter.next))
end

-- A counter as it stands in the window that began at `start`, or in a later one if there has been one.
local function opened(key, start, until_, own)
    local found = redis.call('HMGET', key, 's', 'u', 'h', 'n', own_field, 'l')
    local counter = {key = key, start = tonumber(found[1] or -1), line = found[6]}
    if counter.start < start then
        local turns = counter.line and turns_of(key)
        redis.call('DEL', key)
        redis.call('HSET', key, 's', number(start), 'u', '0', 'h', '0', 'n', '0')
        if until_ > 0 then
            redis.call('PEXPIREAT', key, number(math.ceil(until_ / 1000)))
        else
            redis.call('PEXPIRE', key, number(math.ceil(lease / 1000) * 2))
        end
        if counter.line then keep(key, line_of(counter.line), turns) end
        counter.start, counter.used, counter.held, counter.next = start, 0, 0, 0
        found[5] = false
    else
        counter.used, counter.held, counter.next = tonumber(found[2]), tonumber(found[3]), tonumber(found[4])
        if counter.next > 0 and counter.next <= now then sweep(counter) end
    end
    local known = tonumber(found[5] or 0)
    if counter.start == start and own > known then
        counter.used = counter.used + own - known
        redis.call('HSET', key, 'u', number(counter.used), own_field, number(own))
    end
    return counter
end

-- Where what is held was 0, or nothing, it is `amount` from now on.
local function put(counter, amount)
    local before = redis.call('HGET', counter.key, hold)
    before = before and tonumber(string.match(before, ' (%d+)$')) or 0
    counter.held = counter.held + amount - before
    if amount > 0 then
        local expires = now + lease
        if counter.next == 0 or expires < counter.next then counter.next = expires end
        redis.call('HSET', counter.key, hold, number(expires) .. ' ' .. number(amount), 'h', number(counter.held),
            'n', number(counter.next))
    elseif before > 0 then
        redis.call('HDEL', counter.key, hold)
        redis.call('HSET', counter.key, 'h', number(counter.held))
    end
    if counter.start == 0 then redis.call('PEXPIRE', counter.key, number(math.ceil(lease / 1000) * 2)) end
end

-- What was known here before it was lost: of those who are gone, as much as whoever heard of most of it says.
local function put_back(counter, base, others)
    redis.call('HSET', counter.key, 'b ' .. me, base, 'x ' .. me, others)
    local all, bases, heard, sum, before, gone = redis.call('HGETALL', counter.key), {}, {}, 0, 0, 0
    for i = 1, #all, 2 do
        local kind, whose = string.sub(all[i], 1, 2), string.sub(all[i], 3)
        if kind == 'b ' then
            bases[whose] = tonumber(all[i + 1])
            sum = sum + bases[whose]
        elseif kind == 'x ' then
            heard[whose] = tonumber(all[i + 1])
        elseif kind == 'g' then
            before = tonumber(all[i + 1])
        end
    end
    for whose, used in pairs(heard) do gone = math.max(gone, used - sum + bases[whose]) end
    counter.used = counter.used + gone - before
    redis.call('HSET', counter.key, 'u', number(counter.used), 'g', number(gone))
end

local function rate(key)
    local found = redis.call('HMGET', key, 'f', 'a', 'l')
    local full, at = tonumber(found[1] or 0), tonumber(found[2] or now)
    if at > now then redis.call('HSET', key, 'a', number(now)) end
    return {key = key, line = found[3], full = math.max(full - math.max(now - at, 0) / 1000000, 0)}
end

local function kept(bucket, full, at)
    redis.call('HSET', bucket.key, 'f', exact(full), 'a', number(at))
    redis.call('PEXPIRE', bucket.key, number(math.ceil(math.max(full, 0) * 1000) + 1000))
end

local function warned(key, left, wanted)
    if wanted == '' or left > tonumber(wanted) then return 0 end
    return redis.call('HSETNX', key, 'w', '1')
end

if verb == 'leave' then
    for i = 2, #KEYS do
        local line, turns = without_me(line_of(redis.call('HGET', KEYS[i], 'l'))), turns_of(KEYS[i])
        if redis.call('HEXISTS', KEYS[i], 'l') == 1 then keep(KEYS[i], line, turns) end
        call(KEYS[i], first_of(line, turns))
    end
    return {now, era}
end

if verb == 'tell' then
    local at = last + 1
    for i = 2, #KEYS do
        if ARGV[at] == 'r' then
            local found = redis.call('HMGET', KEYS[i], 'f', 'a', 'l')
            if found[1] then kept({key = KEYS[i]}, tonumber(found[1]) + ARGV[at + 1], found[2]) end
            if found[3] then call(KEYS[i], first_of(line_of(found[3]), turns_of(KEYS[i]))) end
            at = at + 2
        else
            hold = 'i ' .. ARGV[at + 1]
            local start, until_, own = tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
            if until_ == 0 or until_ > now then
                local counter = opened(KEYS[i], start, until_, own)
                if counter.start == start and ARGV[at + 7] ~= '' then put_back(counter, ARGV[at + 6], ARGV[at + 7]) end
                if counter.start == start and hold ~= 'i ' then put(counter, tonumber(ARGV[at + 2])) end
                if counter.line then call(KEYS[i], first_of(line_of(counter.line), turns_of(KEYS[i]))) end
            end
            at = at + 8
        end
    end
    return {now, era}
end

-- who does not know that all was lost puts back first what it knows
if now > patient or era ~= ARGV[6] then return {now, era, 2} end
local counters, room, at, standing = {}, true, last + 1, tonumber(ARGV[7])
for i = 2, #KEYS do
    local wanted, firm = tonumber(ARGV[at + 1]), ARGV[at + 2] == '1'
    local counter
    if ARGV[at] == 'r' then
        local burst, each = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
        counter = rate(KEYS[i])
        counter.burst, counter.each = burst, each
        counter.short = firm and counter.full + (wanted - burst - 0.001) * each > 0
        at = at + 6
    else
        local amount, start, until_ = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6])
        if now < start or (until_ > 0 and now >= until_) then return {now, era, 2} end
        counter = opened(KEYS[i], start, until_, tonumber(ARGV[at + 7]))
        counter.amount = amount
        counter.short = firm and wanted > 0 and counter.used + counter.held + wanted > amount
        at = at + 8
    end
    counter.wanted, counter.flag = wanted, counter.short and 1 or 0
    if counter.line or standing == i - 1 then
        local line, turns = line_of(counter.line), turns_of(KEYS[i])
        if standing == i - 1 then
            local since = {}
            for _, each in ipairs(line) do
                if each[1] == me then since[each[2]] = each[5] end
            end
            line = without_me(line)
            for n = 9, last, 2 do
                local whose, step = ARGV[n], tonumber(ARGV[n + 1])
                line[#line + 1] = {me, whose, step, now + 2500000, since[whose] or now, (n - 9) / 2}
                if n == 9 then counter.mine = line[#line] end
            end
        end
        counter.queue, counter.turns = line, turns
        local first = first_of(line, turns)
        if firm and first and first[1] ~= me then
            if not counter.short then call(KEYS[i], first) end
            counter.short, counter.flag = true, 3
        elseif firm and counter.mine and not counter.short and due(turns, first) < due(turns, counter.mine) then
            counter.short, counter.flag = true, 3 + first[6]
        end
    end
    if counter.short then room = false end
    counters[i - 1] = counter
end

local answer = {now, era, room and 1 or 0}
at = last + 1
for i = 1, #counters do
    local counter, warn = counters[i], ARGV[at + 3]
    local left, first, second
    if counter.each then
        if room then
            counter.full = counter.full + counter.wanted * counter.each
            kept(counter, counter.full, now)
        end
        left = math.max(math.floor(counter.burst - counter.full / counter.each + 0.001), 0)
        first, second = exact(counter.full), '0'
        at = at + 6
    else
        if room and counter.wanted > 0 then put(counter, counter.wanted) end
        left = math.max(counter.amount - counter.used - counter.held, 0)
        first, second = number(counter.used), number(counter.held)
        at = at + 8
    end
    if counter.mine then
        if room then
            counter.queue = without_me(counter.queue, counter.mine[2])
            counter.turns[''] = due(counter.turns, counter.mine)
            counter.turns[counter.mine[2]] = counter.turns[''] + counter.mine[3]
            call(counter.key, first_of(counter.queue, counter.turns))
        end
        keep(counter.key, counter.queue, counter.turns)
    end
    answer[#answer + 1] = first
    answer[#answer + 1] = second
    answer[#answer + 1] = number(counter.start or 0)
    answer[#answer + 1] = counter.flag + (room and warned(counter.key, left, warn) or 0)
end
return answer
"""
