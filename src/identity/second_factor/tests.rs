//! The second factor against the Twilio double and a real SQLite file.

mod app;
mod enrolment;

use std::time::Duration;

use super::*;
use crate::{
    config::{accounts::Database, mail::Mail, verify as settings},
    identity::{
        Enrolled, FieldError, Settings,
        account::{AccountId, Factor},
        challenge::Enrolment,
        outbox::Effect,
    },
    mail::Post,
    storage::Db,
    verify::{
        Verifier, VerifyError,
        double::{self, Fault, Twilio},
    },
    world::{Clock, Entropy},
};

const NUMBER: &str = "+254712123456";
const START: UnixMillis = UnixMillis(1_700_000_000_000);

/// A room with a provider that plays Twilio, and one account in it.
struct Stage {
    identity: Identity,
    twilio: Twilio,
    account: AccountId,
    now: UnixMillis,
    client: Client,
    _folder: tempfile::TempDir,
}

/// How the code that is asked for travels.
fn delivery(challenge: &Challenge) -> &Delivery {
    challenge.asked.delivery().unwrap()
}

impl Stage {
    async fn new() -> Self {
        let twilio = Twilio::start().await;
        let provider = settings::Provider::Twilio(settings::Twilio {
            account_sid: double::ACCOUNT_SID.into(),
            auth_token: double::AUTH_TOKEN.to_owned().into(),
            service_sid: double::SERVICE_SID.into(),
            base_url: twilio.base_url().parse().unwrap(),
        });
        let channels = Channel::ALL.to_vec();
        let verify = settings::Verify { provider, channels, push: false, allow_console: false };
        let verifier = Verifier::new(verify, Clock::manual(START), Entropy::System).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let db = Db::new(&Database::Sqlite("accounts.db".into()), folder.path()).unwrap();
        let post = Post::start(Mail::default(), None).unwrap();
        let identity = Identity::new(db, Settings::default(), post, verifier, Entropy::System);
        identity.migrate().await.unwrap();
        let client = Client { address: "192.0.2.1".parse().unwrap(), via_trusted_proxy: false };
        let account = AccountId("".into());
        let mut stage = Self { identity, twilio, account, now: START, client, _folder: folder };
        stage.account = stage.person("ada").await;
        stage
    }

    async fn person(&self, username: &str) -> AccountId {
        let account = Account {
            id: AccountId(format!("id-of-{username}").into()),
            email: format!("{username}@example.org"),
            email_confirmed: true,
            ..Account::for_testing(username)
        };
        let ledger = &self.identity.inner.ledger;
        let mut tx = ledger.db().write().await.unwrap();
        ledger.insert(&mut tx, &account, &account.email, "no hash").await.unwrap();
        tx.commit().await.unwrap();
        account.id
    }

    async fn loaded(&self, id: &AccountId) -> Account {
        self.identity.account(id).await.unwrap().unwrap()
    }

    /// A factor written without its enrolment.
    async fn give_factor(&self, id: &AccountId, kind: FactorKind) {
        let generation = self.loaded(id).await.generation;
        let factor = Factor { id: format!("factor-of-{}", id.0), kind, since: self.now };
        self.identity.add_factor(id, generation, &factor, None, self.now).await.unwrap();
    }

    async fn with_phone() -> Self {
        let stage = Self::new().await;
        stage.give_factor(&stage.account, phone(Channel::Sms)).await;
        stage
    }

    async fn challenge_of(&self, id: &AccountId) -> Challenge {
        let account = self.loaded(id).await;
        challenge(&account, self.now, &self.identity.channels(), false).unwrap()
    }

    async fn challenge(&self) -> Challenge {
        self.challenge_of(&self.account).await
    }

    async fn sent(&self) -> Challenge {
        let mut challenge = self.challenge().await;
        self.send(&mut challenge, None).await.unwrap();
        challenge
    }

    async fn send(&self, challenge: &mut Challenge, channel: Option<Channel>) -> Result<(), Refusal> {
        self.identity.begin(challenge, channel, &self.client, self.now).await
    }

    async fn answer(&self, challenge: &mut Challenge, code: &str) -> Result<Answered, Refusal> {
        self.identity.answer(challenge, Answer::Code(code), &self.client, self.now).await
    }

    async fn enrol(&self, phone: &str, channel: Channel) -> Result<Enrolment, Refusal> {
        self.identity.enrol(&self.account, ("KE", phone, channel), None, &self.client, self.now).await
    }

    fn wait(&mut self, seconds: u64) {
        let span = Duration::from_secs(seconds);
        self.now = self.now.plus(span);
        self.twilio.advance(span);
    }
}

fn phone(channel: Channel) -> FactorKind {
    FactorKind::Phone { number: NUMBER.into(), channel }
}

fn until(refusal: Result<(), Refusal>) -> UnixMillis {
    match refusal {
        Err(Refusal::Throttled { until }) => until,
        other => panic!("{other:?}"),
    }
}

fn fields(refusal: Refusal) -> Vec<FieldError> {
    match refusal {
        Refusal::Fields(fields) => fields,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_right_code_shows_password_and_message() {
    let mut stage = Stage::with_phone().await;
    let mut challenge = stage.sent().await;
    assert_eq!(delivery(&challenge).masked, "•••• 56");
    stage.wait(20);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let spaced = format!(" {}-{} ", &code[..3], &code[3..]);
    let Answered::Done(proof) = stage.answer(&mut challenge, &spaced).await.unwrap() else { panic!("not done") };
    assert_eq!(proof.account().username, "ada");
    let shown = [
        Shown { method: Method::Pwd, at: START },
        Shown { method: Method::Sms, at: START.plus(Duration::from_secs(20)) },
    ];
    assert_eq!(proof.factors(), shown);
    let check = &stage.twilio.checks()[0];
    assert_eq!(
        check.field("VerificationSid"),
        delivery(&challenge).started.as_ref().map(|started| &*started.verification)
    );
}

#[tokio::test]
async fn a_code_is_good_once() {
    let stage = Stage::with_phone().await;
    let mut challenge = stage.sent().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let mut copy = challenge.clone();
    assert!(matches!(stage.answer(&mut challenge, &code).await.unwrap(), Answered::Done(_)));
    assert!(matches!(stage.answer(&mut copy, &code).await.unwrap(), Answered::Gone));
}

#[tokio::test]
async fn an_answer_before_any_code_was_sent_makes_no_progress() {
    let stage = Stage::with_phone().await;
    let mut challenge = stage.challenge().await;
    for code in ["", "123456"] {
        assert!(matches!(stage.answer(&mut challenge, code).await.unwrap(), Answered::Gone));
    }
    assert!(stage.twilio.requests().is_empty());
}

#[tokio::test]
async fn wrong_codes_count_per_account_across_restarted_sign_ins() {
    let mut stage = Stage::with_phone().await;
    let wrong = "999999";
    let mut first = stage.sent().await;
    for left in [4, 3] {
        let answered = stage.answer(&mut first, wrong).await.unwrap();
        assert!(matches!(answered, Answered::Wrong { left: now } if now == left), "{answered:?}");
    }
    stage.wait(40);
    let mut second = stage.sent().await;
    // What cannot be a code counts too, and costs the provider nothing.
    assert!(matches!(stage.answer(&mut second, "abc").await.unwrap(), Answered::Wrong { left: 2 }));
    assert_eq!(stage.twilio.checks().len(), 2);
    assert!(matches!(stage.answer(&mut second, wrong).await.unwrap(), Answered::Wrong { left: 1 }));
    let end = START.plus(Duration::from_secs(600));
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let answered = stage.answer(&mut second, wrong).await.unwrap();
    assert!(matches!(answered, Answered::Spent { until } if until == end), "{answered:?}");
    // From here on not even the right code, in a third sign-in, from another network.
    stage.client.address = "198.51.100.7".parse().unwrap();
    let mut third = first.clone();
    let answered = stage.answer(&mut third, &code).await.unwrap();
    assert!(matches!(answered, Answered::Spent { until } if until == end), "{answered:?}");
    let mut fourth = stage.challenge().await;
    assert_eq!(until(stage.send(&mut fourth, None).await), end);
    stage.wait(560);
    let mut fifth = stage.sent().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    assert!(matches!(stage.answer(&mut fifth, &code).await.unwrap(), Answered::Done(_)));
}

#[tokio::test]
async fn a_volley_of_codes_gets_five_tries() {
    let stage = Stage::with_phone().await;
    let challenge = stage.sent().await;
    let volley = (0..40).map(|nth| {
        let mut challenge = challenge.clone();
        let stage = &stage;
        async move { stage.answer(&mut challenge, &format!("{nth:06}")).await }
    });
    let answers = futures_util::future::join_all(volley).await;
    let judged = stage.twilio.checks().len();
    assert!(judged <= 5, "{judged} codes were judged");
    assert!(answers.iter().all(|answer| !matches!(answer, Ok(Answered::Done(_)))));
}

#[tokio::test]
async fn sending_again_waits_and_another_way_waits_less() {
    let stage = Stage::with_phone().await;
    let mut challenge = stage.sent().await;
    assert_eq!(until(stage.send(&mut challenge, None).await), START.plus(Duration::from_secs(30)));
    stage.send(&mut challenge, Some(Channel::Call)).await.unwrap();
    assert_eq!(until(stage.send(&mut challenge, Some(Channel::Sms)).await), START.plus(Duration::from_secs(10)));
    assert_eq!(delivery(&challenge).channel, Channel::Call);
    assert_eq!(challenge.resend_at, stage.now.plus(Duration::from_secs(60)));
    assert_eq!(stage.twilio.sends().len(), 2);
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let Answered::Done(proof) = stage.answer(&mut challenge, &code).await.unwrap() else { panic!("not done") };
    assert_eq!(proof.factors()[1].method, Method::Tel);
}

#[tokio::test]
async fn sms_that_cannot_reach_becomes_a_call() {
    for landline in [true, false] {
        let stage = Stage::with_phone().await;
        if landline {
            stage.twilio.make_landline(NUMBER);
        } else {
            stage.twilio.disable_channel("sms");
        }
        let challenge = stage.sent().await;
        assert!(delivery(&challenge).fell_back);
        assert_eq!(delivery(&challenge).channel, Channel::Call);
        let channels: Vec<_> =
            stage.twilio.sends().iter().map(|send| send.field("Channel").unwrap().to_owned()).collect();
        assert_eq!(channels, ["sms", "call"]);
    }
}

#[tokio::test]
async fn limits_fraud_and_outages_never_become_a_call() {
    let faults = [
        Fault::MAX_SENDS,
        Fault::TOO_MANY_CONCURRENT,
        Fault::TOO_MANY_REQUESTS,
        Fault::FRAUD,
        Fault::GEO_PERMISSION,
        Fault::UNAUTHORIZED,
        Fault::Bare(503),
        Fault::Reset,
        Fault::Garbage,
    ];
    for fault in faults {
        let stage = Stage::with_phone().await;
        stage.twilio.fail_always(Some(fault.clone()));
        let mut challenge = stage.challenge().await;
        let refused = stage.send(&mut challenge, None).await;
        assert!(matches!(refused, Err(Refusal::Verify(_))), "{fault:?}: {refused:?}");
        assert_eq!(stage.twilio.sends().len(), 1, "{fault:?}");
        assert!(delivery(&challenge).started.is_none());
    }
}

#[tokio::test]
async fn an_outage_lets_nobody_in_and_costs_no_try() {
    let stage = Stage::with_phone().await;
    let mut challenge = stage.sent().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    for _ in 0..8 {
        stage.twilio.fail_next(Fault::Bare(503));
        let answered = stage.answer(&mut challenge, &code).await;
        assert!(matches!(answered, Err(Refusal::Verify(VerifyError::Down(_)))), "{answered:?}");
    }
    assert!(matches!(stage.answer(&mut challenge, &code).await.unwrap(), Answered::Done(_)));
}

#[tokio::test]
async fn a_number_waits_for_one_account_at_a_time() {
    let mut stage = Stage::with_phone().await;
    let eve = stage.person("eve").await;
    stage.give_factor(&eve, phone(Channel::Sms)).await;
    let mut ada = stage.sent().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let mut other = stage.challenge_of(&eve).await;
    assert_eq!(until(stage.send(&mut other, None).await), START.plus(Duration::from_secs(600)));
    assert_eq!(stage.twilio.sends().len(), 1);
    assert!(matches!(stage.answer(&mut other, &code).await.unwrap(), Answered::Gone), "her flow has no code");
    assert!(matches!(stage.answer(&mut ada, &code).await.unwrap(), Answered::Done(_)));
    stage.wait(1);
    stage.send(&mut other, None).await.unwrap();
}

#[tokio::test]
async fn a_guarded_change_makes_the_flow_stale() {
    let stage = Stage::with_phone().await;
    let mut challenge = stage.sent().await;
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let ledger = &stage.identity.inner.ledger;
    let mut tx = ledger.db().write().await.unwrap();
    ledger.post(&mut tx, &stage.account, crate::identity::ledger::Carry::End, stage.now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(matches!(stage.answer(&mut challenge, &code).await, Err(Refusal::Stale)));
    assert!(matches!(stage.send(&mut challenge, None).await, Err(Refusal::Stale)));
    assert!(stage.twilio.checks().is_empty());
}

#[tokio::test]
async fn signing_in_often_with_the_right_code_is_not_throttled() {
    let mut stage = Stage::with_phone().await;
    for _ in 0..20 {
        let mut challenge = stage.sent().await;
        let code = stage.twilio.code_for(NUMBER).unwrap();
        assert!(matches!(stage.answer(&mut challenge, &code).await.unwrap(), Answered::Done(_)));
        stage.wait(60);
    }
}

#[tokio::test]
async fn a_factor_whose_ways_are_gone_is_owed_all_the_same() {
    let stage = Stage::with_phone().await;
    let account = stage.loaded(&stage.account).await;
    let owed = challenge(&account, stage.now, &[], false).unwrap();
    assert!(delivery(&owed).channels.is_empty() && delivery(&owed).started.is_none());
    assert!(challenge(&Account { factors: Vec::new(), ..account }, stage.now, &Channel::ALL, false).is_none());
}
