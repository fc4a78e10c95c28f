//! A data thread's connections, for the moment when there is no room for another.
//!
//! Whoever opens as many connections as there may be, and is silent on them, would shut everybody else out for as long as
//! `limits.idle_timeout`. An ordinary connection costs one entry here: who is idle is asked only when it matters.

use std::{sync::Weak, time::Duration};

use tokio::{task::AbortHandle, time::Instant};

use super::watch::Progress;

/// Open connections, and some that ended a while ago.
#[derive(Default)]
pub(super) struct Crowd {
    members: Vec<Member>,
    /// Those that ended are cleared away when there are so many.
    enough: usize,
}

struct Member {
    progress: Weak<Progress>,
    task: AbortHandle,
}

impl Crowd {
    pub fn add(&mut self, progress: Weak<Progress>, task: AbortHandle) {
        if self.members.len() >= self.enough {
            self.forget_ended();
        }
        self.members.push(Member { progress, task });
    }

    /// Closes some of the connections on which nothing is served, those first that are so for longest: one in
    /// [`SHARE`] at once, since looking costs more than closing.
    pub fn close_idlest(&mut self, now: Instant) {
        self.forget_ended();
        let since = |member: &Member| member.progress.upgrade()?.idle_since();
        let idle = self.members.iter().filter_map(|member| Some((since(member)?, &member.task)));
        // Between two requests is not idle, nor is who has just come.
        let mut idle: Vec<_> = idle.filter(|(since, _)| now.duration_since(*since) >= A_WHILE).collect();
        idle.sort_unstable_by_key(|(since, _)| *since);
        for (_, task) in idle.iter().take((self.members.len() / SHARE).max(1)) {
            task.abort();
        }
    }

    fn forget_ended(&mut self) {
        self.members.retain(|member| member.progress.strong_count() > 0);
        self.enough = 2 * self.members.len() + FEW;
    }
}

const SHARE: usize = 64;
const FEW: usize = 64;
const A_WHILE: Duration = Duration::from_secs(1);
