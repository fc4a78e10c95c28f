//! What an account's change does to its sessions.

use super::*;
use crate::session::{Sid, crowd, store::SessionStore};

on_all! {
    async fn ending_an_account_ends_its_sessions_and_no_others(setting: Setting) {
        let bob = Account::for_testing("bob");
        let (first, second) = (setting.sign_in(&ada()).await, setting.sign_in(&ada()).await);
        let other = setting.sign_in(&bob).await;
        let kept = setting.live(&first).await.record.sid.clone();
        setting.live(&second).await;
        let change = changed(&ada());
        setting.sessions.end_account(&ada().id, Some(&kept), change.generation).await.unwrap();
        setting.live(&first).await;
        assert!(setting.ended(&second).await);
        setting.live(&other).await;
        setting.sessions.end_account(&ada().id, None, change.generation).await.unwrap();
        assert!(setting.ended(&first).await);
        setting.live(&other).await;
    }

    async fn a_proof_from_before_the_change_starts_nothing(setting: Setting) {
        let change = changed(&ada());
        setting.sessions.end_account(&ada().id, None, change.generation).await.unwrap();
        let stale = setting.start(&ada(), false).await;
        assert!(matches!(stale, Err(NotStarted::Overtaken)), "{stale:?}");
        assert!(setting.store.of_account(&ada().id).await.unwrap().is_empty());
        let fresh = setting.sign_in(&change).await;
        setting.live(&fresh).await;
    }

    async fn a_change_applied_late_or_twice_spares_who_signed_in_after_it(setting: Setting) {
        let before = setting.sign_in(&ada()).await;
        let change = changed(&ada());
        let after = setting.sign_in(&change).await;
        setting.sessions.end_account(&ada().id, None, change.generation).await.unwrap();
        assert!(setting.ended(&before).await);
        setting.live(&after).await;
    }

    async fn a_rewrite_does_not_hide_a_session_from_an_end(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let ended = changed(&ada());
        setting.sessions.rewrite_account(&changed(&ended)).await.unwrap();
        setting.live(&cookie).await;
        setting.sessions.end_account(&ada().id, None, ended.generation).await.unwrap();
        assert!(setting.ended(&cookie).await);
    }

    async fn the_session_spared_by_a_password_change_rotates(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let live = setting.live(&cookie).await;
        let proof = setting.proof(&ada(), Method::Pwd);
        let change = changed(&ada());
        setting.sessions.end_account(&ada().id, Some(&live.record.sid), change.generation).await.unwrap();
        let rotated = setting.sessions.rotate(&live, proof, setting.clock.now()).await.unwrap();
        setting.live(&sent(&rotated)).await;
        assert!(setting.ended(&cookie).await);
    }

    async fn a_rewrite_reaches_every_session_of_the_account(setting: Setting) {
        let bob = Account { groups: vec!["staff".into()], ..Account::for_testing("bob") };
        let (first, second) = (setting.sign_in(&ada()).await, setting.sign_in(&ada()).await);
        let other = setting.sign_in(&bob).await;
        setting.live(&first).await;
        let change = Account { groups: vec!["guests".into()], username: "countess".into(), ..changed(&ada()) };
        setting.sessions.rewrite_account(&change).await.unwrap();
        for cookie in [&first, &second] {
            let record = setting.live(cookie).await.record;
            assert_eq!(record.groups, ["guests"]);
            assert_eq!(record.username, "countess");
        }
        assert_eq!(setting.live(&other).await.record.groups, ["staff"]);
    }

    async fn an_older_reading_never_overwrites_a_newer_one(setting: Setting) {
        let cookie = setting.sign_in(&ada()).await;
        let older = Account { groups: vec!["admin".into()], ..changed(&ada()) };
        let newer = Account { groups: vec![], ..changed(&older) };
        setting.sessions.rewrite_account(&newer).await.unwrap();
        setting.sessions.rewrite_account(&older).await.unwrap();
        assert!(setting.live(&cookie).await.record.groups.is_empty());
        let stale = setting.start(&older, false).await;
        assert!(matches!(stale, Err(NotStarted::Overtaken)), "nor does a sign-in proved before it: {stale:?}");
    }

    async fn a_sign_in_racing_a_change_is_refused_or_ended(setting: Setting) {
        for round in 0..10 {
            let account = Account::for_testing(&format!("racer{round}"));
            let change = changed(&account);
            let start = setting.start(&account, false);
            let end = setting.sessions.end_account(&account.id, None, change.generation);
            let (started, ended) = tokio::join!(start, end);
            ended.unwrap();
            if let Ok(cookie) = started {
                assert!(setting.ended(&cookie).await);
            }
            assert!(setting.store.of_account(&account.id).await.unwrap().is_empty());
        }
    }

    async fn rotations_racing_an_end_leave_nothing_alive(setting: Setting) {
        for _ in 0..10 {
            let cookie = setting.sign_in(&ada()).await;
            let live = setting.live(&cookie).await;
            let rotate = setting.sessions.rotate(&live, setting.proof(&ada(), Method::Sms), setting.clock.now());
            let (rotated, ended) = tokio::join!(rotate, setting.sessions.end(&live));
            ended.unwrap();
            if let Ok(set) = rotated {
                assert!(setting.ended(&sent(&set)).await);
            }
            assert!(setting.ended(&cookie).await);
        }
    }

    async fn the_session_unused_for_longest_makes_room(setting: Setting) {
        let mut cookies = Vec::new();
        for _ in 0..crowd::MOST {
            cookies.push(setting.sign_in(&ada()).await);
            setting.clock.advance(Duration::from_millis(10));
        }
        setting.live(&cookies[0]).await;
        let one_more = setting.sign_in(&ada()).await;
        assert!(setting.ended(&cookies[0]).await);
        setting.live(&cookies[1]).await;
        setting.live(&one_more).await;
        assert_eq!(setting.store.of_account(&ada().id).await.unwrap().len(), crowd::MOST);
    }

    async fn an_account_lists_its_sessions_across_rotation(setting: Setting) {
        let first = setting.live(&setting.sign_in(&ada()).await).await;
        let second = setting.live(&setting.sign_in(&ada()).await).await;
        let proof = setting.proof(&ada(), Method::Sms);
        setting.sessions.rotate(&first, proof, setting.clock.now()).await.unwrap();
        let listed = setting.store.of_account(&ada().id).await.unwrap();
        let mut sids: Vec<Sid> = listed.into_iter().map(|(_, stored)| stored.record.sid).collect();
        let mut expected = vec![first.record.sid.clone(), second.record.sid.clone()];
        sids.sort_by(|a, b| a.0.cmp(&b.0));
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(sids, expected);
    }
}
