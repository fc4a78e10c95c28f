//! Secrets of authenticator apps at rest.

use std::sync::Arc;

use super::*;
use crate::{identity::AppEnrolment, world::vault::Vault};

/// The same database, opened by a node with these secrets.
async fn node(stage: &Stage, current: &str, previous: &[&str]) -> Identity {
    let previous: Vec<_> = previous.iter().map(|secret| (*secret).into()).collect();
    let vault = Arc::new(Vault::new("factors", &current.into(), &previous).unwrap());
    let settings = Settings { vault: Some(vault), ..Settings::default() };
    let inner = &stage.identity.inner;
    let identity =
        Identity::new(inner.ledger.db().clone(), settings, inner.post.clone(), inner.verifier.clone(), Entropy::System);
    identity.migrate().await.unwrap();
    identity
}

async fn opens(stage: &Stage, identity: &Identity) -> bool {
    let account = stage.loaded(&stage.account).await;
    let FactorKind::App { sealed } = &account.factors[0].kind else { panic!("no app") };
    let enrolment =
        AppEnrolment { account: account.id.clone(), generation: account.generation, sealed: sealed.clone() };
    identity.app_secret(&enrolment).await.is_ok()
}

#[tokio::test]
async fn a_previous_secret_can_go_once_a_node_has_started_with_the_new_one() {
    let stage = Stage::new().await;
    let old = node(&stage, "old secret", &[]).await;
    let enrolment = old.enrol_app(&stage.account).await.unwrap();
    stage.give_factor(&stage.account, FactorKind::App { sealed: enrolment.sealed.clone() }).await;
    let before = old.app_secret(&AppEnrolment { generation: 1, ..enrolment }).await.unwrap();
    assert!(!opens(&stage, &node(&stage, "new secret", &[]).await).await, "a forgotten secret opens nothing");
    let both = node(&stage, "new secret", &["old secret"]).await;
    assert!(opens(&stage, &both).await);
    let new = node(&stage, "new secret", &[]).await;
    assert!(opens(&stage, &new).await);
    let account = stage.loaded(&stage.account).await;
    let FactorKind::App { sealed } = &account.factors[0].kind else { panic!("no app") };
    let enrolment = AppEnrolment { account: account.id, generation: account.generation, sealed: sealed.clone() };
    assert_eq!(*new.app_secret(&enrolment).await.unwrap().typed, *before.typed, "the same secret");
}

#[tokio::test]
async fn a_secret_opens_for_no_other_account() {
    let stage = Stage::new().await;
    let eve = stage.person("eve").await;
    let identity = node(&stage, "secret", &[]).await;
    let enrolment = identity.enrol_app(&stage.account).await.unwrap();
    let moved = AppEnrolment { account: eve, ..enrolment.clone() };
    assert!(matches!(identity.app_secret(&moved).await, Err(Refusal::Internal(_))));
    assert!(identity.app_secret(&enrolment).await.is_ok());
}
