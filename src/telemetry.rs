//! Logs: one subscriber, and the list of what is never logged. Metrics: `metrics`.
//!
//! Never logged, at any level: passwords, codes, session ids and cookies, link tokens, phone numbers, e-mail
//! addresses, `Authorization`, query strings. People are named by account id, sessions by their public `sid`.
//! Libraries do not know that list (h2 prints whole field blocks at `debug`), so they are heard at `info` and above
//! only, whatever `RUST_LOG` says.

pub mod access;
pub mod failures;
pub mod metrics;
mod out;

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use self::failures::Failures;
use crate::config::log::Format;

/// Starts logging to standard error: `RUST_LOG` says how much, `info` by default. `failures` counts what goes
/// wrong, as far as it is logged. Starting twice does nothing.
pub fn start(format: Format, failures: Option<Failures>) {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let heard = filter_fn(may_be_heard);
    let lines = tracing_subscriber::fmt::layer().with_writer(out::line);
    let registry = tracing_subscriber::registry().with(level).with(failures);
    // An error says that there is a subscriber already, as in tests.
    let _ = match format {
        Format::Text => registry
            .with(lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).with_filter(heard))
            .try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true).with_filter(heard)).try_init(),
    };
}

fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    is_ours(metadata) || *metadata.level() <= Level::INFO
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == OURS || target.strip_prefix(OURS).is_some_and(|rest| rest.starts_with("::"))
}

const OURS: &str = env!("CARGO_CRATE_NAME");

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_are_not_heard_below_info_at_any_level() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer =
            tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_filter(filter_fn(may_be_heard));
        let subscriber = tracing_subscriber::registry().with(EnvFilter::new("trace")).with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "h2::codec", "a library's secret");
            tracing::debug!(target: "vestibule_lookalike", "a look-alike's secret");
            tracing::info!(target: "sqlx", "a library's fact");
            tracing::trace!("our own fact");
        });
        let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(!lines.contains("secret"), "{lines}");
        assert!(lines.contains("a library's fact") && lines.contains("our own fact"), "{lines}");
    }
}
