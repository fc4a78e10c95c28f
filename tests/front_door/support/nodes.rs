//! Two nodes of one portal: one Redis, one PostgreSQL, one site behind.

use super::{
    client::Browser,
    people::PASSWORD,
    program::{Program, Setup},
    services::{self, Redis},
    upstream::Upstream,
};

/// What people type for either node: `Host` names it, whichever socket is asked.
pub const AUTHORITY: &str = "localhost:1234";

/// The nodes, and what they stand on.
pub struct Nodes {
    pub one: Program,
    pub two: Program,
    _upstream: Upstream,
    _redis: Redis,
}

impl Nodes {
    /// With the settings that `more` adds; Ada has an account.
    pub async fn start(more: impl Fn(&mut Setup)) -> Self {
        let (redis, upstream) = (Redis::start().await, Upstream::start().await);
        let database = services::postgres_database().await;
        let node = async || {
            let mut setup = Setup::before(&upstream.url());
            setup.session += &format!("store = \"{}\"\n", redis.url());
            more(&mut setup);
            let program = shared(setup, &database).start().await;
            program.ready().await;
            program
        };
        let (one, two) = (node().await, node().await);
        one.add_person("ada", PASSWORD, false);
        Self { one, two, _upstream: upstream, _redis: redis }
    }
}

/// Of nodes that share a portal, these accounts and the secrets.
pub fn shared(mut setup: Setup, database: &str) -> Setup {
    setup.url = format!("http://{AUTHORITY}");
    setup.accounts += &format!("database = \"{database}\"\n");
    setup.extra += "[secrets]\ncurrent = \"0123456789abcdef0123456789abcdef0123456789abcdef\"\n";
    setup
}

/// A browser before one of them.
pub fn browser_at(node: &Program) -> Browser {
    let mut browser = Browser::new(node);
    browser.authority = AUTHORITY.into();
    browser
}
