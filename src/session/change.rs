//! Everything that changes a session: start, rotate, end, and what the outbox brings.
//!
//! Order in each: the store first, in one step that cannot be overtaken; then the near cache; then whoever watches.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderValue;

use super::{
    Sessions, Shared, Unreachable,
    id::{self, Key},
    keys::Purpose,
    record::{Live, Place, Record, Sid},
    store::{Fresh, SessionStore, Stored},
    told,
};
use crate::{
    identity::{
        Authenticated, Shown,
        account::{Account, AccountId},
    },
    world::{NoEntropy, UnixMillis},
};

/// Why no session was started or rotated.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The session ended, or the account changed, between the proof and its use: sign in again.
    #[error("the session or the account changed meanwhile")]
    Overtaken,
    /// 503.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

impl Sessions {
    /// Starts a session with a new id; `replaces` dies in the same step. Answers the `Set-Cookie` value.
    ///
    /// # Errors
    /// [`NotStarted::Overtaken`] when the account changed after the proof was made: whatever ended its sessions would
    /// have ended this one.
    pub async fn start(
        &self,
        proof: Authenticated,
        remember: bool,
        place: Place,
        replaces: Option<&Live>,
        now: UnixMillis,
    ) -> Result<HeaderValue, NotStarted> {
        let (account, factors) = proof.into_parts();
        if account.disabled {
            return Err(NotStarted::Overtaken);
        }
        let shared = &self.shared;
        let record = shared.new_record(&account, factors, (remember, place), now)?;
        let (id, cookie) = shared.new_id(&record, now)?;
        let fresh = Fresh::new(Key::of(&id), record, now)?;
        let old = replaces.map(|live| (live.key, live.record.account.clone(), live.record.sid.clone()));
        let replaced = old.clone().map(|(key, owner, _)| (key, owner));
        let created = shared
            .on_service(move |shared| async move {
                let account = fresh.record.account.clone();
                let created = shared.store.create(fresh, replaced).await?;
                if created {
                    shared.make_room(&account).await;
                }
                Ok(created)
            })
            .await;
        if let Some((key, _, sid)) = old {
            shared.near.remove(&key);
            if matches!(created, Ok(true)) {
                shared.gone(&sid);
            }
        }
        if created? { Ok(cookie) } else { Err(NotStarted::Overtaken) }
    }

    /// The same session (`sid`) under a new id, with more factors shown (step-up, password change).
    ///
    /// Names and groups stay as the session has them: they come from the outbox, in their order.
    ///
    /// # Errors
    /// [`NotStarted::Overtaken`] when the session ended or rotated meanwhile, or the proof is somebody else's.
    pub async fn rotate(&self, live: &Live, proof: Authenticated, now: UnixMillis) -> Result<HeaderValue, NotStarted> {
        let (account, factors) = proof.into_parts();
        if account.id != live.record.account || account.disabled {
            return Err(NotStarted::Overtaken);
        }
        let shared = &self.shared;
        let (id, cookie) = shared.new_id(&live.record, now)?;
        let (old, new, pulse) = (live.key, Key::of(&id), Arc::clone(&live.pulse));
        let rotated = shared
            .on_service(move |shared| async move {
                let rotated = shared.move_session(old, new, account.generation, factors, now).await;
                if matches!(rotated, Ok(true)) {
                    pulse.moved(new);
                }
                rotated
            })
            .await?;
        if rotated { Ok(cookie) } else { Err(NotStarted::Overtaken) }
    }

    /// Ends one session on every node, under whatever id it has by now.
    ///
    /// # Errors
    /// [`Unreachable`]: it may still be alive.
    pub async fn end(&self, live: &Live) -> Result<(), Unreachable> {
        let (key, record) = (live.key, Arc::clone(&live.record));
        self.shared
            .on_service(move |shared| async move {
                shared.end_session(key, &record.account, &record.sid).await?;
                shared.gone(&record.sid);
                Ok(())
            })
            .await
    }

    /// Ends an account's sessions that were proved before `generation`, all but `except`; a proof from before it starts
    /// none any more. So a change that is applied late (or twice) spares who signed in after it. With an `except`, access tokens
    /// are spared as well: what ends other devices ends no scripts.
    ///
    /// # Errors
    /// [`Unreachable`]: some may still be alive; ask again.
    pub async fn end_account(
        &self,
        account: &AccountId,
        except: Option<&Sid>,
        generation: i64,
    ) -> Result<(), Unreachable> {
        let (account, except) = (account.clone(), except.cloned());
        self.shared
            .on_service(move |shared| async move {
                let now = shared.clock.now();
                let ended = shared.store.end_account(&account, except.as_ref(), generation, now).await?;
                for key in &ended {
                    shared.near.remove(key);
                }
                shared.watch.end_account(&account, except.as_ref(), generation);
                Ok(())
            })
            .await
    }

    /// Rewrites names, e-mail and groups in an account's sessions; never with an older reading over a newer one.
    ///
    /// # Errors
    /// [`Unreachable`]: some may still hold the old ones; ask again.
    pub async fn rewrite_account(&self, account: &Account) -> Result<(), Unreachable> {
        let account = account.clone();
        self.shared
            .on_service(move |shared| async move {
                // The fence first: a sign-in under way either is in the account's set by now or is refused.
                shared.store.fence(&account.id, account.generation, shared.clock.now()).await?;
                for (key, stored) in shared.store.of_account(&account.id).await? {
                    shared.rewrite_session(key, stored, &account).await?;
                }
                Ok(())
            })
            .await
    }
}

impl Shared {
    fn new_record(
        &self,
        account: &Account,
        factors: Vec<Shown>,
        (remember, place): (bool, Place),
        now: UnixMillis,
    ) -> Result<Record, Unreachable> {
        let sid: [u8; 16] = self.entropy.bytes()?;
        let settings = &self.settings;
        let (idle, lifetime) =
            if remember { (settings.remember, settings.remember) } else { (settings.idle, settings.lifetime) };
        let mut record = Record {
            sid: Sid(URL_SAFE_NO_PAD.encode(sid).into()),
            account: account.id.clone(),
            generation: account.generation,
            proved: account.generation,
            username: String::new(),
            name: String::new(),
            email: None,
            groups: Vec::new(),
            factors: Vec::new(),
            created_at: now,
            expires_at: now.plus(lifetime),
            idle,
            remember,
            place,
            token: None,
            told: told::Once::default(),
        };
        record.describe(account);
        record.show(factors);
        Ok(record)
    }

    /// A new id, and the cookie that carries it as long as the record lasts.
    fn new_id(&self, record: &Record, now: UnixMillis) -> Result<([u8; 32], HeaderValue), Unreachable> {
        let id = self.entropy.bytes()?;
        let max_age = record.remember.then(|| record.expires_at.since(now));
        let cookie = self.cookies.session.set(&id::seal(&self.keys, Purpose::Session, &id), max_age);
        Ok((id, cookie))
    }

    async fn move_session(
        &self,
        old: Key,
        new: Key,
        proved: i64,
        factors: Vec<Shown>,
        now: UnixMillis,
    ) -> Result<bool, Unreachable> {
        // A rewrite may come between reading and moving: then the move is refused, and tried on the new text.
        for _ in 0..TRIES {
            let Some(stored) = self.store.read(old).await? else { return Ok(false) };
            let known = self.known(old, stored.clone());
            if known.record.deadline(known.pulse.seen()) <= now {
                return Ok(false);
            }
            let mut record = stored.record;
            record.show(factors.clone());
            record.proved = record.proved.max(proved);
            let moved = self.store.rotate(old, stored.raw, Fresh::new(new, record, now)?).await;
            self.near.remove(&old);
            if moved? {
                self.watch.moved(&known.record.sid, new);
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) async fn end_session(&self, key: Key, account: &AccountId, sid: &Sid) -> Result<(), Unreachable> {
        let mut key = key;
        for _ in 0..TRIES {
            let ended = self.store.end(key, account).await;
            self.near.remove(&key);
            if ended? {
                return Ok(());
            }
            // Not under that id any more: gone already, or rotated in another tab.
            match self.find(account, sid).await? {
                Some((now_under, _)) => key = now_under,
                None => return Ok(()),
            }
        }
        Err(Unreachable("the session keeps rotating".into()))
    }

    async fn rewrite_session(&self, key: Key, stored: Stored, account: &Account) -> Result<(), Unreachable> {
        let (mut key, mut stored) = (key, stored);
        for _ in 0..TRIES {
            let sid = stored.record.sid.clone();
            let mut record = stored.record.clone();
            record.describe(account);
            if stored.record.generation > account.generation || record == stored.record {
                return Ok(());
            }
            let fresh = Fresh::new(key, record, self.clock.now())?;
            let rewritten = self.store.rewrite(key, stored.raw, fresh.raw).await;
            self.near.remove(&key);
            if rewritten? {
                self.watch.rewritten(&sid, Arc::new(fresh.record));
                return Ok(());
            }
            match self.find(&account.id, &sid).await? {
                Some(now_is) => (key, stored) = now_is,
                None => return Ok(()),
            }
        }
        Err(Unreachable("the session keeps changing".into()))
    }

    /// A session by its public name, under whatever id it has now.
    pub(super) async fn find(&self, account: &AccountId, sid: &Sid) -> Result<Option<(Key, Stored)>, Unreachable> {
        let sessions = self.store.of_account(account).await?;
        Ok(sessions.into_iter().find(|(_, stored)| stored.record.sid == *sid))
    }

    /// A session is over: its activity is not written any more, its tunnels end.
    pub(super) fn gone(&self, sid: &Sid) {
        self.activity.forget(sid);
        self.watch.end(sid);
    }
}

impl From<NoEntropy> for Unreachable {
    fn from(error: NoEntropy) -> Self {
        Self(Box::new(error))
    }
}

/// How often a step that was overtaken is tried again.
const TRIES: usize = 8;
