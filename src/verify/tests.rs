//! The contract of VERIFY-API, held against both providers; and everything Twilio may do wrong, played by the double.

use std::time::Duration;

use super::{
    Backend, Channel, Checked, Destination, PushDevice, Pushed, Question, Started, Verifier, VerifyError,
    double::{self, Fault, Twilio},
};
use crate::{
    config::verify::{self as settings, Provider, Verify},
    world::{Clock, Entropy, UnixMillis},
};

const NUMBER: &str = "+254712123456";

/// A provider together with what a test needs from its other side.
struct Stage {
    verifier: Verifier,
    clock: Clock,
    twilio: Option<Twilio>,
}

impl Stage {
    async fn twilio() -> Self {
        let twilio = Twilio::start().await;
        let provider = Provider::Twilio(settings_for(&twilio.base_url(), double::AUTH_TOKEN));
        Self { twilio: Some(twilio), ..Self::of(provider) }
    }

    fn console() -> Self {
        Self::of(Provider::Console)
    }

    fn of(provider: Provider) -> Self {
        let clock = Clock::manual(UnixMillis(1_700_000_000_000));
        let settings = Verify { provider, channels: Channel::ALL.to_vec(), push: true, allow_console: false };
        let verifier = Verifier::new(settings, clock.clone(), Entropy::counting()).unwrap();
        Self { verifier, clock, twilio: None }
    }

    async fn start(&self) -> Started {
        self.verifier.start(&phone(), Channel::Sms, None).await.unwrap()
    }
    async fn check(&self, started: &Started, code: &str) -> Checked {
        self.verifier.check(started, code).await.unwrap()
    }
    fn code(&self) -> String {
        match (&self.verifier.backend, &self.twilio) {
            (Backend::Console(console), _) => console.code_for(&phone()).unwrap(),
            (_, Some(twilio)) => twilio.code_for(NUMBER).unwrap(),
            _ => panic!("no provider on this stage"),
        }
    }
    fn wrong_code(&self) -> String {
        format!("{:06}", (self.code().parse::<u32>().unwrap() + 1) % 1_000_000)
    }
    fn advance(&self, span: Duration) {
        self.clock.advance(span);
        if let Some(twilio) = &self.twilio {
            twilio.advance(span);
        }
    }
}

fn phone() -> Destination {
    Destination::Phone(NUMBER.into())
}

fn settings_for(base_url: &str, token: &str) -> settings::Twilio {
    settings::Twilio {
        account_sid: double::ACCOUNT_SID.into(),
        auth_token: token.to_owned().into(),
        service_sid: double::SERVICE_SID.into(),
        base_url: base_url.parse().unwrap(),
    }
}

#[tokio::test]
async fn only_the_right_code_is_approved_and_only_once() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let started = stage.start().await;
        assert_eq!(stage.check(&started, &stage.wrong_code()).await, Checked::Wrong);
        let code = stage.code();
        assert_eq!(stage.check(&started, &code).await, Checked::Approved);
        assert_eq!(stage.check(&started, &code).await, Checked::Gone);
    }
}

#[tokio::test]
async fn sending_again_sends_the_same_code_five_times_in_all() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let first = stage.start().await;
        let code = stage.code();
        for _ in 0..4 {
            assert_eq!(stage.start().await.verification, first.verification);
            assert_eq!(stage.code(), code);
        }
        let sixth = stage.verifier.start(&phone(), Channel::Call, None).await;
        assert!(matches!(sixth, Err(VerifyError::Limited { code: 60203, .. })), "{sixth:?}");
        assert_eq!(stage.check(&first, &code).await, Checked::Approved);
    }
}

#[tokio::test]
async fn the_sixth_check_is_refused_even_with_the_right_code() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let started = stage.start().await;
        let code = stage.code();
        for _ in 0..5 {
            assert_eq!(stage.check(&started, &stage.wrong_code()).await, Checked::Wrong);
        }
        assert_eq!(stage.check(&started, &code).await, Checked::Spent);
        assert_eq!(stage.check(&started, &code).await, Checked::Gone);
        assert_ne!(stage.start().await.verification, started.verification);
    }
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let started = stage.start().await;
        let code = stage.code();
        stage.advance(Duration::from_secs(599));
        assert_eq!(stage.check(&started, &stage.wrong_code()).await, Checked::Wrong);
        stage.advance(Duration::from_secs(1));
        assert_eq!(stage.check(&started, &code).await, Checked::Gone);
    }
}

#[tokio::test]
async fn a_cancelled_verification_takes_no_code() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let started = stage.start().await;
        let code = stage.code();
        stage.verifier.cancel(&started).await;
        assert_eq!(stage.check(&started, &code).await, Checked::Gone);
    }
}

#[tokio::test]
async fn a_code_opens_only_the_verification_it_was_sent_for() {
    for stage in [Stage::console(), Stage::twilio().await] {
        let started = stage.start().await;
        let code = stage.code();
        let other = Destination::Phone("+254712123457".into());
        let other = stage.verifier.start(&other, Channel::Sms, None).await.unwrap();
        assert_eq!(stage.check(&other, &code).await, Checked::Wrong);
        assert_eq!(stage.check(&started, &code).await, Checked::Approved);
    }
}

#[tokio::test]
async fn twilio_is_asked_as_its_description_demands() {
    let stage = Stage::twilio().await;
    let started = stage.verifier.start(&phone(), Channel::Call, Some("sw")).await.unwrap();
    assert_eq!(started.channel, Channel::Call);
    assert_eq!(started.sent_at, stage.clock.now());
    stage.check(&started, "000000").await;
    let twilio = stage.twilio.as_ref().unwrap();
    let (sends, checks) = (twilio.sends(), twilio.checks());
    assert_eq!(sends[0].field("To"), Some(NUMBER));
    assert_eq!(sends[0].field("Channel"), Some("call"));
    assert_eq!(sends[0].field("Locale"), Some("sw"));
    assert_eq!(checks[0].field("VerificationSid"), Some(started.verification.as_str()));
    assert_eq!(checks[0].field("To"), None);
    let mail = Destination::Email("ada@example.org".into());
    assert_eq!(stage.verifier.start(&mail, Channel::Email, None).await.unwrap().channel, Channel::Email);
}

#[tokio::test]
async fn a_language_the_provider_does_not_speak_costs_nobody_the_code() {
    let stage = Stage::twilio().await;
    let twilio = stage.twilio.as_ref().unwrap();
    twilio.fail_next(Fault::Error { status: 404, code: 20404 });
    let started = stage.verifier.start(&phone(), Channel::Sms, Some("sw")).await.unwrap();
    let locales: Vec<_> = twilio.sends().iter().map(|send| send.field("Locale").map(str::to_owned)).collect();
    assert_eq!(locales, [Some("sw".to_owned()), None]);
    assert_eq!(stage.check(&started, &stage.code()).await, Checked::Approved);
    let mail = Destination::Email("ada@example.org".into());
    stage.verifier.start(&mail, Channel::Email, Some("sw")).await.unwrap();
    assert_eq!(twilio.sends()[2].field("Locale"), None);
}

#[tokio::test]
async fn whatever_breaks_on_the_way_a_check_never_approves() {
    let faults = [
        Fault::Reset,
        Fault::Hangup,
        Fault::Garbage,
        Fault::Nonsense,
        Fault::Truncated,
        Fault::Oversized,
        Fault::Redirect,
        Fault::UNAUTHORIZED,
        Fault::TOO_MANY_REQUESTS,
        Fault::Bare(429),
        Fault::Bare(404),
        Fault::Bare(502),
        Fault::Error { status: 500, code: 20500 },
    ];
    for fault in faults {
        let stage = Stage::twilio().await;
        let started = stage.start().await;
        let code = stage.code();
        let twilio = stage.twilio.as_ref().unwrap();
        twilio.fail_next(fault.clone());
        let checked = stage.verifier.check(&started, &code).await;
        let expected_settings = matches!(fault, Fault::Redirect | Fault::Bare(404)) || fault == Fault::UNAUTHORIZED;
        match checked {
            Err(VerifyError::Settings { .. }) => assert!(expected_settings, "{fault:?}"),
            Err(VerifyError::Down(_)) => assert!(!expected_settings, "{fault:?}"),
            other => panic!("{fault:?}: {other:?}"),
        }
        assert_eq!(twilio.checks().len(), 1, "a check is never sent twice: {fault:?}");
    }
}

#[tokio::test]
async fn a_send_is_not_repeated_once_it_may_have_arrived() {
    for fault in [Fault::Reset, Fault::Hangup, Fault::Truncated, Fault::Garbage, Fault::Nonsense, Fault::Bare(503)] {
        let stage = Stage::twilio().await;
        let twilio = stage.twilio.as_ref().unwrap();
        twilio.fail_next(fault.clone());
        let sent = stage.verifier.start(&phone(), Channel::Sms, None).await;
        assert!(matches!(sent, Err(VerifyError::Down(_))), "{fault:?}: {sent:?}");
        assert_eq!(twilio.sends().len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_is_down_after_ten_seconds() {
    let stage = Stage::twilio().await;
    stage.twilio.as_ref().unwrap().fail_next(Fault::TimeOut);
    let asked = std::time::Instant::now();
    let sent = stage.verifier.start(&phone(), Channel::Sms, None).await;
    assert!(matches!(sent, Err(VerifyError::Down(_))), "{sent:?}");
    assert!(asked.elapsed() < Duration::from_secs(12));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_down() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = settings_for(&format!("http://127.0.0.1:{port}/"), double::AUTH_TOKEN);
    let stage = Stage::of(Provider::Twilio(settings));
    let sent = stage.verifier.start(&phone(), Channel::Sms, None).await;
    assert!(matches!(sent, Err(VerifyError::Down(Some(_)))), "{sent:?}");
}

#[tokio::test]
async fn a_wrong_token_is_the_operators_affair() {
    let twilio = Twilio::start().await;
    let stage = Stage::of(Provider::Twilio(settings_for(&twilio.base_url(), "another token")));
    let sent = stage.verifier.start(&phone(), Channel::Sms, None).await;
    assert!(matches!(sent, Err(VerifyError::Settings { status: 401, code: Some(20003) })), "{sent:?}");
}

#[tokio::test]
async fn landlines_and_disabled_channels_are_unreachable_and_calls_still_go() {
    let stage = Stage::twilio().await;
    let twilio = stage.twilio.as_ref().unwrap();
    twilio.make_landline(NUMBER);
    twilio.disable_channel("whatsapp");
    let sms = stage.verifier.start(&phone(), Channel::Sms, None).await;
    assert!(matches!(sms, Err(VerifyError::Unreachable { code: 60205 })), "{sms:?}");
    let whatsapp = stage.verifier.start(&phone(), Channel::Whatsapp, None).await;
    assert!(matches!(whatsapp, Err(VerifyError::Unreachable { code: 60223 })), "{whatsapp:?}");
    assert_eq!(stage.verifier.start(&phone(), Channel::Call, None).await.unwrap().channel, Channel::Call);
}

#[tokio::test]
async fn a_request_that_twilio_would_refuse_is_noticed() {
    let stage = Stage::twilio().await;
    let sent = stage.verifier.start(&Destination::Phone("0712 123456".into()), Channel::Sms, None).await;
    assert!(matches!(sent, Err(VerifyError::BadDestination { code: 60200 })), "{sent:?}");
    assert!(!stage.twilio.as_ref().unwrap().complaints().is_empty());
}

#[tokio::test]
async fn nobody_gets_a_code_when_the_provider_is_off() {
    let stage = Stage::of(Provider::Off);
    assert!(stage.verifier.channels().is_empty());
    assert!(stage.verifier.start(&phone(), Channel::Sms, None).await.is_err());
}

#[test]
fn destinations_are_masked_even_when_debugged() {
    assert_eq!(phone().masked(), "•••• 56");
    assert_eq!(format!("{:?}", Destination::Email("ada@example.org".into())), "a•••@example.org");
}

/// Ada's device, enrolled by a token of ours.
async fn device(stage: &Stage, identity: &str) -> String {
    use secrecy::ExposeSecret as _;
    let token = stage.verifier.push_token(identity).await.unwrap();
    stage.twilio.as_ref().unwrap().install(token.expose_secret(), "Ada's phone", true)
}

async fn push(stage: &Stage, identity: &str, factor: &str) -> Result<String, VerifyError> {
    let until = stage.clock.now().plus(Duration::from_secs(300)).seconds();
    let long = "x".repeat(500);
    let question = Question { message: "Sign in to Home?", fields: &[("Number", "47"), ("Browser", &long)], until };
    stage.verifier.push(identity, factor, question).await
}

const ADA: &str = "01890000-0000-7000-8000-000000000001";
const BOB: &str = "01890000-0000-7000-8000-000000000002";

#[tokio::test]
async fn a_push_is_what_its_owner_answered_in_time() {
    let stage = Stage::twilio().await;
    let twilio = stage.twilio.as_ref().unwrap();
    assert_eq!(stage.verifier.push_devices(ADA).await.unwrap(), []);
    let factor = device(&stage, ADA).await;
    let known = PushDevice { factor: factor.clone(), name: "Ada's phone".into() };
    assert_eq!(stage.verifier.push_devices(ADA).await.unwrap(), [known]);
    let read = async |sid: &str| stage.verifier.pushed(ADA, &factor, sid).await.unwrap();
    let yes = push(&stage, ADA, &factor).await.unwrap();
    assert_eq!(read(&yes).await, Pushed::Pending);
    twilio.approve(&yes);
    assert_eq!(read(&yes).await, Pushed::Approved);
    let no = push(&stage, ADA, &factor).await.unwrap();
    twilio.deny(&no);
    assert_eq!(read(&no).await, Pushed::Denied);
    let late = push(&stage, ADA, &factor).await.unwrap();
    stage.advance(Duration::from_secs(300));
    assert_eq!(read(&late).await, Pushed::Gone);
    assert_eq!(read(&format!("YC{:032x}", 0xdead)).await, Pushed::Gone, "nobody ever asked that");
    stage.verifier.forget_push(ADA, &factor).await;
    let gone = push(&stage, ADA, &factor).await;
    assert!(matches!(gone, Err(VerifyError::Unreachable { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_push_of_anybody_else_is_no_answer() {
    let stage = Stage::twilio().await;
    let twilio = stage.twilio.as_ref().unwrap();
    let (adas, bobs) = (device(&stage, ADA).await, device(&stage, BOB).await);
    let own = push(&stage, ADA, &adas).await.unwrap();
    let other = push(&stage, BOB, &bobs).await.unwrap();
    twilio.approve(&other);
    assert_eq!(stage.verifier.pushed(ADA, &adas, &other).await.unwrap(), Pushed::Gone);
    // Even when the provider says so.
    let second = device(&stage, ADA).await;
    let elsewhere = push(&stage, ADA, &second).await.unwrap();
    twilio.approve(&elsewhere);
    let read = stage.verifier.pushed(ADA, &adas, &elsewhere).await;
    assert!(matches!(read, Err(VerifyError::Down(_))), "another device: {read:?}");
    let faults = [Fault::Approves, Fault::Garbage, Fault::Nonsense, Fault::Truncated, Fault::Hangup, Fault::Bare(503)];
    for fault in faults {
        twilio.fail_next(fault.clone());
        let read = stage.verifier.pushed(ADA, &adas, &own).await;
        assert!(matches!(read, Err(VerifyError::Down(_))), "{fault:?}: {read:?}");
    }
    assert_eq!(stage.verifier.pushed(ADA, &adas, &own).await.unwrap(), Pushed::Pending);
}

#[tokio::test]
async fn more_pushes_than_the_provider_allows_are_a_limit() {
    let stage = Stage::twilio().await;
    let factor = device(&stage, ADA).await;
    for _ in 0..double::MOST_PUSHES {
        push(&stage, ADA, &factor).await.unwrap();
    }
    let more = push(&stage, ADA, &factor).await;
    assert!(matches!(more, Err(VerifyError::Limited { code: 60312, .. })), "{more:?}");
}

#[tokio::test]
async fn push_is_off_unless_it_is_asked_for_and_for_twilio_only() {
    assert!(!Stage::console().verifier.offers_push());
    let mut stage = Stage::twilio().await;
    assert!(stage.verifier.offers_push());
    stage.verifier.push = false;
    assert!(!stage.verifier.offers_push());
    assert!(stage.verifier.push_token(ADA).await.is_err());
    assert!(stage.twilio.as_ref().unwrap().requests().is_empty(), "nobody is asked");
}
