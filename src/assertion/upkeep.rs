//! Keeping the keys: read from the database, made, sealed again and removed there, by whichever node comes first.
//!
//! There is one writer over all nodes ([`Db::write`](crate::storage::Db)), and it looks again before it writes: two nodes
//! that start or rotate at the same moment make one key.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use aws_lc_rs::error::Unspecified;
use tracing::{info, warn};

use super::{
    Assertions, Shared,
    key::{SigningKey, Unusable},
    keyring::{Held, Keyring, Review},
    ledger::{self, StoredKey},
};
use crate::{
    storage::{StoreError, Tx},
    world::{NoEntropy, UnixMillis},
};

/// Why the keys could not be brought up to date; the ones in memory go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] Unusable),
    #[error("a signing key could not be sealed")]
    Seal(#[from] Unspecified),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

impl Assertions {
    /// Keeps the keys for ever. `app` spawns it on the service runtime, once the tables are there.
    pub async fn keep(self) {
        let Some(shared) = self.shared else { return };
        let mut failed = false;
        loop {
            let kept = shared.refresh(shared.clock.now()).await;
            match &kept {
                Err(error) if !failed => {
                    let signs = shared.ring.load().document().is_some();
                    warn!(
                        error = error as &dyn std::error::Error,
                        signs, "the keys of identity assertions could not be brought up to date: trying again"
                    );
                }
                Ok(()) if failed => info!("the keys of identity assertions are up to date again"),
                _ => {}
            }
            failed = kept.is_err();
            tokio::time::sleep(if failed { RETRY } else { REFRESH }).await;
        }
    }
}

impl Shared {
    /// Reads the keys, and does what is due.
    pub(super) async fn refresh(&self, now: UnixMillis) -> Result<(), NotKept> {
        let mut tx = self.db.read().await?;
        let review = self.review(&mut tx).await?;
        drop(tx);
        if review.settled(now) {
            self.publish(review, now);
            return Ok(());
        }
        let mut tx = self.db.write().await?;
        // Another node may have been first.
        let mut review = self.review(&mut tx).await?;
        self.write(&mut tx, &mut review, now).await?;
        tx.commit().await?;
        self.publish(review, now);
        Ok(())
    }

    async fn review(&self, tx: &mut Tx) -> Result<Review, StoreError> {
        Ok(Review::of(ledger::keys(tx).await?, &self.ring.load(), &self.vault))
    }

    async fn write(&self, tx: &mut Tx, review: &mut Review, now: UnixMillis) -> Result<(), NotKept> {
        if let Some(signs_from) = review.due(now) {
            let key = SigningKey::make()?;
            ledger::insert(tx, &StoredKey::new(key.kid(), self.sealed(&key)?, signs_from)).await?;
            info!(kid = key.kid(), signs_from_ms = signs_from.0, "a key for identity assertions was made");
            review.held.push(Held { key: Arc::new(key), signs_from });
        }
        for key in review.stale.drain(..) {
            ledger::reseal(tx, key.kid(), &self.sealed(&key)?).await?;
        }
        for kid in review.over(now) {
            ledger::delete(tx, &kid).await?;
        }
        Ok(())
    }

    fn sealed(&self, key: &SigningKey) -> Result<Vec<u8>, NotKept> {
        Ok(self.vault.seal(key.kid(), &key.pkcs8()?, self.entropy.bytes()?)?)
    }

    /// Only what is committed is ever signed with.
    fn publish(&self, mut review: Review, now: UnixMillis) {
        let over = review.over(now);
        review.held.retain(|held| !over.contains(held.key.kid()));
        let unreadable = review.unreadable.len();
        if self.unreadable.swap(unreadable, Ordering::Relaxed) != unreadable && unreadable > 0 {
            warn!(
                keys = unreadable,
                "keys of identity assertions do not open under secrets.current or secrets.previous: they are not used"
            );
        }
        self.ring.store(Arc::new(Keyring::new(review.held)));
    }
}

/// Between two looks: far less than a key is known before it signs.
const REFRESH: Duration = Duration::from_secs(15);
const RETRY: Duration = Duration::from_secs(2);
