//! What single rooms count, with the names of the kinds they tell apart.

use super::{
    counter::Counter,
    gauge::Gauge,
    histogram::Histogram,
    tally::{Kind, Tally},
    upstreams::PoolState,
};

/// The identity room's.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// First steps.
    pub sign_ins: Tally<SignInResult>,
    /// Second steps.
    pub codes: Tally<CodeResult>,
    /// Codes on their way.
    pub codes_sent: Tally<Way>,
}

/// The session room's.
#[derive(Clone, Debug, Default)]
pub struct Lookups {
    /// In the near cache.
    pub hits: Counter,
    /// Asked of the store.
    pub misses: Counter,
    /// How long the store took.
    pub store: Histogram,
}

/// One data thread's proxy's.
#[derive(Clone, Debug, Default)]
pub struct Forwarding {
    /// Of each site's pool, in configuration order.
    pub pools: Vec<PoolState>,
    /// Of all threads.
    pub tunnels: Gauge,
}

/// How the first step of a sign-in ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInResult {
    /// Signed in.
    Done,
    /// The password was right; a second factor is owed.
    SecondFactor,
    /// Wrong, unknown or disabled; a right password of an address not confirmed yet counts here as well.
    Refused,
    /// Too many tries.
    Throttled,
    /// No place to hash.
    Busy,
    /// The database failed.
    Failed,
}

/// How a typed code was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeResult {
    /// Right.
    Approved,
    /// Wrong.
    Wrong,
    /// Too many tries.
    Throttled,
    /// No code waits any more.
    Gone,
    /// Nobody judged it.
    Failed,
}

/// By which way a code went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A text message.
    Sms,
    /// A voice call.
    Call,
    /// A WhatsApp message.
    Whatsapp,
    /// A mail.
    Email,
}

impl Kind for SignInResult {
    const LABEL: &'static str = "result";
    const NAMES: &'static [&'static str] = &["done", "second-factor", "refused", "throttled", "busy", "failed"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Kind for CodeResult {
    const LABEL: &'static str = "result";
    const NAMES: &'static [&'static str] = &["approved", "wrong", "throttled", "gone", "failed"];

    fn place(self) -> usize {
        self as usize
    }
}

impl Kind for Way {
    const LABEL: &'static str = "channel";
    const NAMES: &'static [&'static str] = &["sms", "call", "whatsapp", "email"];

    fn place(self) -> usize {
        self as usize
    }
}
