//! Invitations: who may bring them, what they give, and when they are worth nothing.

use super::*;
use crate::identity::{
    account::AccountId,
    trail::{Actor, Event},
};

facts!(
    without_an_invitation_nobody_registers,
    an_invitation_makes_one_account_even_when_raced,
    a_raced_confirmation_uses_an_invitation_once,
    looking_uses_nothing_up_and_dead_ones_count_against_the_network,
    the_groups_are_the_invitations_own,
    a_mailed_link_proves_its_address_and_is_for_it_alone,
    the_shown_link_of_a_bound_invitation_asks_for_the_mail_all_the_same,
    an_invitation_outlives_its_last_day_for_a_registration_that_began_in_time,
    a_revoked_or_expired_invitation_opens_nothing,
    an_invitation_is_worth_nothing_once_its_maker_is_no_administrator,
    invitations_open_nothing_where_registration_is_closed,
    an_invited_person_needs_no_approval_and_no_domain,
    what_is_typed_for_an_invitation_is_judged,
    open_invitations_are_listed_by_pages_and_bounded,
    invitations_stand_in_the_database_as_hashes_only,
    who_invited_whom_is_in_the_trail,
    who_leaves_takes_their_invitations_along,
    whoever_takes_an_account_back_ends_the_invitations_it_made,
    a_disabled_or_demoted_makers_invitations_stay_dead_afterwards,
    an_administrator_who_is_being_signed_out_changes_nothing,
    a_form_that_nobody_looked_at_does_not_count,
);

fn inviting(house: &House) -> Identity {
    house.with(|settings| settings.accounts.registration = Registration::Invite)
}

fn inviting_by_mail(house: &House) -> Identity {
    house.with(|settings| {
        settings.accounts.registration = Registration::Invite;
        settings.accounts.confirm_email = true;
    })
}

async fn boss(house: &House, identity: &Identity) -> Administration {
    let boss = house.administrator("boss").await;
    identity.administration(&boss, "sid").expect("an administrator")
}

fn of_link(link: &str) -> String {
    link.split_once("register?invitation=").expect("a link").1.to_owned()
}

/// What the link in a mail holds.
fn of_letter(letter: &Letter) -> String {
    let (_, rest) = letter.text.split_once("invitation=").expect("a link");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect()
}

/// Makes one, and takes the maker's mail away.
async fn made(house: &House, boss: &Administration, groups: &str) -> String {
    let link = of_link(&boss.invite("", groups, "7", house.now()).await.unwrap().link);
    house.mail_to("boss@example.org").await;
    link
}

async fn register(identity: &Identity, token: &str, username: &str, now: UnixMillis) -> Result<Registered, Refusal> {
    identity.register_invited(token, form(username), &client(), now).await.1
}

async fn without_an_invitation_nobody_registers(house: &House) {
    let identity = inviting(house);
    assert!(!identity.registration_open());
    assert!(matches!(identity.may_register().await, Err(Refusal::InvitationOnly)));
    let refused = identity.register(form("ada"), &client(), house.now()).await;
    assert!(matches!(refused, Err(Refusal::InvitationOnly)), "{refused:?}");
    for made_up in ["", "x", &"A".repeat(43), &"A".repeat(5000)] {
        let refused = register(&identity, made_up, "ada", house.now()).await;
        assert!(matches!(refused, Err(Refusal::DeadLink)), "{made_up}: {refused:?}");
    }
    assert!(identity.find("ada").await.unwrap().is_none());
}

async fn an_invitation_makes_one_account_even_when_raced(house: &House) {
    let identity = inviting(house);
    let token = made(house, &boss(house, &identity).await, "").await;
    let weak = NewAccount { password: "weak".into(), password_confirm: "weak".into(), ..form("ada") };
    let refused = identity.register_invited(&token, weak, &client(), house.now()).await.1.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["password"]);
    let tries = (0..8u8).map(|number| {
        let (identity, token, now) = (identity.clone(), token.clone(), house.now());
        tokio::spawn(async move { register(&identity, &token, &format!("ada{number}"), now).await.is_ok() })
    });
    let mut made = 0;
    for outcome in tries.collect::<Vec<_>>() {
        made += usize::from(outcome.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(identity.list("", 100).await.unwrap().len(), 2, "the administrator and one more");
    assert!(matches!(identity.invitation(&token, &client(), house.now()).await, Err(Refusal::DeadLink)));
}

async fn a_raced_confirmation_uses_an_invitation_once(house: &House) {
    let identity = inviting_by_mail(house);
    let token = made(house, &boss(house, &identity).await, "staff").await;
    let mut links = Vec::new();
    for name in ["ada", "eve", "bob"] {
        assert!(matches!(register(&identity, &token, name, house.now()).await, Ok(Registered::MailSent)));
        links.push(super::token(&house.mail().await));
    }
    identity.invitation(&token, &client(), house.now()).await.unwrap();
    let tries = links.into_iter().map(|link| {
        let (identity, now) = (identity.clone(), house.now());
        tokio::spawn(async move { identity.confirm(&link, now).await })
    });
    let mut groups = Vec::new();
    for outcome in tries.collect::<Vec<_>>() {
        match outcome.await.unwrap() {
            Ok(account) => groups.push(account.groups),
            Err(refused) => assert!(matches!(refused, Refusal::DeadLink), "{refused:?}"),
        }
    }
    assert_eq!(groups, [["staff"]]);
}

async fn looking_uses_nothing_up_and_dead_ones_count_against_the_network(house: &House) {
    let identity = inviting(house);
    let token = made(house, &boss(house, &identity).await, "").await;
    for _ in 0..300 {
        identity.invitation(&token, &client(), house.now()).await.unwrap();
    }
    let mut refused = None;
    for _ in 0..300 {
        refused = identity.invitation(&"A".repeat(43), &client(), house.now()).await.err();
    }
    assert!(matches!(refused, Some(Refusal::Throttled { .. })), "{refused:?}");
    identity.invitation(&token, &from("198.51.100.7"), house.now()).await.unwrap();
}

async fn the_groups_are_the_invitations_own(house: &House) {
    let identity = inviting(house);
    let token = made(house, &boss(house, &identity).await, " wiki, staff ,,wiki").await;
    let Ok(Registered::Active(ada)) = register(&identity, &token, "ada", house.now()).await else { panic!() };
    assert_eq!(house.reload(&ada).await.groups, ["staff", "wiki"]);
    assert!(ada.chose_username);
}

async fn a_mailed_link_proves_its_address_and_is_for_it_alone(house: &House) {
    let identity = inviting_by_mail(house);
    let boss = boss(house, &identity).await;
    let invitation = boss.invite(" ADA@Example.org ", "staff", "7", house.now()).await.unwrap();
    assert_eq!(invitation.mailed_to.as_deref(), Some("ADA@Example.org"));
    let letter = house.mail_to("ADA@Example.org").await;
    let told = house.mail_to("boss@example.org").await;
    assert!(told.text.contains("A•••@Example.org") && told.text.contains("staff"), "{}", told.text);
    assert!(told.text.contains("If this wasn't you") && !told.text.contains("invitation="), "{}", told.text);
    let mailed = of_letter(&letter);
    assert_ne!(mailed, of_link(&invitation.link), "the link that was shown proves nothing");
    let seen = identity.invitation(&mailed, &client(), house.now()).await.unwrap();
    assert_eq!(seen.email.as_deref(), Some("ADA@Example.org"));
    let refused = register(&identity, &mailed, "eve", house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"]);
    let other = NewAccount { email: "boss@example.org".into(), ..form("eve") };
    let refused = identity.register_invited(&mailed, other, &client(), house.now()).await.1.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"], "nothing is said of whether that address is somebody's");
    let wide = NewAccount { email: "\u{ff41}da@example.org".into(), ..form("ada") };
    let Ok(Registered::Active(ada)) = identity.register_invited(&mailed, wide, &client(), house.now()).await.1 else {
        panic!()
    };
    let ada = identity.account(&ada.id).await.unwrap().unwrap();
    assert!(ada.email_confirmed);
    assert_eq!(ada.email, "ADA@Example.org", "not another mailbox that only looks alike");
    house.no_mail().await;
    let signed_in = identity.authenticate("ada@example.org", &PASSWORD.into(), &client(), house.now()).await;
    assert!(matches!(signed_in, Ok(SignIn::Done(_))));
    let shown = identity.invitation(&of_link(&invitation.link), &client(), house.now()).await;
    assert!(matches!(shown, Err(Refusal::DeadLink)), "one invitation, however many links");
}

async fn the_shown_link_of_a_bound_invitation_asks_for_the_mail_all_the_same(house: &House) {
    let identity = inviting_by_mail(house);
    let boss = boss(house, &identity).await;
    let invitation = boss.invite("ada@example.org", "staff", "7", house.now()).await.unwrap();
    house.mail_to("ada@example.org").await;
    house.mail_to("boss@example.org").await;
    let shown = of_link(&invitation.link);
    let refused = register(&identity, &shown, "eve", house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"]);
    assert!(matches!(register(&identity, &shown, "ada", house.now()).await, Ok(Registered::MailSent)));
    let link = token(&house.mail().await);
    let ada = identity.confirm(&link, house.now()).await.unwrap();
    assert!(ada.email_confirmed);
    assert_eq!(ada.groups, ["staff"]);
}

async fn an_invitation_outlives_its_last_day_for_a_registration_that_began_in_time(house: &House) {
    let identity = inviting_by_mail(house);
    let boss = boss(house, &identity).await;
    let token = of_link(&boss.invite("", "staff", "1", house.now()).await.unwrap().link);
    house.mail_to("boss@example.org").await;
    house.later(Duration::from_hours(23));
    register(&identity, &token, "ada", house.now()).await.unwrap();
    let link = super::token(&house.mail().await);
    let later = house.later(Duration::from_hours(23));
    assert!(matches!(identity.invitation(&token, &client(), later).await, Err(Refusal::DeadLink)));
    assert_eq!(identity.confirm(&link, later).await.unwrap().groups, ["staff"]);
}

async fn a_revoked_or_expired_invitation_opens_nothing(house: &House) {
    let identity = inviting_by_mail(house);
    let boss = boss(house, &identity).await;
    let token = made(house, &boss, "").await;
    register(&identity, &token, "ada", house.now()).await.unwrap();
    let link = super::token(&house.mail().await);
    let open = boss.invitations(0, 10, house.now()).await.unwrap();
    assert!(boss.revoke(&open[0].id, house.now()).await.unwrap());
    assert!(!boss.revoke(&open[0].id, house.now()).await.unwrap());
    assert!(matches!(register(&identity, &token, "eve", house.now()).await, Err(Refusal::DeadLink)));
    assert!(matches!(identity.confirm(&link, house.now()).await, Err(Refusal::DeadLink)), "revoked while it waited");
    let token = made(house, &boss, "").await;
    let later = house.later(Duration::from_hours(7 * 24));
    assert!(matches!(register(&identity, &token, "eve", later).await, Err(Refusal::DeadLink)));
    assert_eq!(boss.invitations(0, 10, later).await.unwrap(), []);
}

async fn an_invitation_is_worth_nothing_once_its_maker_is_no_administrator(house: &House) {
    let identity = inviting_by_mail(house);
    let boss = boss(house, &identity).await;
    house.administrator("other").await;
    let token = made(house, &boss, "admin").await;
    register(&identity, &token, "ada", house.now()).await.unwrap();
    let link = super::token(&house.mail().await);
    identity.disable(boss.id(), house.now()).await.unwrap();
    assert!(matches!(identity.invitation(&token, &client(), house.now()).await, Err(Refusal::DeadLink)));
    assert!(matches!(identity.confirm(&link, house.now()).await, Err(Refusal::DeadLink)));
    assert!(matches!(boss.invite("", "", "7", house.now()).await, Err(Refusal::Stale)));
    assert!(matches!(boss.revoke("any", house.now()).await, Err(Refusal::Stale)));
    identity.enable(boss.id(), house.now()).await.unwrap();
    identity.set_groups(boss.id(), &["staff".into()], house.now()).await.unwrap();
    assert!(matches!(identity.confirm(&link, house.now()).await, Err(Refusal::DeadLink)));
    let demoted = identity.account(boss.id()).await.unwrap().unwrap();
    assert!(identity.administration(&demoted, "sid").is_none());
}

async fn invitations_open_nothing_where_registration_is_closed(house: &House) {
    let identity = inviting_by_mail(house);
    let token = made(house, &boss(house, &identity).await, "").await;
    register(&identity, &token, "ada", house.now()).await.unwrap();
    let link = super::token(&house.mail().await);
    let closed = house.with(|settings| {
        settings.accounts.registration = Registration::Closed;
        settings.accounts.confirm_email = true;
    });
    assert!(matches!(closed.invitation(&token, &client(), house.now()).await, Err(Refusal::Closed)));
    assert!(matches!(register(&closed, &token, "eve", house.now()).await, Err(Refusal::Closed)));
    assert!(matches!(closed.confirm(&link, house.now()).await, Err(Refusal::DeadLink)));
    // What began while it was open to all ends with it as well.
    house.confirming().register(form("bob"), &client(), house.now()).await.unwrap();
    let link = super::token(&house.mail().await);
    for mode in [&closed, &identity] {
        assert!(matches!(mode.confirm(&link, house.now()).await, Err(Refusal::DeadLink)));
    }
    house.confirming().confirm(&link, house.now()).await.unwrap();
}

async fn an_invited_person_needs_no_approval_and_no_domain(house: &House) {
    for mode in [Registration::Approve, Registration::Open] {
        let identity = house.with(|settings| {
            settings.accounts.registration = mode;
            settings.accounts.registration_domains = vec!["example.net".into()];
        });
        let boss = match identity.find("boss").await.unwrap() {
            Some(boss) => identity.administration(&boss, "sid").unwrap(),
            None => boss(house, &identity).await,
        };
        let token = made(house, &boss, "staff").await;
        let name = format!("ada-{mode:?}").to_lowercase();
        let Ok(Registered::Active(ada)) = register(&identity, &token, &name, house.now()).await else { panic!() };
        assert!(house.reload(&ada).await.waiting_since.is_none());
        assert_eq!(ada.groups, ["staff"]);
    }
}

async fn what_is_typed_for_an_invitation_is_judged(house: &House) {
    let identity = inviting(house);
    let boss = boss(house, &identity).await;
    for (email, groups, days, faulty) in [
        ("nobody", "", "7", "email"),
        ("BOSS@example.org", "", "7", "email"),
        ("", "a\u{202e}b", "7", "groups"),
        ("", &"x".repeat(65), "7", "groups"),
        ("", &(0..21).map(|n| format!("g{n},")).collect::<String>(), "7", "groups"),
        ("", "", "0", "days"),
        ("", "", "31", "days"),
        ("", "", "-1", "days"),
        ("", "", "soon", "days"),
        ("", "", "", "days"),
    ] {
        let refused = boss.invite(email, groups, days, house.now()).await.unwrap_err();
        assert_eq!(faulty_fields(&refused), [faulty], "{email:?} {groups:?} {days:?}");
    }
    house.no_mail().await;
    assert_eq!(boss.invitations(0, 10, house.now()).await.unwrap(), []);
}

async fn open_invitations_are_listed_by_pages_and_bounded(house: &House) {
    let identity = inviting(house);
    let boss = boss(house, &identity).await;
    for number in 0..500 {
        boss.invite("", &format!("g{number}"), "7", house.now()).await.unwrap();
        if number < 3 {
            house.later(Duration::from_secs(1));
        }
    }
    let refused = boss.invite("", "", "7", house.now()).await.unwrap_err();
    assert_eq!(faulty_fields(&refused), ["email"]);
    let last = boss.invitations(498, 10, house.now()).await.unwrap();
    assert_eq!(last.iter().map(|one| one.groups.join(",")).collect::<Vec<_>>(), ["g1", "g0"], "the newest first");
    assert_eq!((last[0].maker.as_str(), last[0].email.as_deref()), ("boss", None));
    boss.revoke(&last[0].id, house.now()).await.unwrap();
    boss.invite("", "", "7", house.now()).await.unwrap();
    // Those that nobody can see or use, which an older version left behind, count as little.
    let other = house.administrator("other").await;
    let other = identity.administration(&other, "sid").unwrap();
    other.invite("", "", "7", house.now()).await.unwrap_err();
    let mut tx = house.db.write().await.unwrap();
    crate::storage::run!(tx, sqlx::query("UPDATE accounts SET disabled = TRUE WHERE username = 'boss'")).unwrap();
    tx.commit().await.unwrap();
    other.invite("", "", "7", house.now()).await.unwrap();
    assert_eq!(other.invitations(0, 10, house.now()).await.unwrap().len(), 1);
}

async fn invitations_stand_in_the_database_as_hashes_only(house: &House) {
    let identity = inviting(house);
    let boss = boss(house, &identity).await;
    let invitation = boss.invite("ada@example.org", "", "7", house.now()).await.unwrap();
    let tokens = [of_link(&invitation.link), of_letter(&house.mail_to("ada@example.org").await)];
    let mut tx = house.db.read().await.unwrap();
    let (shown, mailed): (Vec<u8>, Vec<u8>) =
        crate::storage::on!(tx, link => sqlx::query_as("SELECT token, mailed FROM invitations").fetch_one(link))
            .unwrap();
    for (token, kept) in tokens.iter().zip([shown, mailed]) {
        assert_eq!(kept, token::hash(token).unwrap());
    }
}

async fn who_invited_whom_is_in_the_trail(house: &House) {
    let identity = inviting(house);
    let boss = boss(house, &identity).await;
    let token = made(house, &boss, "staff").await;
    let Ok(Registered::Active(ada)) = register(&identity, &token, "ada", house.now()).await else { panic!() };
    boss.disable(&ada.id, house.now()).await.unwrap();
    let entries = identity.activity(&ada.id, None, 10).await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| (entry.event.unwrap(), entry.actor, entry.detail.as_str())).collect();
    assert_eq!(seen, [(Event::Disabled, Actor::Administrator, ""), (Event::Invited, Actor::Own, "staff"),]);
    assert_eq!(doers(house, &ada.id).await, [boss.id().0.to_string(), boss.id().0.to_string()]);
    let entries = identity.activity(boss.id(), None, 1).await.unwrap();
    assert_eq!((entries[0].event, entries[0].detail.as_str()), (Some(Event::InvitationMade), "staff"));
}

async fn who_leaves_takes_their_invitations_along(house: &House) {
    let identity = inviting(house);
    let boss = boss(house, &identity).await;
    boss.invite("ada@example.org", "", "7", house.now()).await.unwrap();
    let mailed = of_letter(&house.mail_to("ada@example.org").await);
    house.mail_to("boss@example.org").await;
    let Ok(Registered::Active(ada)) = register(&identity, &mailed, "ada", house.now()).await else { panic!() };
    made(house, &boss, "").await;
    house.administrator("other").await;
    let kept = async || {
        let mut tx = house.db.read().await.unwrap();
        let kept: i64 =
            crate::storage::on!(tx, link => sqlx::query_scalar("SELECT COUNT(*) FROM invitations").fetch_one(link))
                .unwrap();
        kept
    };
    assert_eq!(kept().await, 2);
    identity.delete(&ada.id, house.now()).await.unwrap();
    assert_eq!(kept().await, 1);
    identity.delete(boss.id(), house.now()).await.unwrap();
    assert_eq!(kept().await, 0);
}

/// Which administrator did what happened to an account, in its order.
pub(super) async fn doers(house: &House, id: &AccountId) -> Vec<String> {
    let mut tx = house.db.read().await.unwrap();
    let doers: Vec<String> = crate::storage::on!(tx, link =>
        sqlx::query_scalar("SELECT doer FROM trail WHERE account = $1 ORDER BY id").bind(&*id.0).fetch_all(link))
    .unwrap();
    doers
}

async fn whoever_takes_an_account_back_ends_the_invitations_it_made(house: &House) {
    let identity = inviting(house);
    let boss = house.administrator("boss").await;
    let administration = async || {
        house.drained().await;
        let boss = identity.account(&boss.id).await.unwrap().unwrap();
        identity.administration(&boss, "another").unwrap()
    };
    let alive = async |token: &str| identity.invitation(token, &client(), house.now()).await.is_ok();

    let first = made(house, &administration().await, "admin").await;
    let used = made(house, &administration().await, "staff").await;
    register(&identity, &used, "ada", house.now()).await.unwrap();
    identity.forgot("boss@example.org", &client(), house.now()).await.unwrap();
    let link = token(&house.mail_to("boss@example.org").await);
    identity.reset(&link, PASSWORD.into(), PASSWORD.into(), house.now()).await.unwrap();
    let told = house.mail_to("boss@example.org").await;
    assert!(told.text.contains("nobody had used are revoked."), "{}", told.text);
    assert!(!alive(&first).await, "after a reset by mail");

    let second = made(house, &administration().await, "admin").await;
    identity.set_password(&boss.id, &OTHER_PASSWORD.into(), house.now()).await.unwrap();
    assert!(house.mail_to("boss@example.org").await.text.contains("are revoked"));
    assert!(!alive(&second).await, "after `user set-password`");

    let third = made(house, &administration().await, "admin").await;
    identity.reset_factors(&boss.id, house.now()).await.unwrap();
    let told = house.mail_to("boss@example.org").await;
    assert!(told.html.contains("are revoked"), "{}", told.html);
    assert!(!alive(&third).await, "after `user reset-factors`");

    identity.ask_to_change_email(&boss.id, "thief@example.org", &client(), house.now()).await.unwrap();
    let change = token(&house.mail_to("thief@example.org").await);
    identity.change_email(&change, house.now()).await.unwrap();
    let undo = token(&house.mail_to("boss@example.org").await);
    let fourth = of_link(&administration().await.invite("", "admin", "7", house.now()).await.unwrap().link);
    house.mail_to("thief@example.org").await;
    identity.undo_email_change(&undo, house.now()).await.unwrap();
    assert!(house.mail_to("boss@example.org").await.text.contains("are revoked"));
    assert!(!alive(&fourth).await, "after the undo of a changed address");
    assert!(identity.find("ada").await.unwrap().is_some(), "who came by one stays");
}

async fn a_disabled_or_demoted_makers_invitations_stay_dead_afterwards(house: &House) {
    let identity = inviting(house);
    let boss = house.administrator("boss").await;
    house.administrator("other").await;
    let administration = async || {
        house.drained().await;
        let boss = identity.account(&boss.id).await.unwrap().unwrap();
        identity.administration(&boss, "another").unwrap()
    };
    let token = made(house, &administration().await, "admin").await;
    identity.disable(&boss.id, house.now()).await.unwrap();
    identity.enable(&boss.id, house.now()).await.unwrap();
    assert!(matches!(identity.invitation(&token, &client(), house.now()).await, Err(Refusal::DeadLink)));
    let token = made(house, &administration().await, "admin").await;
    identity.set_groups(&boss.id, &["staff".into()], house.now()).await.unwrap();
    identity.set_groups(&boss.id, &["staff".into(), "admin".into()], house.now()).await.unwrap();
    assert!(matches!(identity.invitation(&token, &client(), house.now()).await, Err(Refusal::DeadLink)));
    let token = made(house, &administration().await, "admin").await;
    identity.set_groups(&boss.id, &["admin".into()], house.now()).await.unwrap();
    identity.invitation(&token, &client(), house.now()).await.unwrap();
}

async fn an_administrator_who_is_being_signed_out_changes_nothing(house: &House) {
    let identity = inviting(house);
    let boss = house.administrator("boss").await;
    let ada = house.person("ada").await;
    let now = house.now();
    let stale = async |thief: &Administration| {
        let groups = thief.set_groups(&ada.id, "admin", now).await;
        let (invite, revoke) = (thief.invite("", "admin", "7", now).await, thief.revoke("any", now).await);
        let people = [
            thief.disable(&ada.id, now).await,
            thief.enable(&ada.id, now).await,
            thief.decline(&ada.id, now).await,
            groups,
        ];
        assert!(
            matches!(invite, Err(Refusal::Stale)) && matches!(revoke, Err(Refusal::Stale)),
            "{invite:?} {revoke:?}"
        );
        assert!(people.iter().all(|done| matches!(done, Err(Refusal::Stale))), "{people:?}");
    };
    let before = identity.administration(&boss, "stolen").unwrap();
    before.still_acts().await.unwrap();
    identity.set_password(&boss.id, &OTHER_PASSWORD.into(), now).await.unwrap();
    house.mail_to("boss@example.org").await;
    let after = identity.administration(&house.reload(&boss).await, "stolen").unwrap();
    assert!(matches!(after.still_acts().await, Err(Refusal::Stale)));
    stale(&after).await;
    stale(&before).await;
    house.drained().await;
    // The sessions know it by now; a request that began before does not.
    stale(&before).await;
    after.still_acts().await.unwrap();
    after.invite("", "", "7", now).await.unwrap();
    house.mail_to("boss@example.org").await;
    house.no_mail().await;
}

async fn a_form_that_nobody_looked_at_does_not_count(house: &House) {
    let identity = inviting(house);
    let token = made(house, &boss(house, &identity).await, "").await;
    let mut places = Vec::new();
    while let Ok(place) = identity.inner.hasher.enter() {
        places.push(place);
    }
    for _ in 0..300 {
        let (invited, refused) = identity.register_invited(&token, form("ada"), &client(), house.now()).await;
        assert!(invited.is_some() && matches!(refused, Err(Refusal::Busy { .. })), "{refused:?}");
    }
    places.clear();
    register(&identity, &token, "ada", house.now()).await.unwrap();
}
