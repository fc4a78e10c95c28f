//! Password hashing, bounded: so many at once, so many waiting, beyond that "busy" before any account is looked at.
//!
//! Hashes are Argon2id PHC strings (OWASP Password Storage Cheat Sheet; RFC 9106). A name that nobody has costs one
//! verification all the same, and every failure costs the same work ([`Hasher::compare`]). Hashes of other systems are
//! compared beside ours until their owner signs in ([`foreign`]).

mod foreign;
mod prices;
mod workers;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use self::foreign::{Adopted, Unfit};
use self::{
    foreign::Foreign,
    prices::{Prices, worked},
    workers::{Memory, Workers},
};
use super::Refusal;
use crate::{config, world::Entropy};

/// Where hashes are made. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    params: Params,
    /// The work of the dearest hash of ours compared so far; at least that of the settings.
    dearest: Arc<AtomicU64>,
    /// The same of other systems' hashes.
    prices: Arc<Prices>,
    /// Running and waiting.
    places: Arc<Semaphore>,
    /// Running.
    turns: Arc<Semaphore>,
    workers: Workers,
    /// How many turns were taken, for tests of who costs how much.
    #[cfg(test)]
    pub(super) taken: Arc<std::sync::atomic::AtomicUsize>,
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Place {
    hasher: Hasher,
    _place: OwnedSemaphorePermit,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verified {
    /// Not the password.
    Wrong,
    /// The password, hashed as the settings say.
    Right,
    /// The password, hashed by older settings or another system: hash it anew.
    Outdated,
}

impl Hasher {
    pub(super) fn new(settings: &config::password::Password) -> Self {
        let params = params(settings);
        // One core stays free for pages.
        let turns = thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        Self {
            dearest: Arc::new(AtomicU64::new(work(&params))),
            prices: Arc::new(Prices::new()),
            params,
            places: Arc::new(Semaphore::new(turns + QUEUE)),
            turns: Arc::new(Semaphore::new(turns)),
            workers: Workers::default(),
            #[cfg(test)]
            taken: Arc::default(),
        }
    }

    /// A place in the queue, held until dropped.
    pub(super) fn enter(&self) -> Result<Place, Refusal> {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Refusal::Busy { retry_after: Duration::from_secs(5) })?;
        Ok(Place { hasher: self.clone(), _place: place })
    }

    /// A hash nobody's password has, at the cost of a real one.
    pub(super) fn nobodys(&self) -> String {
        let (memory, passes, lanes) = (self.params.m_cost(), self.params.t_cost(), self.params.p_cost());
        format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}", "A".repeat(22), "A".repeat(43))
    }

    /// Compares, and says how much work that was. After `[password] argon2` was changed, older hashes cost what they cost,
    /// and the stand-in for unknown names costs the new settings: time would tell who has an account. So a failure is
    /// topped up to the dearest hash met: cheaper old ones to the settings, and where the settings were lowered,
    /// unknown names to what old ones still cost (from the first of those on; a restart forgets it).
    fn compare(&self, password: &SecretString, hash: &str, memory: &mut Memory) -> (Verified, u64) {
        let began = worked();
        let (verified, spent) = match Foreign::read(hash) {
            Ok(foreign) => {
                let (fits, estimate) = foreign.compare(password);
                let spent = self.prices.took(foreign.kind(), estimate, worked().saturating_sub(began));
                (if fits { Verified::Outdated } else { Verified::Wrong }, spent)
            }
            Err(_) => {
                let (verified, spent) = (verify(&self.params, password, hash, memory), work_of(hash));
                // Of those as the settings say: less memory is another price.
                if spent == work(&self.params) {
                    self.prices.took_argon2(spent, worked().saturating_sub(began));
                }
                self.dearest.fetch_max(spent, Ordering::Relaxed);
                (verified, spent)
            }
        };
        let dearest = self.dearest.load(Ordering::Relaxed).max(self.prices.dearest()).max(spent);
        let topped_up = if verified == Verified::Wrong { self.top_up(password, dearest - spent, memory) } else { 0 };
        (verified, spent + topped_up)
    }

    /// Works for nothing, in as much memory as the settings allow; says how much it was.
    fn top_up(&self, password: &SecretString, owed: u64, memory: &mut Memory) -> u64 {
        let Some(params) = self.made_up_of(owed) else { return 0 };
        let mut wasted = [0; 32];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let made = memory.fill(&argon2, password.expose_secret().as_bytes(), &[0; 16], &mut wasted);
        black_box(wasted);
        if made.is_ok() { work(&params) } else { 0 }
    }

    /// Settings of that much work; `None` when it is too little to be seen.
    fn made_up_of(&self, owed: u64) -> Option<Params> {
        let passes = owed.div_ceil(u64::from(self.params.m_cost()).max(1)).max(1);
        let memory = u32::try_from(owed / passes).ok()?;
        Params::new(memory, u32::try_from(passes).ok()?, 1, None).ok()
    }
}

impl Place {
    /// Hashes a password (already in NFC).
    pub(super) async fn hash(&self, password: &SecretString, entropy: &Entropy) -> Result<String, Refusal> {
        let salt: [u8; 16] = entropy.bytes()?;
        let params = self.hasher.params.clone();
        let password = password.clone();
        self.turn(move |memory| hash_in(memory, params, &password, salt)).await?
    }

    /// Compares a password (already in NFC) with a hash; every failure costs the same.
    pub(super) async fn verify(&self, password: &SecretString, hash: String) -> Result<Verified, Refusal> {
        let hasher = self.hasher.clone();
        let password = password.clone();
        self.turn(move |memory| hasher.compare(&password, &hash, memory).0).await
    }

    /// Waits for a turn and runs costly work beside the runtime's threads.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        self.turn(|_| work()).await
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.hasher.turns).acquire_owned().await.map_err(internal)?;
        #[cfg(test)]
        self.hasher.taken.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // The turn ends with the work, even when whoever asked went away meanwhile.
        let work = move |memory: &mut Memory| (work(memory), turn);
        let (found, _turn) = self.hasher.workers.run(work).await.map_err(internal)?;
        Ok(found)
    }
}

/// The configuration checked these numbers; should it have missed something, OWASP's stand in.
pub(super) fn params(settings: &config::password::Password) -> Params {
    Params::new(settings.memory_kib, settings.iterations, settings.parallelism, None)
        .unwrap_or_else(|_| Params::default())
}

pub(super) fn hash(params: Params, password: &SecretString, salt: [u8; 16]) -> Result<String, Refusal> {
    hash_in(&mut Memory::default(), params, password, salt)
}

fn hash_in(memory: &mut Memory, params: Params, password: &SecretString, salt: [u8; 16]) -> Result<String, Refusal> {
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    let written = ParamsString::try_from(&params).map_err(internal)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    memory.fill(&argon2, password.expose_secret().as_bytes(), &salt, &mut output).map_err(internal)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: written,
        salt: Some(Salt::new(&salt).map_err(internal)?),
        hash: Some(Output::new(&output).map_err(internal)?),
    };
    Ok(hash.to_string())
}

fn verify(params: &Params, password: &SecretString, hash: &str, memory: &mut Memory) -> Verified {
    let Ok(parsed) = PasswordHash::new(hash) else { return Verified::Wrong };
    // `Output` compares in constant time.
    if parsed.hash.is_none() || again(&parsed, password, memory) != parsed.hash {
        return Verified::Wrong;
    }
    let as_set = parsed.algorithm.as_str() == "argon2id"
        && Params::try_from(&parsed).is_ok_and(|used| {
            (used.m_cost(), used.t_cost(), used.p_cost()) == (params.m_cost(), params.t_cost(), params.p_cost())
        });
    if as_set { Verified::Right } else { Verified::Outdated }
}

/// What that hash would be for this password; `None` for what is no Argon2 hash.
fn again(hash: &PasswordHash, password: &SecretString, memory: &mut Memory) -> Option<Output> {
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let version = hash.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(hash).ok()?);
    let mut output = [0; Output::MAX_LENGTH];
    let output = output.get_mut(..hash.hash.as_ref()?.len())?;
    memory.fill(&argon2, password.expose_secret().as_bytes(), hash.salt.as_ref()?, output).ok()?;
    Output::new(output).ok()
}

/// KiB times passes: what time follows, whatever the lanes (they run one after the other here).
fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// The work that comparing with this hash takes; none for what is no Argon2 hash.
fn work_of(hash: &str) -> u64 {
    let parsed = PasswordHash::new(hash).ok().filter(|parsed| parsed.algorithm.as_str().starts_with("argon2"));
    parsed.and_then(|parsed| Params::try_from(&parsed).ok()).map_or(0, |params| work(&params))
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Refusal {
    Refusal::Internal(Box::new(error))
}

const QUEUE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> config::password::Password {
        config::password::Password { memory_kib: 8192, iterations: 2, ..Default::default() }
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let hasher = Hasher::new(&settings());
        let real = hash(hasher.params.clone(), &"violet-tram-undid-47".into(), [7; 16]).unwrap();
        let nobodys = hasher.nobodys();
        let (ours, theirs) = (PasswordHash::new(&nobodys).unwrap(), PasswordHash::new(&real).unwrap());
        assert_eq!(ours.params, theirs.params);
        assert_eq!(ours.salt.unwrap().len(), theirs.salt.unwrap().len());
        assert_eq!(ours.hash.unwrap().len(), theirs.hash.unwrap().len());
        assert_eq!(verify(&hasher.params, &"something else".into(), &nobodys, &mut Memory::default()), Verified::Wrong);
    }

    #[test]
    fn a_hash_says_by_which_settings_it_was_made() {
        let hasher = Hasher::new(&settings());
        let password: SecretString = "violet-tram-undid-47".into();
        let current = hash(hasher.params.clone(), &password, [7; 16]).unwrap();
        assert_eq!(verify(&hasher.params, &password, &current, &mut Memory::default()), Verified::Right);
        let older = hash(Params::new(64, 1, 1, None).unwrap(), &password, [7; 16]).unwrap();
        assert_eq!(verify(&hasher.params, &password, &older, &mut Memory::default()), Verified::Outdated);
        assert_eq!(verify(&hasher.params, &password, "no hash at all", &mut Memory::default()), Verified::Wrong);
    }

    #[test]
    fn every_failure_is_the_same_work_whatever_the_hash_was_made_by() {
        let password: SecretString = "violet-tram-undid-47".into();
        let wrong: SecretString = "something else".into();
        for (memory, passes) in [(1024, 1), (4096, 2), (8192, 1), (8192, 2), (4096, 4), (8192, 3), (16_384, 2), (64, 1)]
        {
            let hasher = Hasher::new(&settings());
            let older = hash(Params::new(memory, passes, 1, None).unwrap(), &password, [7; 16]).unwrap();
            let (verified, known) = hasher.compare(&wrong, &older, &mut Memory::default());
            let (_, unknown) = hasher.compare(&wrong, &hasher.nobodys(), &mut Memory::default());
            let (_, no_hash) = hasher.compare(&wrong, "no hash at all", &mut Memory::default());
            assert_eq!(verified, Verified::Wrong);
            assert!(known >= work(&hasher.params) - 8, "{known} for {memory} x {passes}");
            // A pass more or less of a few KiB is what whole passes cannot say.
            assert!(known.abs_diff(unknown) <= 8, "{known}, {unknown} for {memory} x {passes}");
            assert!(no_hash.abs_diff(unknown) <= 8, "{no_hash}, {unknown}");
            let (right, once) = hasher.compare(&password, &older, &mut Memory::default());
            assert!(right != Verified::Wrong && once == u64::from(memory) * u64::from(passes), "nothing is owed");
        }
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_the_work_even_when_the_asker_left() {
        let hasher = Hasher::new(&settings());
        let turns = hasher.turns.available_permits();
        let place = hasher.enter().unwrap();
        let (started, begin) = tokio::sync::oneshot::channel();
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        let asker = tokio::spawn(async move {
            place
                .run(move || {
                    started.send(()).unwrap();
                    wait.recv().unwrap();
                })
                .await
        });
        begin.await.unwrap();
        asker.abort();
        assert!(asker.await.is_err());
        assert_eq!(hasher.turns.available_permits(), turns - 1);
        finish.send(()).unwrap();
        while hasher.turns.available_permits() < turns {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
