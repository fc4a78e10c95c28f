//! Metrics: what `/metrics` on the operations listener shows, in OpenMetrics text.
//!
//! A room owns its handles and counts on them; `app` puts them into one [`Registry`] at the start. Counting is a relaxed
//! atomic add on a handle resolved beforehand: no label is looked up, nothing is locked, nothing allocated. What every
//! request counts is kept per data thread and summed when somebody asks. Label values come from the configuration or
//! from enums, never from a request: their number is bounded, and nothing secret is among them.

mod counter;
mod gauge;
mod histogram;
mod requests;
mod rooms;
mod shards;
mod tally;
mod upstreams;

use prometheus_client::{encoding::text, registry};

pub use self::{
    counter::Counter,
    gauge::{Gauge, Held},
    histogram::Histogram,
    requests::{Board, Outcome, Place, Requests},
    rooms::{Accounts, CodeResult, Forwarding, Lookups, SignInResult, Way},
    tally::{Kind, Tally},
    upstreams::{PoolState, Upstreams},
};

/// Everything that is counted, under its name.
#[derive(Debug)]
pub struct Registry(registry::Registry);

impl Default for Registry {
    fn default() -> Self {
        Self(registry::Registry::with_prefix("vestibule"))
    }
}

impl Registry {
    /// Requests and how long they took, per site and outcome.
    #[must_use]
    pub fn requests(mut self, requests: &Requests) -> Self {
        self.0.register("requests", "Requests by site, outcome and class of status", requests.counts());
        let help = "Seconds until the head of the answer was ready, by site and outcome";
        self.0.register("request_duration_seconds", help, requests.times());
        self
    }

    /// Connections towards the sites behind.
    #[must_use]
    pub fn upstreams(mut self, upstreams: &Upstreams) -> Self {
        let (open, connects, failures) = upstreams.views();
        self.0.register("upstream_connections", "Open connections to an upstream, idle or in use", open);
        self.0.register("upstream_connects", "Connections made to an upstream", connects);
        self.0.register("upstream_connect_failures", "Connections to an upstream that could not be made", failures);
        self
    }

    /// Sign-ins and codes.
    #[must_use]
    pub fn accounts(mut self, accounts: &Accounts) -> Self {
        let Accounts { sign_ins, codes, codes_sent } = accounts.clone();
        self.0.register("sign_ins", "Passwords judged, by result", sign_ins);
        self.0.register("second_factors", "Codes judged, by result", codes);
        self.0.register("codes_sent", "Codes sent, by channel", codes_sent);
        self
    }

    /// Session lookups.
    #[must_use]
    pub fn lookups(mut self, lookups: &Lookups) -> Self {
        let Lookups { hits, misses, store } = lookups.clone();
        self.0.register("session_cache_hits", "Sessions found in the memory of this process", hits);
        self.0.register("session_cache_misses", "Sessions asked of the session store", misses);
        self.0.register("session_store_seconds", "Seconds the session store took to answer a lookup", store);
        self
    }

    /// What is open towards clients.
    #[must_use]
    pub fn open(mut self, connections: &Gauge, tunnels: &Gauge) -> Self {
        self.0.register("connections", "Open connections of clients", connections.clone());
        self.0.register("tunnels", "Open WebSockets and other upgraded connections", tunnels.clone());
        self
    }

    /// Everything as OpenMetrics text, to be sent as [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// Never, as far as a `String` takes text.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut all = String::new();
        text::encode(&mut all, &self.0)?;
        Ok(all)
    }
}

/// OpenMetrics 1.0 §4.1.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_counted_is_shown_under_its_name() {
        let requests = Requests::new(vec!["wiki.example.com".into()]);
        let boards = [requests.thread(), requests.thread()];
        let wiki = Place::Site(0);
        boards[0].answered(wiki, Outcome::Forwarded, Some(200), Duration::from_millis(3));
        boards[1].answered(wiki, Outcome::Forwarded, Some(204), Duration::from_secs(60));
        boards[1].answered(Place::Nowhere, Outcome::Refused, Some(400), Duration::ZERO);
        boards[1].answered(Place::Site(7), Outcome::Forwarded, Some(200), Duration::ZERO);
        let (accounts, lookups, open) = (Accounts::default(), Lookups::default(), Gauge::default());
        accounts.sign_ins.count(SignInResult::Throttled);
        lookups.store.observe(Duration::from_millis(2));
        let held = open.hold();
        let registry = Registry::default().requests(&requests).accounts(&accounts).lookups(&lookups);
        let text = registry.open(&open, &Gauge::default()).text().unwrap();
        for line in [
            r#"vestibule_requests_total{site="wiki.example.com",outcome="forwarded",status="2xx"} 2"#,
            r#"vestibule_requests_total{site="-",outcome="refused",status="4xx"} 1"#,
            r#"vestibule_request_duration_seconds_bucket{le="0.005",site="wiki.example.com",outcome="forwarded"} 1"#,
            r#"vestibule_request_duration_seconds_bucket{le="+Inf",site="wiki.example.com",outcome="forwarded"} 2"#,
            r#"vestibule_request_duration_seconds_sum{site="wiki.example.com",outcome="forwarded"} 60.003"#,
            r#"vestibule_sign_ins_total{result="throttled"} 1"#,
            r#"vestibule_sign_ins_total{result="done"} 0"#,
            "vestibule_session_store_seconds_count 1",
            "vestibule_connections 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in\n{text}");
        }
        drop(held);
        assert_eq!(open.get(), 0);
    }
}
