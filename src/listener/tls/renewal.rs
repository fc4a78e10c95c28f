//! Renewed certificates are taken up while running; a broken or half-written file keeps the last good pair.
//!
//! The files' contents are compared, not their times: symbolic links that are swapped under them (Kubernetes, certbot) and
//! mounted volumes tell no reliable time. A change counts once two looks found the same, so that a file still being
//! written is left alone.

use std::{sync::Arc, time::Duration};

use rustls::crypto::CryptoProvider;
use tracing::{info, warn};

use super::{
    names::{ByName, Served},
    pair::{Contents, Pair, Print},
};
use crate::config::listen::Certificate;

/// The certificates' files, and what was made of them.
#[derive(Debug)]
pub(in crate::listener) struct Renewal {
    followed: Vec<Followed>,
    provider: Arc<CryptoProvider>,
    served: Arc<Served>,
}

#[derive(Debug)]
struct Followed {
    files: Certificate,
    pair: Pair,
    /// Of the contents last made something of, good or bad.
    judged: Option<Print>,
    /// Of the last look, if it differed from those. The outer `None`: it did not.
    changed: Option<Option<Print>>,
}

impl Renewal {
    /// Reads every pair, and serves them.
    ///
    /// # Errors
    /// A sentence that names the key and the file.
    pub(super) fn first(
        files: &[Certificate],
        provider: &Arc<CryptoProvider>,
        served: Arc<Served>,
    ) -> Result<Self, String> {
        let read = |(index, files): (usize, &Certificate)| {
            let contents = Contents::read(index, files)?;
            let pair = contents.pair(index, files, provider)?;
            Ok(Followed { files: files.clone(), pair, judged: Some(contents.print()), changed: None })
        };
        let followed: Vec<_> = files.iter().enumerate().map(read).collect::<Result<_, String>>()?;
        let renewal = Self { followed, provider: Arc::clone(provider), served };
        renewal.publish().ok_or("`listen.https` needs at least one of `listen.certificates`")?;
        Ok(renewal)
    }

    /// Looks at the files until the guard is dropped, on a thread of its own: a mounted volume may take its time.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn follow(mut self) -> std::io::Result<Following> {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        std::thread::Builder::new().name("certificates".into()).stack_size(STACK).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                self.look();
            }
        })?;
        Ok(Following { _stop: stop })
    }

    /// One look at every file.
    pub(super) fn look(&mut self) {
        let mut renewed = false;
        for (index, followed) in self.followed.iter_mut().enumerate() {
            renewed |= followed.look(index, &self.provider);
        }
        if renewed {
            self.publish();
        }
    }

    fn publish(&self) -> Option<()> {
        self.served.replace(ByName::of(self.followed.iter().map(|followed| &followed.pair))?);
        Some(())
    }
}

impl Followed {
    /// Whether there is another pair now.
    fn look(&mut self, index: usize, provider: &CryptoProvider) -> bool {
        let contents = Contents::read(index, &self.files);
        let print = contents.as_ref().ok().map(Contents::print);
        if print == self.judged {
            self.changed = None;
            return false;
        }
        if self.changed.replace(print) != Some(print) {
            return false;
        }
        (self.judged, self.changed) = (print, None);
        match contents.and_then(|contents| contents.pair(index, &self.files, provider)) {
            Ok(pair) => {
                info!(cert = %self.files.cert.display(), names = ?pair.names, expires = pair.expires, "a renewed certificate is served");
                self.pair = pair;
                true
            }
            Err(why) => {
                warn!(cert = %self.files.cert.display(), expires = self.pair.expires, "the last good certificate stays: {why}");
                false
            }
        }
    }
}

/// Ends the looking when dropped.
#[derive(Debug)]
pub(in crate::listener) struct Following {
    _stop: std::sync::mpsc::Sender<()>,
}

const EVERY: Duration = Duration::from_secs(2);
const STACK: usize = 256 << 10;
