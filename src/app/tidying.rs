//! Gives memory back that nothing needs any more.
//!
//! The allocator (mimalloc) keeps what was freed for a second, in case it is wanted again, and looks then whether to give it
//! back, but only when a large block passes through. After a burst nothing does: the program would keep its peak for as long
//! as it rests. So one passes through now and then. Nobody touches it, so it costs a few microseconds.

use std::{hint::black_box, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

/// For ever.
pub(super) async fn tidy() {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        drop(black_box(Vec::<u8>::with_capacity(LARGE)));
    }
}

const EVERY: Duration = Duration::from_secs(3);
/// Bytes: beyond what pages for many blocks hold.
const LARGE: usize = 32 << 20;
