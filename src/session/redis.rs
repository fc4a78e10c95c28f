//! The Redis store: `s:` records, `t:` activity, `a:` a set per account, `f:` what waits in flows, `g:` fences.
//!
//! Whatever Redis answers instead of what was asked (`OOM`, `READONLY`, `LOADING`, `NOPERM`) is *unreachable*, never
//! *absent*. How the server is found and spoken to: `storage::redis`; how it tells of changes: `redis/ear.rs`. Needs Redis 6.
//! In a Cluster all keys carry one hash tag, since the scripts touch several at once.

mod ear;

use std::time::Duration;

use ::redis::{FromRedisValue, Script};

pub(crate) use self::ear::{Deaf, Heard};
use super::{
    Unreachable,
    activity::Beat,
    id::Key,
    record::Sid,
    scripts::Scripts,
    store::{FENCE_SPAN, Fresh, SessionStore, Stored},
};
use crate::{
    identity::account::AccountId,
    storage::redis::{Link, Question, millis},
    world::UnixMillis,
};

/// A link to the Redis server that holds the sessions.
#[derive(Debug)]
pub struct Redis {
    link: Link,
    scripts: Scripts,
}

impl Redis {
    /// Over this link, which others may use as well.
    pub(crate) fn new(link: Link) -> Self {
        Self { link, scripts: Scripts::new() }
    }

    /// The link, for what else lies there.
    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// What the names of all records begin with.
    fn records(&self) -> String {
        format!("{}s:", self.link.prefix())
    }

    fn key(&self, kind: char, key: &Key) -> String {
        format!("{}{kind}:{}", self.link.prefix(), key.hex())
    }

    fn of(&self, kind: char, account: &AccountId) -> String {
        format!("{}{kind}:{}", self.link.prefix(), account.0)
    }

    async fn ask<T: FromRedisValue>(&self, question: Question<'_>) -> Result<T, Unreachable> {
        self.link.ask(question).await
    }

    async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        args: &[String],
    ) -> Result<T, Unreachable> {
        self.link.run(script, keys, args).await
    }

    async fn pairs(&self, keys: &[Key]) -> Result<Vec<Option<Stored>>, Unreachable> {
        let mut found = Vec::with_capacity(keys.len());
        for keys in keys.chunks(BATCH) {
            let names: Vec<String> = keys.iter().flat_map(|key| [self.key('s', key), self.key('t', key)]).collect();
            let values: Vec<Option<Vec<u8>>> = self.ask(Question::command("MGET", &names)).await?;
            if values.len() != names.len() {
                return Err(Unreachable("Redis answered something else than was asked".into()));
            }
            found.extend(values.chunks_exact(2).map(pair));
        }
        Ok(found)
    }
}

impl SessionStore for Redis {
    async fn read(&self, key: Key) -> Result<Option<Stored>, Unreachable> {
        Ok(self.pairs(&[key]).await?.pop().flatten())
    }

    async fn read_many(&self, keys: &[Key]) -> Result<Vec<Option<Stored>>, Unreachable> {
        self.pairs(keys).await
    }

    async fn of_account(&self, account: &AccountId) -> Result<Vec<(Key, Stored)>, Unreachable> {
        let set = self.of('a', account);
        let members: Vec<String> = self.ask(Question::command("SMEMBERS", &[set])).await?;
        let keys: Vec<Key> = members.iter().filter_map(|member| Key::from_hex(member)).collect();
        let found = self.pairs(&keys).await?;
        Ok(keys.into_iter().zip(found).filter_map(|(key, stored)| Some((key, stored?))).collect())
    }

    async fn create(&self, fresh: Fresh, replaces: Option<(Key, AccountId)>) -> Result<bool, Unreachable> {
        let (account, span) = (&fresh.record.account, millis(fresh.until().since(fresh.now)));
        let mut keys =
            vec![self.key('s', &fresh.key), self.key('t', &fresh.key), self.of('a', account), self.of('g', account)];
        let mut args = vec![
            fresh.key.hex(),
            fresh.raw,
            span,
            fresh.now.0.to_string(),
            millis(fresh.record.idle),
            fresh.record.proved.to_string(),
            self.link.prefix().to_owned(),
        ];
        if let Some((old, owner)) = replaces {
            keys.extend([self.key('s', &old), self.key('t', &old), self.of('a', &owner)]);
            args.push(old.hex());
        }
        self.run(&self.scripts.create, &keys, &args).await
    }

    async fn rotate(&self, old: Key, raw: String, fresh: Fresh) -> Result<bool, Unreachable> {
        let keys = [
            self.key('s', &old),
            self.key('t', &old),
            self.key('s', &fresh.key),
            self.key('t', &fresh.key),
            self.of('a', &fresh.record.account),
        ];
        let args = [
            raw,
            fresh.raw,
            millis(fresh.record.expires_at.since(fresh.now)),
            fresh.now.0.to_string(),
            millis(fresh.record.idle),
            old.hex(),
            fresh.key.hex(),
        ];
        self.run(&self.scripts.rotate, &keys, &args).await
    }

    async fn rewrite(&self, key: Key, raw: String, new: String) -> Result<bool, Unreachable> {
        self.run(&self.scripts.rewrite, &[self.key('s', &key)], &[raw, new]).await
    }

    async fn end(&self, key: Key, account: &AccountId) -> Result<bool, Unreachable> {
        let keys = [self.key('s', &key), self.key('t', &key), self.of('a', account)];
        self.run(&self.scripts.end, &keys, &[key.hex()]).await
    }

    async fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
        _now: UnixMillis,
    ) -> Result<Vec<Key>, Unreachable> {
        let keys = [self.of('g', account), self.of('a', account)];
        let args = [
            generation.to_string(),
            millis(FENCE_SPAN),
            self.link.prefix().to_owned(),
            except.map_or_else(String::new, |sid| sid.0.to_string()),
        ];
        let ended: Vec<String> = self.run(&self.scripts.end_account, &keys, &args).await?;
        Ok(ended.iter().filter_map(|hex| Key::from_hex(hex)).collect())
    }

    async fn fence(&self, account: &AccountId, generation: i64, _now: UnixMillis) -> Result<(), Unreachable> {
        self.run(&self.scripts.fence, &[self.of('g', account)], &[generation.to_string(), millis(FENCE_SPAN)]).await
    }

    async fn beat(&self, beats: &[Beat], now: UnixMillis) -> Result<(), Unreachable> {
        for beats in beats.chunks(BATCH) {
            let mut keys = Vec::with_capacity(2 * beats.len());
            let mut args = Vec::with_capacity(2 * beats.len());
            for beat in beats {
                // Counted from the use, not from its writing: a late write prolongs nothing.
                let left = beat.seen.plus(beat.idle).since(now);
                if !left.is_zero() {
                    keys.extend([self.key('s', &beat.key), self.key('t', &beat.key)]);
                    args.extend([beat.seen.0.to_string(), millis(left)]);
                }
            }
            if !keys.is_empty() {
                let () = self.run(&self.scripts.beat, &keys, &args).await?;
            }
        }
        Ok(())
    }

    async fn hold(&self, flow: Key, body: String, ttl: Duration, _now: UnixMillis) -> Result<(), Unreachable> {
        self.ask(Question::command("SET", &[self.key('f', &flow), body, "PX".to_owned(), millis(ttl)])).await
    }

    async fn keep(&self, flow: Key, body: String, ttl: Duration, _now: UnixMillis) -> Result<bool, Unreachable> {
        let words = [self.key('f', &flow), body, "PX".to_owned(), millis(ttl), "XX".to_owned()];
        let kept: Option<String> = self.ask(Question::command("SET", &words)).await?;
        Ok(kept.is_some())
    }

    async fn held(&self, flow: Key, _now: UnixMillis) -> Result<Option<String>, Unreachable> {
        self.ask(Question::command("GET", &[self.key('f', &flow)])).await
    }

    async fn release(&self, flow: Key, _now: UnixMillis) -> Result<bool, Unreachable> {
        self.ask(Question::command("DEL", &[self.key('f', &flow)])).await
    }

    async fn sweep(&self, _now: UnixMillis) -> Result<(), Unreachable> {
        Ok(())
    }

    async fn ready(&self) -> Result<(), Unreachable> {
        self.ask::<String>(Question::command("PING", &[])).await.map(|_| ())
    }
}

fn pair(values: &[Option<Vec<u8>>]) -> Option<Stored> {
    let [record, activity] = values else { return None };
    let raw = String::from_utf8_lossy(record.as_deref()?).into_owned();
    let active_at = activity.as_deref().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
    Stored::parse(raw, active_at.map(UnixMillis))
}

/// Keys in one command.
const BATCH: usize = 256;
