//! Access tokens: made here, honoured here. The truth about them is in the accounts database; what a request needs lies under
//! `s:` like a session, so that all that tells of changes and ends sessions serves them too.
//!
//! What is kept lives ten minutes at most, is never prolonged, and is read from the accounts anew after that. A change of the
//! account, or a revocation, that comes between reading and keeping has raised the account's fence: then the keeping is
//! refused, and the accounts are asked again. So nothing revoked comes back. Values carry a MAC of their own purpose: a made-up
//! token costs no lookup, and neither cookie nor token is ever taken for the other.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use tokio::{sync::Semaphore, time::timeout};
use zeroize::Zeroizing;

use super::{
    Sessions, Shared, Unreachable,
    id::{self, Key},
    keys::Purpose,
    memo::Memo,
    near::{Fill, Known},
    record::{Live, Place, Record, Sid},
    resume::{PATIENCE, Resumed},
    store::{Fresh, SessionStore, Stored},
    told,
};
use crate::{
    identity::{
        Identity,
        access_token::{AccessToken, Worth},
        account::{Account, AccountId},
    },
    inbound::bearer::{PREFIX, Sealed},
    world::{NoEntropy, UnixMillis},
};

/// A value that nobody knows yet.
#[derive(Debug)]
pub struct Minted {
    /// `vst_…`: shown once.
    pub value: Zeroizing<String>,
    /// SHA-256 of what it holds: what is kept of it.
    pub hash: [u8; 32],
}

/// What tokens need beside sessions.
#[derive(Debug)]
pub(crate) struct Tokens {
    /// Who knows them.
    identity: OnceLock<Identity>,
    memo: Memo,
    /// Tokens that are worth nothing: since when, and for how long they are not asked about again.
    worthless: Cache<Key, (UnixMillis, Duration)>,
    /// So many questions to the accounts at a time.
    places: Semaphore,
    /// So many uses that wait to be written down.
    notes: Arc<Semaphore>,
    /// Tokens of tunnels that are asked about, or could not be.
    renewing: Mutex<HashMap<Sid, Renewal>>,
}

/// A tunnel's token whose record is gone.
#[derive(Debug)]
struct Renewal {
    /// When it was first asked about.
    since: Instant,
    /// Somebody waits for the answer.
    busy: bool,
}

/// What came of asking about a token.
enum Found {
    /// Alive.
    Known(Known),
    /// Worth nothing.
    Nothing,
    /// The accounts did not answer.
    Away,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            identity: OnceLock::new(),
            memo: Memo::new(),
            worthless: Cache::new(WORTHLESS_REMEMBERED),
            places: Semaphore::new(PLACES),
            notes: Arc::new(Semaphore::new(NOTES)),
            renewing: Mutex::default(),
        }
    }
}

impl Sessions {
    /// From now on tokens that `identity` knows are honoured; before, none.
    pub fn honour_tokens(&self, identity: Identity) {
        // Said once, at the start.
        let _ = self.shared.tokens.identity.set(identity);
    }

    /// A new token's value.
    ///
    /// # Errors
    /// [`NoEntropy`] when the operating system has no random bytes.
    pub fn mint(&self) -> Result<Minted, NoEntropy> {
        let id = Zeroizing::new(self.shared.entropy.bytes()?);
        let sealed = Zeroizing::new(id::seal(&self.shared.keys, Purpose::Token, &id));
        let mut value = Zeroizing::new(String::with_capacity(PREFIX.len() + sealed.len()));
        value.extend(PREFIX.iter().map(|byte| char::from(*byte)));
        value.push_str(&sealed);
        Ok(Minted { value, hash: Key::of(&id).0 })
    }

    /// For whom this token speaks. Never blocks a data thread: misses are answered on the service runtime.
    pub async fn resume_token(&self, sealed: &Sealed, now: UnixMillis) -> Resumed {
        let shared = &self.shared;
        let open = |value: &[u8]| id::open(&shared.keys, Purpose::Token, value).map(|id| Key::of(&id));
        let Some(key) = shared.tokens.memo.key(sealed.as_bytes(), open) else {
            return Resumed::Invalid { ended: false };
        };
        if let Some(live) = shared.near.get(&key).and_then(|known| admit(known, key, now)) {
            shared.lookups.hits.add();
            return Resumed::Live(live);
        }
        // A script that goes on with a revoked one asks nobody each time.
        if shared.tokens.is_worthless(&key, now) {
            return Resumed::Invalid { ended: true };
        }
        shared.lookups.misses.add();
        let looked_up = shared.on_service(move |shared| async move {
            match timeout(PATIENCE, shared.look_up_token(key, now)).await {
                Ok(found) => found,
                Err(elapsed) => Err(Unreachable(Box::new(elapsed))),
            }
        });
        match looked_up.await {
            Ok(Found::Known(known)) => admit(known, key, now).map_or(Resumed::Invalid { ended: true }, Resumed::Live),
            Ok(Found::Nothing) => Resumed::Invalid { ended: true },
            Ok(Found::Away) | Err(Unreachable(_)) => Resumed::Unreachable,
        }
    }

    /// Whether the store itself still has this session, whatever memory says.
    ///
    /// # Errors
    /// [`Unreachable`]
    pub async fn still_there(&self, live: &Live) -> Result<bool, Unreachable> {
        let (account, sid) = (live.record.account.clone(), live.record.sid.clone());
        self.shared.on_service(|shared| async move { Ok(shared.find(&account, &sid).await?.is_some()) }).await
    }

    /// Ends what a revoked token is known by, on every node.
    pub(super) async fn end_token(&self, account: &AccountId, sid: &Sid, generation: i64) -> Result<(), Unreachable> {
        let (account, sid) = (account.clone(), sid.clone());
        self.shared
            .on_service(move |shared| async move {
                // The fence first: what is being restored either is in the account's set by now or is refused.
                shared.store.fence(&account, generation, shared.clock.now()).await?;
                if let Some((key, _)) = shared.find(&account, &sid).await? {
                    shared.end_session(key, &account, &sid).await?;
                }
                shared.gone(&sid);
                Ok(())
            })
            .await
    }
}

/// A live token; `None` when it has to be asked about again.
fn admit(known: Known, key: Key, now: UnixMillis) -> Option<Live> {
    let alive = known.record.token.is_some() && !stale(&known, now);
    alive.then(|| Live { idle_expires_at: known.record.expires_at, record: known.record, key, pulse: known.pulse })
}

fn stale(known: &Known, now: UnixMillis) -> bool {
    known.old(now) || known.record.deadline(known.pulse.seen()) <= now
}

impl Shared {
    /// Asks the store, through the near cache, and then the accounts.
    async fn look_up_token(self: &Arc<Self>, key: Key, now: UnixMillis) -> Result<Found, Unreachable> {
        if self.near.get(&key).is_some_and(|known| stale(&known, now)) {
            self.near.remove(&key);
        }
        let fill = match self.near.fill(&key).await {
            Fill::Known(known) => return Ok(Found::Known(known)),
            fill => fill,
        };
        let began = Instant::now();
        let read = self.store.read(key).await;
        self.lookups.store.observe(began.elapsed());
        let kept = read?.map(|stored| self.known(key, stored)).filter(|known| !stale(known, now));
        let known = match kept {
            Some(known) => known,
            None => match self.restore(key, now).await? {
                Found::Known(known) => known,
                nothing => return Ok(nothing),
            },
        };
        fill.put(&known);
        Ok(Found::Known(known))
    }

    /// Asks the accounts, and keeps what they say.
    async fn restore(self: &Arc<Self>, key: Key, now: UnixMillis) -> Result<Found, Unreachable> {
        let tokens = &self.tokens;
        let Some(identity) = tokens.identity.get() else { return Ok(Found::Nothing) };
        if tokens.is_worthless(&key, now) {
            return Ok(Found::Nothing);
        }
        for _ in 0..TRIES {
            let (token, owner) = match timeout(ACCOUNTS_PATIENCE, tokens.ask(identity, key, now)).await {
                Ok(Some(Worth::Live(live))) => *live,
                Ok(Some(Worth::Resting)) => return Ok(tokens.worth_nothing(key, now, RESTS)),
                Ok(Some(Worth::Nothing)) => return Ok(tokens.worth_nothing(key, now, GONE)),
                Ok(None) | Err(_) => return Ok(Found::Away),
            };
            let fresh = Fresh::new(key, record(&token, &owner), now)?;
            let stored = Stored { raw: fresh.raw.clone(), record: fresh.record.clone(), active_at: Some(now) };
            if self.store.create(fresh, None).await? {
                self.note_use(identity.clone(), token.id, now);
                return Ok(Found::Known(self.known(key, stored)));
            }
            // The account changed in between.
        }
        Ok(Found::Away)
    }

    /// Nobody waits for it, and where too many wait already, it is left out.
    fn note_use(&self, identity: Identity, token: String, now: UnixMillis) {
        let Ok(place) = Arc::clone(&self.tokens.notes).try_acquire_owned() else { return };
        self.service.spawn(async move {
            if let Err(error) = identity.token_used(&token, now).await {
                tracing::debug!(token, %error, "the use of a token was not written");
            }
            drop(place);
        });
    }

    /// Asks the accounts about the token of a tunnel, beside all else: what was kept of it is gone, as it is every ten minutes.
    pub(super) fn renew(self: &Arc<Self>, sid: &Sid, key: Key) {
        let Some(turn) = Turn::begin(self, sid) else { return };
        self.service.spawn(async move {
            let Turn { shared, sid, since } = &turn;
            match shared.restore(key, shared.clock.now()).await {
                Ok(Found::Known(known)) => {
                    shared.tokens.renewing().remove(sid);
                    shared.watch.rewritten(sid, known.record);
                }
                Ok(Found::Away) | Err(_) if since.elapsed() < GRACE => {}
                Ok(Found::Nothing | Found::Away) | Err(_) => {
                    shared.tokens.renewing().remove(sid);
                    shared.watch.end(sid);
                }
            }
        });
    }
}

impl Tokens {
    /// `None`: no answer.
    async fn ask(&self, identity: &Identity, key: Key, now: UnixMillis) -> Option<Worth> {
        let _place = self.places.acquire().await.ok()?;
        let worth = identity.token_worth(&key.0, now).await;
        worth
            .inspect_err(|error| {
                tracing::debug!(error = error as &dyn std::error::Error, "a token could not be asked about");
            })
            .ok()
    }

    fn worth_nothing(&self, key: Key, now: UnixMillis, span: Duration) -> Found {
        self.worthless.insert(key, (now, span));
        Found::Nothing
    }

    /// Of what a clock said that was set back since, nothing is believed.
    fn is_worthless(&self, key: &Key, now: UnixMillis) -> bool {
        self.worthless.get(key).is_some_and(|(since, span)| since <= now && now.since(since) < span)
    }

    fn renewing(&self) -> MutexGuard<'_, HashMap<Sid, Renewal>> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one who asks about a tunnel's token.
struct Turn {
    shared: Arc<Shared>,
    sid: Sid,
    since: Instant,
}

impl Turn {
    /// `None`: somebody does already.
    fn begin(shared: &Arc<Shared>, sid: &Sid) -> Option<Self> {
        let mut renewing = shared.tokens.renewing();
        let now = Instant::now();
        // Tunnels that closed by themselves leave theirs behind.
        renewing.retain(|_, renewal| renewal.busy || now.duration_since(renewal.since) < 2 * GRACE);
        let renewal = renewing.entry(sid.clone()).or_insert(Renewal { since: now, busy: false });
        let since = renewal.since;
        let free = !std::mem::replace(&mut renewal.busy, true);
        free.then(|| Self { shared: Arc::clone(shared), sid: sid.clone(), since })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(renewal) = self.shared.tokens.renewing().get_mut(&self.sid) {
            renewal.busy = false;
        }
    }
}

/// What a token says of its owner.
fn record(token: &AccessToken, owner: &Account) -> Record {
    let mut record = Record {
        sid: Sid(token.id.as_str().into()),
        account: owner.id.clone(),
        generation: owner.generation,
        proved: owner.generation,
        username: String::new(),
        name: String::new(),
        email: None,
        groups: Vec::new(),
        factors: Vec::new(),
        created_at: token.created_at,
        expires_at: token.expires_at,
        idle: KEPT,
        remember: false,
        place: Place::default(),
        token: Some(token.sites.clone()),
        told: told::Once::default(),
    };
    record.describe(owner);
    record.show(token.shown.clone());
    record
}

/// How long what is kept of a token lives, from its keeping on.
const KEPT: Duration = Duration::from_mins(10);
/// Questions to the accounts at a time.
const PLACES: usize = 8;
const NOTES: usize = 64;
/// How long the accounts may take.
const ACCOUNTS_PATIENCE: Duration = Duration::from_secs(2);
/// How often a keeping that was overtaken is tried again.
const TRIES: usize = 4;
/// How long a token that never comes back is not asked about.
const GONE: Duration = Duration::from_mins(1);
/// The same, where its owner may be enabled again.
const RESTS: Duration = Duration::from_secs(1);
const WORTHLESS_REMEMBERED: usize = 10_000;
/// How long tunnels outlive what was kept of their token while the accounts do not answer.
const GRACE: Duration = Duration::from_secs(30);
