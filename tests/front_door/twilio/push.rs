//! Entities with push factors and their challenges, and the app on the other side.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    ACCOUNT_SID, MOST_PUSHES, SERVICE_SID,
    service::{Answer, DATE, error, gone},
};

/// Of a challenge, unless it asks for less.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(300);

struct Token {
    text: String,
    identity: String,
    expires: Duration,
}

struct Device {
    sid: String,
    identity: String,
    name: String,
    status: &'static str,
}

struct Challenge {
    sid: String,
    identity: String,
    factor: String,
    status: &'static str,
    made: Duration,
}

/// What the service knows of pushes.
#[derive(Default)]
pub struct Pushes {
    count: u32,
    tokens: Vec<Token>,
    devices: Vec<Device>,
    challenges: Vec<Challenge>,
}

impl Pushes {
    /// `rest`: the path below the service.
    pub fn serve(&mut self, method: &str, rest: &str, form: &[(String, String)], now: Duration) -> Option<Answer> {
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let parts: Vec<&str> = rest.split('/').collect();
        Some(match (method, parts.as_slice()) {
            ("POST", ["AccessTokens"]) => self.token(field("Identity").unwrap(), field("Ttl"), now),
            ("GET", ["Entities", identity, "Factors"]) => self.list(identity),
            ("DELETE", ["Entities", identity, "Factors", sid]) => self.forget(identity, sid),
            ("POST", ["Entities", identity, "Challenges"]) => self.ask(identity, field("FactorSid").unwrap(), now),
            ("GET", ["Entities", identity, "Challenges", sid]) => {
                let own = |one: &&Challenge| one.sid == *sid && one.identity == *identity;
                self.challenges.iter().find(own).map_or_else(gone, |one| Answer::Json(200, describe(one, now)))
            }
            _ => return None,
        })
    }

    fn next(&mut self, prefix: &str) -> String {
        self.count += 1;
        format!("{prefix}{:032x}", self.count)
    }

    fn token(&mut self, identity: &str, ttl: Option<&str>, now: Duration) -> Answer {
        let life = ttl.map_or(60, |ttl| ttl.parse().unwrap());
        let (sid, text) = (self.next("YK"), format!("eyJ6aXAiOiJERUYifQ.{}", self.count));
        let expires = now + Duration::from_secs(life);
        self.tokens.push(Token { text: text.clone(), identity: identity.to_owned(), expires });
        Answer::Json(
            201,
            json!({
                "sid": sid, "account_sid": ACCOUNT_SID, "service_sid": SERVICE_SID, "entity_identity": identity,
                "factor_type": "push", "factor_friendly_name": null, "token": text, "ttl": life, "date_created": DATE,
            }),
        )
    }

    fn list(&self, identity: &str) -> Answer {
        let own: Vec<_> = self.devices.iter().filter(|one| one.identity == identity).map(factor).collect();
        // An entity begins with its first factor.
        if own.is_empty() { gone() } else { Answer::Json(200, json!({ "factors": own, "meta": { "key": "factors" } })) }
    }

    fn forget(&mut self, identity: &str, sid: &str) -> Answer {
        let before = self.devices.len();
        self.devices.retain(|one| one.identity != identity || one.sid != sid);
        if self.devices.len() < before { Answer::Text(204, String::new()) } else { gone() }
    }

    fn ask(&mut self, identity: &str, factor: &str, now: Duration) -> Answer {
        let own = |one: &Device| one.identity == identity && one.sid == factor && one.status == "verified";
        if !self.devices.iter().any(own) {
            return gone();
        }
        let lately = |one: &&Challenge| one.factor == factor && now < one.made + Duration::from_secs(3600);
        if self.challenges.iter().filter(lately).count() >= MOST_PUSHES {
            return error(429, 60312, "Max challenges reached for factor");
        }
        let sid = self.next("YC");
        let (identity, factor) = (identity.to_owned(), factor.to_owned());
        self.challenges.push(Challenge { sid, identity, factor, status: "pending", made: now });
        Answer::Json(201, describe(self.challenges.last().unwrap(), now))
    }

    /// The app takes a token and finishes (or only begins) to enrol.
    pub fn enrol(&mut self, token: &str, name: &str, finished: bool, now: Duration) -> String {
        let known = self.tokens.iter().find(|known| known.text == token).expect("a token of this service");
        assert!(now < known.expires, "the token has run out");
        let identity = known.identity.clone();
        let sid = self.next("YF");
        let status = if finished { "verified" } else { "unverified" };
        self.devices.push(Device { sid: sid.clone(), identity, name: name.to_owned(), status });
        sid
    }

    /// The app finishes.
    pub fn finish(&mut self, sid: &str) {
        self.devices.iter_mut().find(|one| one.sid == sid).unwrap().status = "verified";
    }

    /// The owner answers on the telephone.
    pub fn answer(&mut self, sid: &str, status: &'static str, now: Duration) {
        let one = self.challenges.iter_mut().find(|one| one.sid == sid).expect("a challenge of this service");
        assert_eq!(state(one, now), "pending", "answered once, in time");
        one.status = status;
    }

    pub fn challenges(&self) -> Vec<String> {
        self.challenges.iter().map(|one| one.sid.clone()).collect()
    }

    pub fn devices(&self) -> usize {
        self.devices.len()
    }
}

fn state(one: &Challenge, now: Duration) -> &'static str {
    if one.status == "pending" && now >= one.made + ANSWERED_WITHIN { "expired" } else { one.status }
}

fn describe(one: &Challenge, now: Duration) -> Value {
    challenge(&one.sid, &one.identity, &one.factor, state(one, now))
}

/// A challenge as Twilio describes it.
pub fn challenge(sid: &str, identity: &str, factor: &str, status: &str) -> Value {
    json!({
        "sid": sid, "account_sid": ACCOUNT_SID, "service_sid": SERVICE_SID, "entity_sid": format!("YE{:032x}", 1),
        "identity": identity, "factor_sid": factor, "status": status, "responded_reason": null, "factor_type": "push",
        "date_created": DATE, "date_updated": DATE, "date_responded": null, "details": {}, "hidden_details": null,
    })
}

fn factor(one: &Device) -> Value {
    json!({
        "sid": one.sid, "account_sid": ACCOUNT_SID, "service_sid": SERVICE_SID, "entity_sid": format!("YE{:032x}", 1),
        "identity": one.identity, "friendly_name": one.name, "status": one.status, "factor_type": "push",
        "date_created": DATE, "date_updated": DATE, "config": {}, "metadata": null,
    })
}
