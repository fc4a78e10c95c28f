//! From sign-in to sign-out: start, resume, rotate, end, deadlines.

use super::*;
use crate::session::{
    id::Key,
    store::{Fresh, SessionStore},
};

on_all! {
    async fn a_started_session_is_live_with_what_the_account_says(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        assert_eq!(live.record.username, "ada");
        assert_eq!(live.record.name, "Ada Lovelace");
        assert_eq!(live.record.groups, ["admin", "staff"], "sorted");
        assert_eq!(live.record.email.as_deref(), Some("ada@example.org"));
        assert_eq!(live.record.amr(), ["pwd"]);
        assert_eq!(live.record.expires_at, setting.clock.now().plus(12 * HOUR));
        assert_eq!(live.idle_expires_at, setting.clock.now().plus(HOUR));
        setting.live(&cookie).await;
    }

    async fn an_unconfirmed_address_stays_out_of_the_record(setting: Setting) {
        let cookie = setting.sign_in(&Account { email_confirmed: false, ..ada() }).await;
        assert_eq!(setting.live(&cookie).await.record.email, None);
    }

    async fn a_disabled_account_starts_nothing(setting: Setting) {
        let started = setting.start(&Account { disabled: true, ..ada() }, false).await;
        assert!(matches!(started, Err(NotStarted::Overtaken)), "{started:?}");
    }

    async fn other_cookies_are_anonymous(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let foreign = cookie.replace("vestibule-8080", "vestibule-8081");
        assert!(matches!(setting.resume(&foreign).await, Resumed::Absent));
        let huge = format!("vestibule-8080={}", "a".repeat(60_000));
        let flipped = if cookie.ends_with('A') { "B" } else { "A" };
        for wrong in [
            "vestibule-8080=",
            &cookie[..cookie.len() - 1],
            &format!("{cookie}A"),
            &format!("{}{flipped}", &cookie[..cookie.len() - 1]),
            &format!("{cookie}; {cookie}"),
            &huge,
        ] {
            let resumed = setting.resume(wrong).await;
            assert!(matches!(resumed, Resumed::Invalid { ended: false }), "{wrong}: {resumed:?}");
        }
        setting.live(&cookie).await;
    }

    async fn a_replayed_cookie_is_dead_after_sign_out(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        setting.sessions.end(&live).await.unwrap();
        assert!(setting.ended(&cookie).await);
        setting.sessions.end(&live).await.unwrap();
    }

    async fn a_new_sign_in_kills_the_session_it_replaces(setting: Setting) {
        let first = setting.sign_in(&ada()).await;
        let live = setting.live(&first).await;
        let proof = setting.proof(&Account::for_testing("bob"), Method::Pwd);
        let second = setting.sessions.start(proof, false, Place::default(), Some(&live), setting.clock.now()).await.unwrap();
        assert!(setting.ended(&first).await);
        assert_eq!(setting.live(&sent(&second)).await.record.username, "bob");
    }

    async fn rotation_keeps_the_sid_adds_the_factor_and_kills_the_old_id(setting: Setting) {
        let old = setting.sign_in(&ada()).await;
        let live = setting.live(&old).await;
        setting.advance(SECOND);
        let proof = setting.proof(&ada(), Method::Sms);
        let new = sent(&setting.sessions.rotate(&live, proof, setting.clock.now()).await.unwrap());
        assert!(setting.ended(&old).await);
        let rotated = setting.live(&new).await;
        assert_eq!(rotated.record.sid, live.record.sid);
        assert_eq!(rotated.record.amr(), ["pwd", "sms", "mfa"]);
        assert_eq!(rotated.record.auth_time(), setting.clock.now());
        assert_eq!(rotated.record.expires_at, live.record.expires_at, "the absolute deadline does not move");
        setting.sessions.end(&live).await.unwrap();
        assert!(setting.ended(&new).await, "ending by what was known before the rotation ends it too");
    }

    async fn a_session_revoked_meanwhile_cannot_be_rotated_back_to_life(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        setting.sessions.end(&live).await.unwrap();
        let rotated = setting.sessions.rotate(&live, setting.proof(&ada(), Method::Sms), setting.clock.now()).await;
        assert!(matches!(rotated, Err(NotStarted::Overtaken)), "{rotated:?}");
        assert!(setting.ended(&cookie).await);
    }

    async fn somebody_elses_proof_does_not_rotate(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        let proof = setting.proof(&Account::for_testing("bob"), Method::Sms);
        assert!(setting.sessions.rotate(&live, proof, setting.clock.now()).await.is_err());
        setting.live(&cookie).await;
    }

    async fn late_writes_do_not_revive_a_revoked_session(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        let stored = setting.store.read(live.key).await.unwrap().unwrap();
        setting.sessions.end(&live).await.unwrap();
        let now = setting.clock.now();
        assert!(!setting.store.rewrite(live.key, stored.raw.clone(), stored.raw.clone()).await.unwrap());
        let fresh = Fresh::new(Key([5; 32]), stored.record.clone(), now).unwrap();
        assert!(!setting.store.rotate(live.key, stored.raw, fresh).await.unwrap());
        setting.sessions.touch(&live, now.plus(SECOND));
        setting.sessions.flush().await;
        assert!(setting.store.read(live.key).await.unwrap().is_none());
        assert!(setting.store.read(Key([5; 32])).await.unwrap().is_none());
        assert!(setting.store.of_account(&ada().id).await.unwrap().is_empty());
    }

    async fn a_rewrite_needs_the_record_it_was_made_from(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let key = setting.live(&cookie).await.key;
        assert!(!setting.store.rewrite(key, "{}".into(), "{}".into()).await.unwrap());
        setting.live(&cookie).await;
    }

    async fn idle_ends_a_session_exactly_one_idle_span_after_its_last_use(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        for _ in 0..3 {
            setting.advance(HOUR - SECOND);
            setting.live(&cookie).await;
        }
        // Spaced so that the last use falls between two writes.
        setting.advance(20 * SECOND);
        setting.live(&cookie).await;
        setting.advance(HOUR);
        assert!(setting.ended(&cookie).await);
        assert!(setting.ended(&cookie).await, "and stays ended");
    }

    async fn the_absolute_deadline_holds_whatever_is_used(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        for _ in 0..23 {
            setting.advance(HOUR / 2);
            let live = setting.live(&cookie).await;
            assert!(live.idle_expires_at <= live.record.expires_at);
        }
        setting.advance(HOUR / 2);
        assert!(setting.ended(&cookie).await);
    }

    async fn remember_replaces_both_deadlines(setting: Setting) {
        let now = setting.clock.now();
        let set = setting.sessions.start(setting.proof(&ada(), Method::Pwd), true, Place::default(), None, now).await.unwrap();
        assert!(set.to_str().unwrap().contains("; Max-Age=2592000"), "{set:?}");
        let cookie = sent(&set);
        setting.advance(29 * 24 * HOUR);
        let live = setting.live(&cookie).await;
        let rotated = setting.sessions.rotate(&live, setting.proof(&ada(), Method::Sms), setting.clock.now()).await;
        let rotated = rotated.unwrap();
        assert!(rotated.to_str().unwrap().contains("; Max-Age=86400"), "{rotated:?}");
        setting.advance(24 * HOUR);
        assert!(setting.ended(&sent(&rotated)).await);
    }

    async fn without_remember_the_cookie_goes_with_the_browser(setting: Setting) {
        let set = setting.sessions.start(setting.proof(&ada(), Method::Pwd), false, Place::default(), None, setting.clock.now()).await;
        assert!(!set.unwrap().to_str().unwrap().contains("Max-Age"));
        assert!(setting.sessions.removal().to_str().unwrap().starts_with("vestibule-8080=;"));
        assert!(setting.sessions.removal().to_str().unwrap().contains("Max-Age=0"));
    }

    async fn sessions_survive_a_restart_with_their_activity(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        setting.advance(HOUR / 2);
        setting.live(&cookie).await;
        let setting = setting.restarted().await;
        setting.advance(HOUR - SECOND);
        let live = setting.live(&cookie).await;
        assert_eq!(live.record.username, "ada");
    }

    async fn sweeping_drops_what_ran_out_and_nothing_else(setting: Setting) {
        let kept = setting.start(&ada(), true).await.unwrap();
        let idle = setting.sign_in(&ada()).await;
        let key = setting.live(&idle).await.key;
        setting.advance(2 * HOUR);
        setting.live(&kept).await;
        setting.store.sweep(setting.clock.now()).await.unwrap();
        setting.live(&kept).await;
        assert!(setting.ended(&idle).await);
        if !setting.store.shared() {
            assert!(setting.store.read(key).await.unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_second_process_is_kept_out_of_the_embedded_store() {
    let setting = Setting::embedded().await;
    let second = Store::embedded(setting.folder.as_ref().unwrap().path()).await;
    assert!(matches!(second, Err(crate::session::NotOpened::InUse(_))), "{second:?}");
}
