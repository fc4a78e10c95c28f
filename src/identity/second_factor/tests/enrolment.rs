//! Turning a second factor on and off.

use super::*;

#[tokio::test]
async fn an_enrolled_phone_is_on_and_other_sessions_end() {
    let stage = Stage::new().await;
    let mut enrolment = stage.enrol("0712 123456", Channel::Whatsapp).await.unwrap();
    assert_eq!(enrolment.masked, "•••• 56");
    assert_eq!(enrolment.channels, [Channel::Sms, Channel::Call, Channel::Whatsapp]);
    let wrong = stage.twilio.wrong_code_for(NUMBER);
    let answer = |code: String| {
        let (mut enrolment, stage) = (enrolment.clone(), &stage);
        async move { stage.identity.enrol_answer(&mut enrolment, &code, Some("sid1"), &stage.client, stage.now).await }
    };
    assert!(matches!(answer(wrong).await.unwrap(), Enrolled::Wrong { left: 4 }));
    assert!(stage.loaded(&stage.account).await.factors.is_empty());
    let code = stage.twilio.code_for(NUMBER).unwrap();
    let Enrolled::Done(factor, proof, row) = answer(code).await.unwrap() else { panic!("not done") };
    assert_eq!(factor.kind, phone(Channel::Whatsapp));
    assert_eq!(proof.factors(), [Shown { method: Method::Sms, at: stage.now }]);
    assert_eq!(stage.loaded(&stage.account).await.factors, [factor]);
    let rows = stage.identity.changes(10).await.unwrap();
    assert_eq!((rows[0].id, &rows[0].effect), (row, &Effect::EndOthers("sid1".into())));
    let again = stage.identity.enrol_send(&mut enrolment, None, &stage.client, stage.now).await;
    assert!(matches!(again, Err(Refusal::Stale)), "{again:?}");
    assert_eq!(fields(stage.enrol("0712 123456", Channel::Sms).await.unwrap_err())[0].field, "phone");
}

#[tokio::test]
async fn enrolling_by_email_uses_the_confirmed_address_and_keeps_no_number() {
    let stage = Stage::new().await;
    let mut enrolment = stage.enrol("", Channel::Email).await.unwrap();
    assert_eq!((enrolment.number.as_deref(), enrolment.masked.as_str()), (None, "a•••@example.org"));
    assert_eq!(stage.twilio.sends()[0].field("To"), Some("ada@example.org"));
    let code = stage.twilio.code_for("ada@example.org").unwrap();
    let done = stage.identity.enrol_answer(&mut enrolment, &code, None, &stage.client, stage.now).await.unwrap();
    let Enrolled::Done(factor, proof, _) = done else { panic!("not done") };
    assert_eq!(factor.kind, FactorKind::Email);
    assert_eq!(proof.factors()[0].method, Method::Otp);
    let challenge = stage.challenge().await;
    assert_eq!(
        (&*delivery(&challenge).channels, delivery(&challenge).masked.as_str()),
        (&[Channel::Email][..], "a•••@example.org")
    );
}

#[tokio::test]
async fn what_is_wrong_with_an_enrolment_stands_beside_its_field() {
    let stage = Stage::new().await;
    let error = &fields(stage.enrol("0712", Channel::Sms).await.unwrap_err())[0];
    assert_eq!(error.message, "That isn't a complete Kenyan number: 9 digits after +254.");
    stage.twilio.fail_next(Fault::Error { status: 400, code: 60200 });
    assert_eq!(fields(stage.enrol("0712 123456", Channel::Sms).await.unwrap_err())[0].field, "phone");
    stage.twilio.fail_next(Fault::FRAUD);
    let blocked = stage.enrol("0712 123456", Channel::Sms).await.unwrap_err();
    assert!(matches!(blocked, Refusal::Verify(VerifyError::Blocked { code: 60410 })), "{blocked:?}");
    // A send that failed keeps the number for nobody.
    let eve = stage.person("eve").await;
    stage.identity.enrol(&eve, ("KE", "0712 123456", Channel::Sms), None, &stage.client, stage.now).await.unwrap();
}

#[tokio::test]
async fn turning_off_takes_the_password_and_ends_other_sessions() {
    let stage = Stage::with_phone().await;
    let account = stage.loaded(&stage.account).await;
    let id = account.factors[0].id.clone();
    let shown = |method| vec![Shown { method, at: stage.now }];
    let code_only = Authenticated::new(account.clone(), shown(Method::Sms));
    assert!(matches!(stage.identity.disable_factor(&code_only, &id, None, stage.now).await, Err(Refusal::Stale)));
    let proof = Authenticated::new(account, shown(Method::Pwd));
    let row = stage.identity.disable_factor(&proof, &id, Some("sid1"), stage.now).await.unwrap();
    assert!(stage.loaded(&stage.account).await.factors.is_empty());
    let rows = stage.identity.changes(10).await.unwrap();
    let effect = rows.iter().find(|change| change.id == row).map(|change| &change.effect);
    assert_eq!(effect, Some(&Effect::EndOthers("sid1".into())));
    assert!(matches!(stage.identity.disable_factor(&proof, &id, None, stage.now).await, Err(Refusal::Stale)));
}
