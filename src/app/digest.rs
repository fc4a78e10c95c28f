//! Failures reach the operator: at most one mail an hour tells of what was counted since the last.
//!
//! When the last one left is kept in a file, so that a program that fails and is started again, over and over, mails no more
//! often. A digest that does not leave is said in the log and counted nowhere: it begets no other.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use templates::mail::{Digest as Words, Failed};

use crate::{
    config::{mail::Mail, portal::Portal},
    mail::{Letter, Post},
    telemetry::failures::{Failures, Tally},
    world::{Clock, UnixMillis},
};

/// Who is told, and since when they know.
#[derive(Debug)]
pub(super) struct Digest {
    to: Vec<lettre::Address>,
    site_name: String,
    site: String,
    failures: Failures,
    last: Option<UnixMillis>,
    file: PathBuf,
}

impl Digest {
    /// `None` when `mail.operator` names nobody.
    pub(super) fn new(mail: &Mail, portal: &Portal, data_dir: &Path, failures: Failures) -> Option<Self> {
        if mail.operator.is_empty() {
            return None;
        }
        let file = data_dir.join("last-digest");
        let last = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).map(UnixMillis);
        Some(Self {
            to: mail.operator.clone(),
            site_name: portal.name.clone(),
            site: portal.url.origin(),
            failures,
            last,
            file,
        })
    }

    /// Looks every few seconds, for ever.
    pub(super) async fn keep(mut self, post: Post, clock: Clock) {
        loop {
            tokio::time::sleep(LOOK).await;
            let letters = self.due(clock.now());
            if letters.is_empty() {
                continue;
            }
            let (file, now) = (self.file.clone(), clock.now());
            let kept = tokio::task::spawn_blocking(move || std::fs::write(file, now.0.to_string())).await;
            if !matches!(kept, Ok(Ok(()))) {
                tracing::warn!("when the operator was mailed last is not kept: after a restart it may be sooner again");
            }
            for letter in letters {
                if post.send_report(letter).is_err() {
                    tracing::warn!("the mail queue is full: the operator is not told of failures");
                }
            }
        }
    }

    /// What to mail now: nothing within an hour after the last, or when nothing failed.
    fn due(&mut self, now: UnixMillis) -> Vec<Letter> {
        // A clock that was set back is no reason to be silent for long.
        if self.last.is_some_and(|last| last <= now && now.since(last) < EVERY) {
            return Vec::new();
        }
        let tally = self.failures.take();
        if tally.is_empty() {
            return Vec::new();
        }
        self.last = Some(now);
        let body = self.body(&tally);
        let letter = |to: &lettre::Address| Letter {
            to: to.clone(),
            subject: body.subject.clone(),
            text: body.text.clone(),
            html: body.html.clone(),
            patience: PATIENCE,
        };
        self.to.iter().map(letter).collect()
    }

    fn body(&self, tally: &Tally) -> templates::MailBody {
        let failed =
            |kind: &crate::telemetry::failures::Failure| (kind.words.clone(), kind.times, kind.first.0, kind.last.0);
        let kinds: Vec<_> = tally.kinds.iter().map(failed).collect();
        let kinds: Vec<_> = kinds
            .iter()
            .map(|(words, times, first, last)| Failed { words, times: *times, first: *first, last: *last })
            .collect();
        Words { site_name: &self.site_name, site: &self.site, failed: &kinds, others: tally.others }.body()
    }
}

const LOOK: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_hours(1);

/// How long a digest is worth sending: the next one comes in an hour.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn digest(folder: &std::path::Path, operator: &[&str]) -> (Failures, Option<Digest>) {
        let failures = Failures::new(Clock::manual(UnixMillis(0)));
        let operator = operator.iter().map(|to| to.parse().unwrap()).collect();
        let mail = Mail { operator, ..Mail::default() };
        (failures.clone(), Digest::new(&mail, &Portal::default(), folder, failures))
    }

    fn fail(failures: &Failures) {
        let subscriber = tracing_subscriber::registry().with(failures.clone());
        tracing::subscriber::with_default(subscriber, || tracing::error!(secret = "hunter2", "it broke"));
    }

    #[test]
    fn at_most_one_digest_an_hour_tells_of_everything_since_the_last() {
        let folder = tempfile::tempdir().unwrap();
        let (failures, digest) = digest(folder.path(), &["ops@example.org", "boss@example.org"]);
        let mut digest = digest.unwrap();
        let at = |minutes: u64| UnixMillis(1_700_000_000_000).plus(Duration::from_mins(minutes));
        assert!(digest.due(at(0)).is_empty(), "nothing failed");
        fail(&failures);
        let letters = digest.due(at(1));
        assert_eq!(
            letters.iter().map(|letter| letter.to.to_string()).collect::<Vec<_>>(),
            ["ops@example.org", "boss@example.org"]
        );
        assert!(letters[0].text.contains("Once: it broke"), "{}", letters[0].text);
        assert!(!letters[0].text.contains("hunter2"));
        for minutes in [2, 30, 60] {
            fail(&failures);
            assert!(digest.due(at(minutes)).is_empty(), "{minutes}");
        }
        let letters = digest.due(at(61));
        assert!(letters[0].text.contains("3 times: it broke"), "{}", letters[0].text);
        assert!(digest.due(at(200)).is_empty(), "nothing failed since");
        fail(&failures);
        assert_eq!(digest.due(at(20)).len(), 2, "the clock was set back");
    }

    #[test]
    fn nobody_named_is_nobody_told() {
        let folder = tempfile::tempdir().unwrap();
        assert!(digest(folder.path(), &[]).1.is_none());
    }

    #[test]
    fn a_restart_does_not_make_the_hour_begin_anew() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("last-digest"), "1700000000000").unwrap();
        let (failures, digest) = digest(folder.path(), &["ops@example.org"]);
        let mut digest = digest.unwrap();
        fail(&failures);
        assert!(digest.due(UnixMillis(1_700_000_000_001)).is_empty());
        assert_eq!(digest.due(UnixMillis(1_700_003_600_000)).len(), 1);
    }
}
