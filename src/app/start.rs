//! What happens beside the first requests: migrations until they succeed, the setup link, then the outbox.

use std::{future::Future, time::Duration};

use tracing::{error, info, warn};

use crate::{config::portal::Portal, identity::Identity, world::Clock};

/// Brings the accounts database up to date, however long it is down; prints the setup link; then does `work`.
pub(super) async fn migrate_then(identity: Identity, portal: Portal, work: impl Future<Output = ()>) {
    let mut pause = FIRST_PAUSE;
    let mut failed = false;
    while let Err(error) = identity.migrate().await {
        failed = true;
        warn!(
            error = &error as &dyn std::error::Error,
            retry_s = pause.as_secs_f32(),
            "the accounts database is not ready: nobody can sign in until it is"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    if failed {
        info!("the accounts database is ready");
    }
    tokio::join!(print_setup_link(&identity, &portal), work);
}

async fn print_setup_link(identity: &Identity, portal: &Portal) {
    loop {
        match identity.setup_token(Clock::System.now()).await {
            Ok(Some(token)) => return super::welcome::print_setup_link(portal, &token),
            Ok(None) => return,
            Err(error) => {
                error!(error = &error as &dyn std::error::Error, "the setup link could not be made: trying again");
                tokio::time::sleep(LONGEST_PAUSE).await;
            }
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
