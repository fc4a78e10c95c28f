//! The steps of the Redis store that nothing may come between, as Lua.

use ::redis::Script;

/// Every script, hashed once.
#[derive(Debug)]
pub(crate) struct Scripts {
    pub create: Script,
    pub rotate: Script,
    pub rewrite: Script,
    pub end: Script,
    pub end_account: Script,
    pub fence: Script,
    pub beat: Script,
}

impl Scripts {
    pub fn new() -> Self {
        Self {
            create: Script::new(CREATE),
            rotate: Script::new(ROTATE),
            rewrite: Script::new(REWRITE),
            end: Script::new(END),
            end_account: Script::new(&format!("{FENCE}{END_ACCOUNT}")),
            fence: Script::new(FENCE),
            beat: Script::new(BEAT),
        }
    }
}

/// KEYS: s t a g [s t a of the replaced]; ARGV: hex, record, record's span, activity, idle span, proved, prefix [hex of the replaced]
const CREATE: &str = r"
local fence = tonumber(redis.call('GET', KEYS[4]) or '')
if fence and fence > tonumber(ARGV[6]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
redis.call('SADD', KEYS[3], ARGV[1])
-- The set outlives each of its sessions.
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[3], ARGV[3]) end
-- Members whose session ran out stay behind; they are cleared away when they have become many.
if redis.call('SCARD', KEYS[3]) > 32 then
  for _, hex in ipairs(redis.call('SMEMBERS', KEYS[3])) do
    if redis.call('EXISTS', ARGV[7] .. 's:' .. hex) == 0 then redis.call('SREM', KEYS[3], hex) end
  end
end
if KEYS[5] then
  redis.call('DEL', KEYS[5], KEYS[6])
  redis.call('SREM', KEYS[7], ARGV[8])
end
return 1
";

/// KEYS: s t of the old, s t of the new, a; ARGV: record as it must be, new record, its span, activity, idle span, old hex, new hex
const ROTATE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[5])
-- Added before the old one goes: an empty set would lose its span.
redis.call('SADD', KEYS[5], ARGV[7])
redis.call('SREM', KEYS[5], ARGV[6])
return 1
";

/// KEYS: s; ARGV: record as it must be, new record
const REWRITE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
";

/// KEYS: s t a; ARGV: hex
const END: &str = r"
local ended = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[3], ARGV[1])
return ended
";

/// KEYS: g; ARGV: generation, span
const FENCE: &str = r"
local fence = tonumber(redis.call('GET', KEYS[1]) or '')
if not fence or fence < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
";

/// After [`FENCE`]. KEYS: g a; ARGV: generation, span, prefix, sid to spare (with all tokens) or nothing
const END_ACCOUNT: &str = r"
local ended = {}
for _, hex in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local record = redis.call('GET', ARGV[3] .. 's:' .. hex)
  local readable, parsed = pcall(cjson.decode, record or '')
  local spare = readable and type(parsed) == 'table'
    and (parsed.sid == ARGV[4] or (ARGV[4] ~= '' and parsed.token ~= nil)
      or (tonumber(parsed.proved) or 0) >= tonumber(ARGV[1]))
  if not spare then
    redis.call('DEL', ARGV[3] .. 's:' .. hex, ARGV[3] .. 't:' .. hex)
    redis.call('SREM', KEYS[2], hex)
    ended[#ended + 1] = hex
  end
end
return ended
";

/// KEYS: s t of each; ARGV: activity and span of each
const BEAT: &str = r"
for i = 1, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[i]) == 1 then
    local known = tonumber(redis.call('GET', KEYS[i + 1]) or '')
    if not known or known < tonumber(ARGV[i]) then
      redis.call('SET', KEYS[i + 1], ARGV[i], 'PX', ARGV[i + 1])
    end
  end
end
";
