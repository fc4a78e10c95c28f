//! In Redis, under `l:`, shared by all nodes: one script for each step. Keys run out by themselves, which bounds them; Redis
//! itself is bounded by its `maxmemory`.

use std::sync::atomic::{AtomicU64, Ordering};

use ::redis::{FromRedisValue, Script};

use super::{Admission, Correction, Key, USUAL, scripts::Scripts};
use crate::{
    identity::{
        account::AccountId,
        second_factor::{Claim, LIFE, Wait, Window},
        throttle::SKEW,
    },
    storage::redis::{Link, Question, Unreachable, millis},
    verify::Started,
    world::UnixMillis,
};

/// A link to the Redis server that nodes share.
#[derive(Debug)]
pub struct Shared {
    link: Link,
    scripts: Scripts,
    /// Names questions, so that none is counted twice; together with a number it is one of its kind.
    process: uuid::Uuid,
    questions: AtomicU64,
}

impl Shared {
    pub(super) fn new(link: Link) -> Self {
        Self { link, scripts: Scripts::new(), process: uuid::Uuid::new_v4(), questions: AtomicU64::default() }
    }

    fn name(&self, key: &Key) -> String {
        format!("{}l:{:032x}", self.link.prefix(), u128::from_be_bytes(*key))
    }

    /// Runs a script that counts: once, even if the link breaks and the question is put a second time.
    async fn once<T: FromRedisValue>(
        &self,
        script: &Script,
        mut keys: Vec<String>,
        args: &[String],
    ) -> Result<T, Unreachable> {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        keys.push(format!("{}l:once:{}:{number}", self.link.prefix(), self.process.simple()));
        self.link.run(script, &keys, args).await
    }

    pub(super) async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, Unreachable> {
        let Admission { pair, network, subject, usual, distinct } = admission;
        let bounds: Vec<_> = [pair, network, subject].into_iter().flatten().collect();
        // The order above.
        let pair_at = usize::from(pair.is_some());
        let network_at = if *distinct && network.is_some() { pair_at + 1 } else { 0 };
        let mut keys: Vec<String> = bounds.iter().map(|(key, _)| self.name(key)).collect();
        keys.extend(usual.iter().map(|usual| self.name(usual)));
        let mut args = vec![now.0.to_string(), millis(SKEW)];
        args.extend([bounds.len(), pair_at, network_at].map(|number| number.to_string()));
        for (_, steps) in bounds {
            let waits: Vec<String> = steps.waits.iter().map(|wait| wait.as_millis().to_string()).collect();
            args.extend([steps.free.to_string(), millis(steps.halve), waits.join(",")]);
        }
        let until: i64 = self.once(&self.scripts.admit, keys, &args).await?;
        Ok((until > 0).then_some(UnixMillis(until)))
    }

    pub(super) async fn correct(&self, correction: &Correction) -> Result<(), Unreachable> {
        let Correction { forgotten, taken_back, usual } = correction;
        let keys = forgotten.iter().chain(taken_back).chain(usual).map(|key| self.name(key)).collect();
        let args = [forgotten.len().to_string(), taken_back.len().to_string(), millis(USUAL)];
        self.once(&self.scripts.correct, keys, &args).await
    }

    pub(super) async fn count(&self, key: Key, now: UnixMillis) -> Result<Result<Window, Window>, Unreachable> {
        let args = [now.0.to_string(), millis(SKEW), Window::TRIES.to_string(), millis(Window::SPAN)];
        let (counted, began, tries): (bool, i64, u32) =
            self.once(&self.scripts.count, vec![self.name(&key)], &args).await?;
        let window = Window { began: UnixMillis(began), tries };
        Ok(if counted { Ok(window) } else { Err(window) })
    }

    pub(super) async fn take_back(&self, key: Key) -> Result<(), Unreachable> {
        self.once(&self.scripts.take_back, vec![self.name(&key)], &[]).await
    }

    pub(super) async fn clear(&self, key: Key) -> Result<(), Unreachable> {
        self.link.ask(Question::command("DEL", &[self.name(&key)])).await
    }

    pub(super) async fn window(&self, key: Key, now: UnixMillis) -> Result<Window, Unreachable> {
        let known: Option<String> = self.link.ask(Question::command("GET", &[self.name(&key)])).await?;
        let window = known.as_deref().and_then(|text| {
            let (began, tries) = text.split_once(' ')?;
            Some(Window { began: UnixMillis(began.parse().ok()?), tries: tries.parse().ok()? })
        });
        Ok(Window::current(window, now))
    }

    pub(super) async fn claim(
        &self,
        key: Key,
        wanted: Wait,
        now: UnixMillis,
    ) -> Result<Result<Claim, UnixMillis>, Unreachable> {
        let args = [
            now.0.to_string(),
            millis(LIFE + SKEW),
            wanted.account.0.as_ref().to_owned(),
            wanted.until.0.to_string(),
            flag(wanted.proved),
        ];
        let (how, account, until, proved, started): (String, String, String, String, String) =
            self.once(&self.scripts.claim, vec![self.name(&key)], &args).await?;
        let until = UnixMillis(until.parse().unwrap_or(now.0));
        Ok(match how.as_str() {
            "fresh" => Ok(Claim::Fresh),
            "renewed" => Ok(Claim::Renewed),
            "taken" => {
                let account = AccountId(account.into());
                Ok(Claim::Taken(Wait { account, until, proved: proved == "1", started: read(&started) }))
            }
            _ => Err(until),
        })
    }

    pub(super) async fn restore(&self, key: Key, account: &AccountId, before: Wait) -> Result<(), Unreachable> {
        let started = before.started.as_ref().map(written).transpose()?.unwrap_or_default();
        let args = [
            account.0.as_ref().to_owned(),
            before.account.0.as_ref().to_owned(),
            before.until.0.to_string(),
            flag(before.proved),
            started,
            // A little long: `until` is what counts.
            millis(LIFE),
        ];
        self.link.run(&self.scripts.restore, &[self.name(&key)], &args).await
    }

    pub(super) async fn sent(&self, key: Key, account: &AccountId, started: &Started) -> Result<(), Unreachable> {
        let args = [account.0.as_ref().to_owned(), written(started)?];
        self.link.run(&self.scripts.sent, &[self.name(&key)], &args).await
    }

    pub(super) async fn lost(&self, key: Key, account: &AccountId, now: UnixMillis) -> Result<bool, Unreachable> {
        let words = [self.name(&key), "account".to_owned(), "until".to_owned()];
        let (owner, until): (Option<String>, Option<i64>) = self.link.ask(Question::command("HMGET", &words)).await?;
        let (Some(owner), Some(until)) = (owner, until) else { return Ok(false) };
        let wait = Wait { account: AccountId(owner.into()), until: UnixMillis(until), proved: false, started: None };
        Ok(wait.account != *account && wait.runs(now))
    }

    /// How long a key stays, in milliseconds.
    #[cfg(test)]
    pub(super) async fn left(&self, key: &Key) -> i64 {
        self.link.ask(Question::command("PTTL", &[self.name(key)])).await.unwrap()
    }

    pub(super) async fn release(&self, key: Key, account: &AccountId) -> Result<(), Unreachable> {
        self.link.run(&self.scripts.release, &[self.name(&key)], &[account.0.as_ref().to_owned()]).await
    }
}

fn flag(set: bool) -> String {
    if set { "1" } else { "0" }.to_owned()
}

fn written(started: &Started) -> Result<String, Unreachable> {
    serde_json::to_string(started).map_err(|error| Unreachable(Box::new(error)))
}

/// What cannot be read was not sent by us.
fn read(started: &str) -> Option<Started> {
    serde_json::from_str(started).ok()
}
