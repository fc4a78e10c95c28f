//! Puts the rooms together, lowest layer first.

use std::sync::Arc;

use secrecy::SecretString;
use templates::TryingOut;
use tokio::runtime::Handle;

use super::{ServeError, measures::Measures};
use crate::{
    assertion::{self, Assertions},
    config::{self, Config, mail::Transport, verify::Provider},
    identity::{self, Identity, Limits},
    inbound::Reader,
    mail::{Post, Spool},
    policy::Policy,
    portal::{self, Portal},
    proxy::Upstreams,
    session::{Keys, Sessions, Store},
    storage::Db,
    verify::Verifier,
    world::{Clock, Entropy, vault::Vault},
};

/// Every room that all data threads share.
#[derive(Clone, Debug)]
pub(super) struct Rooms {
    pub(super) identity: Identity,
    pub(super) sessions: Sessions,
    pub(super) assertions: Assertions,
    pub(super) policy: Arc<Policy>,
    pub(super) portal: Portal,
    pub(super) post: Post,
    pub(super) service: Handle,
    pub(super) measures: Measures,
    pub(super) clock: Clock,
    /// One for all threads: peers already warned about are counted together.
    pub(super) reader: Reader,
    /// Addresses and health of what stands behind; connections are the threads' own.
    pub(super) upstreams: Upstreams,
}

impl Rooms {
    /// Opens them on the service runtime. Stores need not answer yet.
    pub(super) async fn open(
        config: &Config,
        secret: &SecretString,
        service: Handle,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, ServeError> {
        let upstreams = Upstreams::new(&config.sites, &config.limits, &entropy).map_err(ServeError::Setup)?;
        let db = open_accounts(config)?;
        // First the sessions' store: its lock keeps a second process out of the folder.
        let store = open_store(config).await?;
        let limits = open_limits(config, &store).await?;
        let keeping = limits.clone().keep(clock.clone());
        let (identity, post) = identity_on(db.clone(), config, clock.clone(), entropy.clone(), Some((secret, limits)))?;
        let assertions = open_assertions(config, db, secret, clock.clone(), entropy.clone())?;
        let sessions = Sessions::new(
            config.session.clone(),
            &config.portal.url,
            Keys::new(secret, &config.secrets.previous),
            store,
            service.clone(),
            clock.clone(),
            entropy.clone(),
        );
        sessions.honour_tokens(identity.clone());
        service.spawn(keeping);
        let portal = Portal::new(
            portal_settings(config),
            identity.clone(),
            (sessions.clone(), assertions.clone()),
            clock.clone(),
        );
        let policy = Arc::new(Policy::new(&config.portal, &config.accounts.two_factor_groups, &config.sites));
        let measures = Measures::new(policy.sites());
        let reader = Reader::new(config.listen.trusted_proxies.clone(), &entropy)?;
        Ok(Self { identity, sessions, assertions, policy, portal, post, service, measures, clock, reader, upstreams })
    }
}

/// Accounts with what they need: for the server and for commands. On a (service) runtime.
///
/// # Errors
/// When the settings cannot work (a certificate file that is named and cannot be read).
pub fn open_identity(config: &Config, clock: Clock, entropy: Entropy) -> Result<(Identity, Post), ServeError> {
    identity_on(open_accounts(config)?, config, clock, entropy, None)
}

fn open_accounts(config: &Config) -> Result<Db, ServeError> {
    Db::new(&config.accounts.database, &config.data_dir).map_err(|error| setup("accounts.database", &error))
}

/// Commands ask nobody for a code, need no secret, and count no tries that others have to know of.
fn identity_on(
    db: Db,
    config: &Config,
    clock: Clock,
    entropy: Entropy,
    serving: Option<(&SecretString, Limits)>,
) -> Result<(Identity, Post), ServeError> {
    let (secret, limits) = serving.map_or_else(Default::default, |(secret, limits)| (Some(secret), limits));
    let vault = secret.map(|secret| Vault::new("vestibule factor secrets v1", secret, &config.secrets.previous));
    let vault = vault.transpose().map_err(|error| setup("secrets", &error))?;
    let spool = match secret {
        Some(secret) => Some(open_spool(config, secret, &clock, &entropy)?),
        None => None,
    };
    let post = Post::start(config.mail.clone(), spool).map_err(|error| setup("mail.transport", &error))?;
    let verifier =
        Verifier::new(config.verify.clone(), clock, entropy.clone()).map_err(|error| setup("verify", &error))?;
    let passkeys = match (&config.passkey.party, secret) {
        (Some(party), Some(secret)) => {
            let vault = Vault::new("vestibule passkey ceremonies v1", secret, &config.secrets.previous);
            let vault = vault.map_err(|error| setup("secrets", &error))?;
            let passkeys = identity::Passkeys::new(party, &config.portal.name, vault);
            Some(Arc::new(passkeys.map_err(|error| setup("passkey", &error))?))
        }
        _ => None,
    };
    let breached = config.password.breached.clone().map(identity::password::Breached::new).transpose();
    let settings = identity::Settings {
        accounts: config.accounts.clone(),
        password: config.password.clone(),
        portal: config.portal.clone(),
        vault: vault.map(Arc::new),
        breached: breached.map_err(|error| setup("password.breached", &error))?.map(Arc::new),
        passkeys,
        limits,
    };
    Ok((Identity::new(db, settings, post.clone(), verifier, entropy), post))
}

/// Each node's own: what it could not send yet.
fn open_spool(config: &Config, secret: &SecretString, clock: &Clock, entropy: &Entropy) -> Result<Spool, ServeError> {
    let vault = Vault::new("vestibule waiting mails v1", secret, &config.secrets.previous);
    let vault = vault.map_err(|error| setup("secrets", &error))?;
    let spool = Spool::open(config.data_dir.join("mail"), vault, clock.clone(), entropy.clone());
    spool.map_err(|error| setup("data_dir", &error))
}

/// On the accounts database, so that all nodes share the keys.
fn open_assertions(
    config: &Config,
    db: Db,
    secret: &SecretString,
    clock: Clock,
    entropy: Entropy,
) -> Result<Assertions, ServeError> {
    if config.identity.assertion.is_none() {
        return Ok(Assertions::off());
    }
    let settings = assertion::Settings {
        issuer: config.portal.url.origin(),
        audiences: config.sites.iter().map(|site| site.origin(&config.portal.url)).collect(),
        with_email: config.identity.email.is_some(),
    };
    let secrets = (secret, &*config.secrets.previous);
    Assertions::new(settings, db, secrets, clock, entropy).map_err(|error| setup("secrets", &error))
}

/// Where tries are counted: where sessions are.
async fn open_limits(config: &Config, store: &Store) -> Result<Limits, ServeError> {
    match store.link() {
        Some(link) => Ok(Limits::shared(link.clone())),
        None => Limits::embedded(&config.data_dir).await.map_err(|error| setup("data_dir", &error)),
    }
}

/// The session store that `session.store` names. On the service runtime.
pub(super) async fn open_store(config: &Config) -> Result<Store, ServeError> {
    match &config.session.store {
        config::session::Store::Embedded => Store::embedded(&config.data_dir).await,
        config::session::Store::Redis(redis) => Store::redis(redis),
    }
    .map_err(|error| setup("session.store", &error))
}

fn portal_settings(config: &Config) -> portal::Settings {
    let trying_out = match (&config.verify.provider, &config.mail.transport) {
        (Provider::Console, _) => Some(TryingOut::Codes),
        (_, Transport::Console) => Some(TryingOut::Mails),
        _ => None,
    };
    portal::Settings {
        portal: config.portal.clone(),
        sites: config.sites.clone(),
        fields: config.identity.clone(),
        form_limit: config.limits.form,
        form_timeout: config.limits.idle_timeout,
        remember: config.session.remember,
        two_factor_groups: config.accounts.two_factor_groups.clone(),
        trying_out,
    }
}

/// A sentence with its key and every cause.
pub(super) fn setup(key: &str, error: &dyn std::error::Error) -> ServeError {
    ServeError::Setup(format!("{key}: {}", causes(error)))
}

/// "this: because of that: because of …"
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
