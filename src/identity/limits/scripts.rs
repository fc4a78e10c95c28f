//! The steps in Redis that nothing may come between, as Lua. The arithmetic is that of `Steps`, `Window` and `Wait`.
//!
//! A tally is "tries last since", a window "began tries"; a wait is a hash. "Now" is handed in: all nodes count by the clocks
//! they show to people.
//!
//! What counts may be asked twice: a link that breaks says nothing of whether the server did the work. So each such question
//! has a name of its own, the last key; the server keeps what it answered under it for a while, and answers the same again.

use ::redis::Script;

/// Every script, hashed once.
#[derive(Debug)]
pub(super) struct Scripts {
    pub admit: Script,
    pub correct: Script,
    pub count: Script,
    pub take_back: Script,
    pub claim: Script,
    pub restore: Script,
    pub sent: Script,
    pub release: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            admit: once(ADMIT),
            correct: once(CORRECT),
            count: once(COUNT),
            take_back: once(TAKE_BACK),
            claim: once(CLAIM),
            restore: Script::new(RESTORE),
            sent: Script::new(SENT),
            release: Script::new(RELEASE),
        }
    }
}

/// The same, done once for each name (the last key), however often it is asked. Its answer, in JSON, is kept longer than a
/// question may take.
fn once(script: &str) -> Script {
    Script::new(&format!(
        r"
local name = table.remove(KEYS)
local before = redis.call('GET', name)
if before then return cjson.decode(before)[1] end
local function work()
{script}
end
local answer = work()
redis.call('SET', name, cjson.encode({{ answer }}), 'PX', 10000)
return answer
"
    ))
}

/// KEYS: one of each bound, in the order pair, network, subject, as far as there are any [usual]; ARGV: now, skew, number of
/// bounds, which of them is the pair (0: none), which the network where it counts pairs once (0: none), and of each bound:
/// free, halve, waits with commas. Answers 0, or until when it is refused.
const ADMIT: &str = r"
local now, skew, bounds = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local pair, distinct = tonumber(ARGV[4]), tonumber(ARGV[5])
local usual = KEYS[bounds + 1]
local spared = usual and redis.call('EXISTS', usual) == 1
local counted, known, latest = {}, false, 0
for i = 1, bounds do
  local free, halve = tonumber(ARGV[3 * i + 3]), tonumber(ARGV[3 * i + 4])
  local tries, last, since = string.match(redis.call('GET', KEYS[i]) or '', '^(%d+) (%d+) (%d+)$')
  tries, last, since = tonumber(tries or 0), tonumber(last or now), tonumber(since or now)
  local halvings = math.max(0, math.floor((now - since) / halve))
  tries = math.floor(tries / 2 ^ halvings)
  if tries == 0 or last > now + skew then
    tries, last, since = 0, now, now
  else
    since = since + halve * halvings
  end
  if i == pair then known = tries > 0 end
  if not (i == distinct and known) then
    if tries >= free and (i == pair or not spared) then
      local waits = {}
      for wait in string.gmatch(ARGV[3 * i + 5], '%d+') do waits[#waits + 1] = tonumber(wait) end
      local wait = waits[tries - free + 1] or waits[#waits]
      if wait and now < last + wait then latest = math.max(latest, last + wait) end
    end
    counted[#counted + 1] = { KEYS[i], math.min(tries + 1, 4294967295), since, halve }
  end
end
if latest > 0 then return latest end
for _, tally in ipairs(counted) do
  local tries, since, halve = tally[2], tally[3], tally[4]
  local gone, left = since, tries
  while left > 0 do
    gone, left = gone + halve, math.floor(left / 2)
  end
  redis.call('SET', tally[1], string.format('%.0f %.0f %.0f', tries, now, since), 'PX', string.format('%.0f', math.max(1, gone - now)))
end
return 0
";

/// KEYS: forgotten, taken back, usual; ARGV: how many of the first two, span of a usual network
const CORRECT: &str = r"
local forgotten, taken_back = tonumber(ARGV[1]), tonumber(ARGV[2])
for i = 1, forgotten do redis.call('DEL', KEYS[i]) end
for i = forgotten + 1, forgotten + taken_back do
  local tries, rest = string.match(redis.call('GET', KEYS[i]) or '', '^(%d+)( .*)$')
  if tries then
    if tonumber(tries) <= 1 then
      redis.call('DEL', KEYS[i])
    else
      redis.call('SET', KEYS[i], string.format('%.0f', tonumber(tries) - 1) .. rest, 'KEEPTTL')
    end
  end
end
local usual = KEYS[forgotten + taken_back + 1]
if usual then redis.call('SET', usual, '1', 'PX', ARGV[3]) end
return 0
";

/// KEYS: window; ARGV: now, skew, tries, span. Answers whether it counted, when the window began, its tries.
const COUNT: &str = r"
local now, most, span = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4])
local began, tries = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
began, tries = tonumber(began or now), tonumber(tries or 0)
if now >= began + span or began > now + tonumber(ARGV[2]) then began, tries = now, 0 end
if tries >= most then return { 0, began, tries } end
redis.call('SET', KEYS[1], string.format('%.0f %.0f', began, tries + 1), 'PX', string.format('%.0f', began + span - now))
return { 1, began, tries + 1 }
";

/// KEYS: window
const TAKE_BACK: &str = r"
local began, tries = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
if tries and tonumber(tries) > 0 then
  redis.call('SET', KEYS[1], began .. ' ' .. string.format('%.0f', tonumber(tries) - 1), 'KEEPTTL')
end
return 0
";

/// KEYS: wait; ARGV: now, skew and span together, account, until, proved. Answers how it went ('fresh', 'renewed', 'taken',
/// 'refused'), and what was there: account, until, proved, started.
const CLAIM: &str = r"
local now = tonumber(ARGV[1])
local before = redis.call('HMGET', KEYS[1], 'account', 'until', 'proved', 'started')
local over = tonumber(before[2] or '') or 0
local how = 'fresh'
if before[1] and now < over and over <= now + tonumber(ARGV[2]) then
  if before[1] == ARGV[3] then
    how = 'renewed'
  elseif ARGV[5] == '1' and before[3] ~= '1' then
    how = 'taken'
  else
    how = 'refused'
  end
end
if how ~= 'refused' then
  if how ~= 'renewed' then redis.call('DEL', KEYS[1]) end
  redis.call('HSET', KEYS[1], 'account', ARGV[3], 'until', ARGV[4], 'proved', ARGV[5])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(1, tonumber(ARGV[4]) - now)))
end
return { how, before[1] or '', before[2] or '', before[3] or '', before[4] or '' }
";

/// KEYS: wait; ARGV: account that has it, account, until, proved, started (may be empty), span
const RESTORE: &str = r"
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'account', ARGV[2], 'until', ARGV[3], 'proved', ARGV[4])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'started', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
";

/// KEYS: wait; ARGV: account, started
const SENT: &str = r"
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'started', ARGV[2])
return 1
";

/// KEYS: wait; ARGV: account
const RELEASE: &str = r"
if redis.call('HGET', KEYS[1], 'account') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
";
