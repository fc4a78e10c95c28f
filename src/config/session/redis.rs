//! Where Redis is: one server, a primary that Sentinels know, or a Cluster.
//!
//! `redis://[user][:password]@host[:port][/database]`, `redis+sentinel://…@host,host2/primary[/database]` and
//! `redis+cluster://…@host,host2`; `rediss…` for TLS. Several hosts are parted by commas. Credentials are for the servers
//! that hold sessions; Sentinels get theirs by `?sentinel_user=…&sentinel_password=…`. No message repeats the URL, which
//! may hold a password.

use std::fmt;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

/// What a `redis…` URL says.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Which server of those holds the sessions.
    pub shape: Shape,
    /// Who can be asked, at least one; the only server with [`Shape::One`].
    pub hosts: Vec<Host>,
    /// TLS to all of them.
    pub tls: bool,
    /// For the servers that hold sessions.
    pub login: Login,
    /// For Sentinels.
    pub sentinel_login: Login,
    /// `SELECT`
    pub database: i64,
}

/// How the server that holds the sessions is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There is one.
    One,
    /// Sentinels name the primary of this name.
    Sentinel(String),
    /// Any node names the primary of our slot.
    Cluster,
}

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name or address; an IPv6 address without brackets.
    pub name: String,
    /// TCP.
    pub port: u16,
}

/// `AUTH`
#[derive(Clone, Debug, Default)]
pub struct Login {
    /// Redis 6 ACL; `default` when absent.
    pub user: Option<String>,
    /// No `AUTH` without one.
    pub password: Option<SecretString>,
}

impl Redis {
    /// Reads the URL.
    ///
    /// # Errors
    /// A sentence for the operator that does not repeat the URL.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(FORMS)?;
        if rest.contains('#') {
            return Err(format!("{FORMS} ({ESCAPES})"));
        }
        let tls = scheme.starts_with("rediss");
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        // The last `@`: a password that forgot to write %40 still names the right host.
        let (login, hosts) =
            authority.rsplit_once('@').map_or((None, authority), |(login, hosts)| (Some(login), hosts));
        let default_port = if scheme.ends_with("+sentinel") { SENTINEL_PORT } else { PORT };
        let hosts = hosts.split(',').map(|host| Host::parse(host, default_port)).collect::<Result<Vec<_>, _>>()?;
        let (shape, database) = shape(scheme, path)?;
        if shape == Shape::One && hosts.len() > 1 {
            return Err(
                "`redis://` names one server: several are \"redis+sentinel://…\" or \"redis+cluster://…\"".into()
            );
        }
        let sentinel_login = sentinel_login(query, &shape)?;
        let login = login.map(Login::parse).transpose()?.unwrap_or_default();
        Ok(Self { shape, hosts, tls, login, sentinel_login, database })
    }
}

impl fmt::Display for Redis {
    /// For people: who is asked, without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match &self.shape {
            Shape::One => write!(f, "Redis at {hosts}"),
            Shape::Sentinel(primary) => write!(f, "Redis {primary}, by the Sentinels at {hosts}"),
            Shape::Cluster => write!(f, "Redis Cluster at {hosts}"),
        }
    }
}

impl Host {
    /// `name:port`, as users and `MOVED` write it.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, String> {
        let url =
            url::Url::parse(&format!("redis://{text}")).map_err(|error| format!("{FORMS} ({error}; {ESCAPES})"))?;
        let plain = url.username().is_empty() && url.path().is_empty() && url.fragment().is_none();
        let name = url.host_str().filter(|name| plain && !name.is_empty());
        let name = name.ok_or_else(|| format!("it names no host where one belongs: {FORMS}"))?;
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { name, port: url.port().unwrap_or(default_port) })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, String> {
        let (user, password) = text.split_once(':').map_or((text, None), |(user, password)| (user, Some(password)));
        let user = Some(decoded(user)?).filter(|user| !user.is_empty());
        let password =
            password.map(decoded).transpose()?.filter(|password| !password.is_empty()).map(SecretString::from);
        if user.is_some() && password.is_none() {
            return Err("it names a user without a password: write \"user:password@\" or \":password@\"".into());
        }
        Ok(Self { user, password })
    }
}

fn shape(scheme: &str, path: &str) -> Result<(Shape, i64), String> {
    match scheme {
        "redis" | "rediss" => Ok((Shape::One, database(path)?)),
        "redis+sentinel" | "rediss+sentinel" => {
            let (primary, number) = path.split_once('/').unwrap_or((path, ""));
            let primary = decoded(primary)?;
            if primary.is_empty() {
                return Err("it does not say which primary: \"redis+sentinel://host:26379/mymaster\"".into());
            }
            Ok((Shape::Sentinel(primary), database(number)?))
        }
        "redis+cluster" | "rediss+cluster" if path.is_empty() => Ok((Shape::Cluster, 0)),
        "redis+cluster" | "rediss+cluster" => Err("a cluster has no databases: nothing follows its hosts".into()),
        _ => Err(FORMS.into()),
    }
}

fn database(text: &str) -> Result<i64, String> {
    match text {
        "" => Ok(0),
        number => number
            .parse()
            .ok()
            .filter(|number| *number >= 0)
            .ok_or_else(|| format!("the database after `/` is a number ({ESCAPES})")),
    }
}

fn sentinel_login(query: &str, shape: &Shape) -> Result<Login, String> {
    let mut login = Login::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match (&*name, shape) {
            ("sentinel_user", Shape::Sentinel(_)) => login.user = Some(value.into_owned()),
            ("sentinel_password", Shape::Sentinel(_)) => login.password = Some(value.into_owned().into()),
            _ => return Err("after `?` only sentinel_user and sentinel_password can stand, for Sentinels".into()),
        }
    }
    Ok(login)
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| format!("it is no UTF-8 ({ESCAPES})"))?;
    Ok(text.into_owned())
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
pub(super) const FORMS: &str = "write \"embedded\", \"redis://127.0.0.1:6379\", \"redis+sentinel://host:26379/mymaster\" or \
     \"redis+cluster://host:6379,host2:6379\" (rediss… for TLS)";
const ESCAPES: &str = "characters like `@`, `/` and `#` in a password are written as %40, %2F and %23";

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn each_form_names_its_servers() {
        for (text, shown, tls, database) in [
            ("redis://cache", "Redis at cache:6379", false, 0),
            ("redis://:p%40w@cache:6380/3", "Redis at cache:6380", false, 3),
            ("rediss://u:p@[::1]:6380", "Redis at [::1]:6380", true, 0),
            ("redis+sentinel://:pw@a,b:26380/main/2", "Redis main, by the Sentinels at a:26379, b:26380", false, 2),
            ("rediss+cluster://a,b:7000", "Redis Cluster at a:6379, b:7000", true, 0),
        ] {
            let redis = Redis::parse(text).unwrap();
            assert_eq!((redis.to_string().as_str(), redis.tls, redis.database), (shown, tls, database), "{text}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_kept_apart() {
        let text = "redis+sentinel://ada:p%40%2Fw@a/main?sentinel_user=watch&sentinel_password=s%26p";
        let redis = Redis::parse(text).unwrap();
        let password = |login: &Login| login.password.as_ref().unwrap().expose_secret().to_owned();
        assert_eq!((redis.login.user.as_deref(), &*password(&redis.login)), (Some("ada"), "p@/w"));
        assert_eq!((redis.sentinel_login.user.as_deref(), &*password(&redis.sentinel_login)), (Some("watch"), "s&p"));
        assert!(!format!("{redis:?}").contains("p@/w"));
    }

    #[test]
    fn what_cannot_work_is_refused_without_repeating_it() {
        for text in [
            "redis://",
            "redis://hunter2@cache",
            "redis://a,b",
            "redis://a/x",
            "redis://a?protocol=resp3",
            "redis+sentinel://a",
            "redis+cluster://a/1",
            "redis+cluster://a,,b",
            "redis+unix://a",
            "redis://:hunter2#@a",
            "redis://u:hunter2/x@a",
            "rediss:/u:hunter2@h",
        ] {
            let refused = Redis::parse(text).expect_err(text);
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
