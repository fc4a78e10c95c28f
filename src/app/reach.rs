//! Reaches once for everything the gateway will stand on: `vestibule check`.
//!
//! Nothing is changed: no folder, no database and no table is made by looking.

use std::{future::Future, path::Path, time::Duration};

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use tokio::{runtime::Handle, time::timeout};

use super::{
    ServeError,
    rooms::{causes, open_store},
};
use crate::{
    config::{self, Config, accounts::Database, mail::Transport},
    listener::Listener,
    mail::Post,
    proxy::{self, Upstreams},
    session::{Keys, Sessions},
    world::{Clock, Entropy},
};

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The key that names it: `session.store`.
    pub key: String,
    /// What was found, or what stands in the way.
    pub result: Result<String, String>,
}

/// Looks at everything, all at once.
///
/// # Errors
/// When what only trying out can tell is wrong in the set-up itself: certificates, CA files, the data folder.
pub fn everything(config: &Config) -> Result<Vec<Reached>, ServeError> {
    super::authorities()?;
    certificates(config)?;
    let service = super::service_runtime()?;
    let reached = service.block_on(all(config));
    service.shutdown_background();
    reached
}

/// On ports the system chooses, so that a running server is not disturbed.
fn certificates(config: &Config) -> Result<(), ServeError> {
    let mut listen = config.listen.clone();
    for address in [&mut listen.http, &mut listen.https].into_iter().flatten() {
        *address = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    }
    Listener::bind(&listen, &config.limits).map(drop).map_err(ServeError::Setup)
}

async fn all(config: &Config) -> Result<Vec<Reached>, ServeError> {
    // The certificate authorities and the like are wrong before anything is reached.
    super::open_identity(config, Clock::System, Entropy::System)?;
    let upstreams = Upstreams::new(&config.sites, &config.limits, &Entropy::System).map_err(ServeError::Setup)?;
    let folder = Reached { key: "data_dir".into(), result: folder(&config.data_dir) };
    let (accounts, sessions, mail) = tokio::join!(accounts(config), sessions(config), mail(config));
    let mut reached = vec![folder];
    reached.extend([accounts, sessions?]);
    reached.extend(mail);
    for index in 0..config.sites.len() {
        let patience = config.limits.upstream_connect + PATIENCE;
        let key = format!("site.{index}.upstream");
        let found = timeout(patience, upstreams.reach(index)).await;
        let late = |_| vec![(key.clone(), Err(format!("no answer within {} s", patience.as_secs()).into()))];
        reached.extend(found.unwrap_or_else(late).into_iter().map(|(upstream, result): proxy::Reached| {
            let result = match result {
                Ok(()) => Ok(format!("{upstream} answers")),
                Err(why) => Err(format!("{upstream}: {}", causes(&*why))),
            };
            Reached { key: key.clone(), result }
        }));
    }
    Ok(reached)
}

fn folder(folder: &Path) -> Result<String, String> {
    if folder.exists() {
        return super::data::open(folder)
            .map(|()| format!("{} is writable", folder.display()))
            .map_err(|error| causes(&error));
    }
    Ok(format!("{} will be made", folder.display()))
}

async fn accounts(config: &Config) -> Reached {
    let result = match &config.accounts.database {
        Database::Sqlite(file) => sqlite(&config.data_dir.join(file)).await,
        Database::Postgres(url) => postgres(url).await,
    };
    Reached { key: "accounts.database".into(), result }
}

async fn sqlite(file: &Path) -> Result<String, String> {
    if !file.exists() {
        return Ok(format!("{} will be made", file.display()));
    }
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(PATIENCE);
    look(async {
        let mut link = options.connect().await?;
        // `ping` alone reads nothing of the file.
        sqlx::query("SELECT count(*) FROM sqlite_master").execute(&mut link).await?;
        link.close().await
    })
    .await
    .map(|()| format!("{} opens", file.display()))
}

async fn postgres(url: &str) -> Result<String, String> {
    let options: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| causes(&error))?;
    look(async {
        let mut link = options.connect().await?;
        link.ping().await?;
        link.close().await
    })
    .await
    .map(|()| "PostgreSQL answers".into())
}

async fn sessions(config: &Config) -> Result<Reached, ServeError> {
    let key = "session.store".to_owned();
    if matches!(config.session.store, config::session::Store::Embedded) {
        // A running server holds the file; opening it here would only be in its way.
        let file = config.data_dir.join("sessions.db");
        return Ok(Reached { key, result: Ok(format!("embedded, in {}", file.display())) });
    }
    let store = open_store(config).await?;
    // Nothing is signed here: any key will do.
    let any = SecretString::from("0".repeat(32));
    let sessions = Sessions::new(
        config.session.clone(),
        &config.portal.url,
        Keys::new(&any, &[]),
        store,
        Handle::current(),
        Clock::System,
        Entropy::System,
    );
    let result = look(async { sessions.ready().await }).await.map(|()| "Redis answers".into());
    Ok(Reached { key, result })
}

async fn mail(config: &Config) -> Option<Reached> {
    let Transport::Smtp(smtp) = &config.mail.transport else { return None };
    let found = bounded(PATIENCE, async { Post::reach(&config.mail).await.map_err(|error| causes(&*error)) }).await;
    Some(Reached {
        key: "mail.transport".into(),
        result: found.map(|()| format!("{}:{} answers", smtp.host, smtp.port)),
    })
}

async fn look<T, E: std::error::Error>(work: impl Future<Output = Result<T, E>>) -> Result<T, String> {
    bounded(PATIENCE, async { work.await.map_err(|error| causes(&error)) }).await
}

async fn bounded<T>(patience: Duration, work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(patience, work).await.unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs())))
}

const PATIENCE: Duration = Duration::from_secs(5);
