//! What an account's owner sees of their sessions, and ends.

use super::*;
use crate::session::{
    Sid,
    id::Key,
    store::{Fresh, SessionStore},
};

fn place(device: &str) -> Place {
    Place { device: device.into(), network: "192.0.2.0/24".into() }
}

impl Setting {
    async fn begin(&self, account: &Account, device: &str) -> Live {
        let proof = self.proof(account, Method::Pwd);
        let set = self.sessions.start(proof, false, place(device), None, self.clock.now()).await.unwrap();
        self.live(&sent(&set)).await
    }

    async fn names(&self, account: &Account) -> Vec<Sid> {
        let listed = self.sessions.list(&account.id, self.clock.now()).await.unwrap();
        listed.into_iter().map(|session| session.sid).collect()
    }
}

on_all! {
    async fn the_owner_sees_their_sessions_newest_first_and_nobody_elses(setting: Setting) {
        let older = setting.begin(&ada(), "Firefox on Windows").await;
        let began = setting.clock.now();
        setting.advance(60 * SECOND);
        let newer = setting.begin(&ada(), "Safari on iPhone").await;
        setting.begin(&Account::for_testing("bob"), "curl").await;
        setting.advance(60 * SECOND);
        let now = setting.clock.now();
        setting.sessions.touch(&older, now);
        let listed = setting.sessions.list(&ada().id, now).await.unwrap();
        let names: Vec<_> = listed.iter().map(|session| session.sid.clone()).collect();
        assert_eq!(names, [newer.record.sid.clone(), older.record.sid.clone()]);
        assert_eq!(listed[0].place, place("Safari on iPhone"));
        assert_eq!(listed[0].seen_at, newer.record.created_at);
        assert_eq!(listed[1].place, place("Firefox on Windows"));
        assert_eq!((listed[1].created_at, listed[1].seen_at), (began, now), "a use not written yet counts");
        assert_eq!(listed[1].factors, older.record.factors);
    }

    async fn what_ran_out_is_not_listed(setting: Setting) {
        setting.begin(&ada(), "Firefox on Windows").await;
        setting.advance(setting.settings.idle / 2);
        let used = setting.begin(&ada(), "Safari on iPhone").await;
        assert_eq!(setting.names(&ada()).await.len(), 2);
        setting.advance(setting.settings.idle / 2);
        assert_eq!(setting.names(&ada()).await, std::slice::from_ref(&used.record.sid));
    }

    async fn one_session_is_ended_by_its_name_under_whatever_id_it_has(setting: Setting) {
        let (one, other) = (setting.begin(&ada(), "curl").await, setting.begin(&ada(), "curl").await);
        let proof = setting.proof(&ada(), Method::Sms);
        let rotated = setting.sessions.rotate(&one, proof, setting.clock.now()).await.unwrap();
        setting.live(&sent(&rotated)).await;
        let watched = setting.sessions.clone();
        let tunnel = tokio::spawn(async move { watched.ended(&one).await });
        let sid = setting.live(&sent(&rotated)).await.record.sid.clone();
        assert!(setting.sessions.end_of(&ada().id, &sid).await.unwrap());
        assert!(setting.ended(&sent(&rotated)).await);
        assert_eq!(setting.names(&ada()).await, std::slice::from_ref(&other.record.sid));
        tokio::time::timeout(5 * SECOND, tunnel).await.expect("its tunnels end").unwrap();
        assert!(!setting.sessions.end_of(&ada().id, &sid).await.unwrap(), "it is gone already");
    }

    async fn somebody_elses_session_is_as_unknown_as_a_made_up_one(setting: Setting) {
        let bob = Account::for_testing("bob");
        let cookie = setting.sign_in(&bob).await;
        let theirs = setting.live(&cookie).await.record.sid.clone();
        setting.sign_in(&ada()).await;
        for sid in [theirs, Sid("made-up".into()), Sid("".into())] {
            assert!(!setting.sessions.end_of(&ada().id, &sid).await.unwrap());
        }
        setting.live(&cookie).await;
        assert_eq!(setting.names(&ada()).await.len(), 1);
    }

    async fn a_record_from_before_places_were_kept_is_still_a_session(setting: Setting) {
        let proof = setting.proof(&ada(), Method::Pwd);
        let set = setting.sessions.start(proof, false, place("curl"), None, setting.clock.now()).await.unwrap();
        let (key, stored) = setting.store.of_account(&ada().id).await.unwrap().pop().unwrap();
        let mut older: serde_json::Value = serde_json::from_str(&stored.raw).unwrap();
        assert!(older.as_object_mut().unwrap().remove("place").is_some(), "{}", stored.raw);
        assert!(setting.store.rewrite(key, stored.raw, older.to_string()).await.unwrap());
        let record = setting.live(&sent(&set)).await.record;
        assert_eq!(record.place, Place::default());
        assert_eq!(setting.names(&ada()).await, std::slice::from_ref(&record.sid));
    }

    async fn no_list_is_longer_than_a_hundred(setting: Setting) {
        let now = setting.clock.now();
        let like = setting.live(&setting.sign_in(&ada()).await).await.record;
        for number in 0_u8..105 {
            let record = Record { sid: Sid(format!("sid-{number:03}").into()), ..(*like).clone() };
            assert!(setting.store.create(Fresh::new(Key([number; 32]), record, now).unwrap(), None).await.unwrap());
        }
        assert_eq!(setting.store.of_account(&ada().id).await.unwrap().len(), 106);
        assert_eq!(setting.names(&ada()).await.len(), 100);
    }
}
