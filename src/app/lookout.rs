//! Says when a store is lost, and when it is back: once each, however many requests it fails meanwhile. A loss is an error of
//! the log, so that the operator is mailed; what each request runs into is a warning.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{error, info};

use crate::{identity::Identity, session::Sessions};

/// Looks every few seconds, for ever.
pub(super) async fn keep(identity: Identity, sessions: Sessions) {
    let (mut accounts, mut kept) = (Watched::default(), Watched::default());
    loop {
        sleep(LOOK).await;
        let (up, kept_up) = tokio::join!(timeout(PATIENCE, identity.ready()), timeout(PATIENCE, sessions.ready()));
        match accounts.seen(matches!(up, Ok(Ok(())))) {
            Some(Turn::Lost) => error!("the accounts database does not answer: nobody can sign in until it does"),
            Some(Turn::Back) => info!("the accounts database answers again"),
            None => {}
        }
        // Its room says why, at the first question that fails, and when it is back.
        if kept.seen(matches!(kept_up, Ok(Ok(())))) == Some(Turn::Lost) {
            error!("the session store stays away: nobody gets in until it answers");
        }
    }
}

/// One store, as it was seen lately.
#[derive(Debug, Default)]
struct Watched {
    /// Looks in a row at which it did not answer.
    missed: u32,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Lost,
    Back,
}

impl Watched {
    fn seen(&mut self, up: bool) -> Option<Turn> {
        let missed = self.missed;
        self.missed = if up { 0 } else { missed.saturating_add(1) };
        match self.missed {
            MISSED if missed < MISSED => Some(Turn::Lost),
            0 if missed >= MISSED => Some(Turn::Back),
            _ => None,
        }
    }
}

const LOOK: Duration = Duration::from_secs(2);
/// How long a store may take before it counts as away.
const PATIENCE: Duration = Duration::from_secs(4);
/// One miss is a hiccup.
const MISSED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_and_each_return_is_told_once_and_a_hiccup_never() {
        let mut store = Watched::default();
        let looks = [true, false, true, true, false, false, false, false, true, true, false, true, false, false];
        let told: Vec<_> = looks.into_iter().map(|up| store.seen(up)).collect();
        let turns: Vec<_> = told.iter().enumerate().filter_map(|(look, turn)| turn.map(|turn| (look, turn))).collect();
        assert_eq!(turns, [(5, Turn::Lost), (8, Turn::Back), (13, Turn::Lost)]);
    }
}
