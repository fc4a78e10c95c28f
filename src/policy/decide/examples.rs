//! Policies, requests and people for the tables of this room.

use std::time::Duration;

use super::*;
use crate::{
    config::{
        portal::{Portal, PortalUrl},
        site::{HostPattern, PathPattern, Rule, Site as Settings},
    },
    identity::{self, Shown, account::AccountId},
    inbound::{Connection, Reader},
    policy::Policy,
    session::{Live, Sid},
    world::Entropy,
};

pub(in crate::policy) fn rule(path: &str, allow: Allow) -> Rule {
    let path = match path.strip_prefix('=') {
        Some(exact) => PathPattern::Exact(exact.into()),
        None => PathPattern::Prefix(path.into()),
    };
    Rule { path, methods: Vec::new(), networks: Vec::new(), allow, groups: Vec::new() }
}

pub(in crate::policy) fn policy(portal: &str, hosts: &[&str], rules: &[Rule]) -> Policy {
    let site = |host: &&str| Settings {
        host: if *host == "*" { HostPattern::Any } else { HostPattern::Exact((*host).into()) },
        rules: rules.to_vec(),
        ..Settings::default()
    };
    let portal = Portal { url: PortalUrl::parse(portal).unwrap(), ..Portal::default() };
    Policy::new(&portal, &Demanding::Nobody, &hosts.iter().map(site).collect::<Vec<_>>())
}

pub(in crate::policy) fn view(method: &str, host: &str, target: &str) -> View {
    let request = http::Request::builder().method(method).uri(target).header("host", host).body(()).unwrap();
    let connection = Connection::new("192.0.2.1:1".parse().unwrap(), None);
    Reader::new(Vec::new(), &Entropy::counting()).unwrap().read(&request.into_parts().0, &connection).unwrap()
}

pub(in crate::policy) fn person(groups: &[&str], methods: &[identity::Method]) -> Subject {
    let at = UnixMillis(0);
    Subject::Session(Live::for_testing(Record {
        sid: Sid("s".into()),
        account: AccountId("a".into()),
        username: "ada".into(),
        name: "Ada".into(),
        email: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        factors: methods.iter().map(|method| Shown { method: *method, at }).collect(),
        created_at: at,
        expires_at: UnixMillis(1000),
        idle: Duration::from_secs(1),
        generation: 0,
        proved: 0,
        remember: false,
        ..Record::for_testing()
    }))
}
