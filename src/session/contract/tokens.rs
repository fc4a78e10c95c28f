//! Access tokens: what is kept of them, for how long, and what takes it away.

use super::{outbox::accounts, *};
use crate::{
    identity::{
        Identity,
        access_token::{NewToken, Sites},
    },
    inbound::bearer::{self, Brought, Sealed},
    session::{
        Sid,
        id::{self, Key},
        keys::Purpose,
        outbox::drain,
        store::{Fresh, SessionStore},
    },
};

/// Accounts that a room honours tokens of, and one person in them.
struct House {
    identity: Identity,
    account: Account,
    _folder: TempDir,
}

impl Setting {
    async fn honouring(&self) -> House {
        let folder = tempfile::tempdir().unwrap();
        let (identity, account) = accounts(&folder, &self.clock).await;
        self.sessions.honour_tokens(identity.clone());
        House { identity, account, _folder: folder }
    }

    /// Makes a token; its public name and what stands after `vst_`.
    async fn token(&self, house: &House, name: &str) -> (Sid, Sealed) {
        let minted = self.sessions.mint().unwrap();
        let new = NewToken { name: name.into(), sites: Sites::All, lives: 24 * HOUR };
        let shown = [Shown { method: Method::Pwd, at: self.clock.now() }];
        let maker = (&house.account.id, "sid");
        let made = house.identity.make_token(maker, new, &minted.hash, &shown, self.clock.now()).await.unwrap();
        (Sid(made.id.as_str().into()), sealed(&minted.value))
    }

    async fn by_token(&self, sealed: &Sealed) -> Resumed {
        self.sessions.resume_token(sealed, self.clock.now()).await
    }

    async fn token_lives(&self, sealed: &Sealed) -> bool {
        match self.by_token(sealed).await {
            Resumed::Live(_) => true,
            Resumed::Invalid { .. } => false,
            other => panic!("{other:?}"),
        }
    }

    async fn kept(&self, house: &House) -> usize {
        self.store.of_account(&house.account.id).await.unwrap().len()
    }
}

fn sealed(value: &str) -> Sealed {
    let fields = HeaderMap::from_iter([(http::HeaderName::from_static("vestibule-token"), value.parse().unwrap())]);
    match bearer::brought(&fields) {
        Brought::One(sealed, _) => sealed,
        other => panic!("{other:?}"),
    }
}

on_all! {
    async fn a_token_is_kept_for_ten_minutes_and_then_asked_about_again(setting: Setting) {
        let house = setting.honouring().await;
        let (sid, token) = setting.token(&house, "backup").await;
        assert_eq!(setting.kept(&house).await, 0, "nothing before its first use");
        let Resumed::Live(live) = setting.by_token(&token).await else { panic!("refused") };
        assert_eq!((&live.record.sid, &live.record.account), (&sid, &house.account.id));
        assert_eq!(live.record.groups, ["staff"]);
        assert_eq!(live.idle_expires_at, live.record.expires_at, "it does not idle");
        assert_eq!(setting.kept(&house).await, 1);
        let now = setting.clock.now();
        setting.sessions.touch(&live, now.plus(300 * SECOND));
        setting.sessions.flush().await;
        setting.advance(11 * 60 * SECOND);
        let (_, stored) = setting.store.of_account(&house.account.id).await.unwrap().pop().unwrap();
        assert!(stored.record.deadline(stored.active_at.unwrap()) <= setting.clock.now(), "use prolongs nothing");
        assert!(setting.token_lives(&token).await);
        setting.advance(24 * HOUR);
        assert!(!setting.token_lives(&token).await, "it ran out");
    }

    async fn while_the_accounts_are_away_tokens_in_use_go_on_and_others_wait(setting: Setting) {
        let house = setting.honouring().await;
        let ((_, used), (_, unused)) = (setting.token(&house, "used").await, setting.token(&house, "unused").await);
        assert!(setting.token_lives(&used).await);
        house.identity.close().await;
        assert!(setting.token_lives(&used).await);
        assert!(matches!(setting.by_token(&unused).await, Resumed::Unreachable));
        setting.advance(9 * 60 * SECOND);
        assert!(setting.token_lives(&used).await, "the store alone is asked");
        setting.advance(60 * SECOND);
        assert!(matches!(setting.by_token(&used).await, Resumed::Unreachable), "no answer is no no");
    }

    async fn a_revoked_token_is_asked_about_once_a_minute(setting: Setting) {
        let house = setting.honouring().await;
        let (sid, token) = setting.token(&house, "backup").await;
        house.identity.revoke_token(&house.account.id, &sid.0, setting.clock.now()).await.unwrap().unwrap();
        assert!(!setting.token_lives(&token).await);
        // Whoever asked them now would hear nothing.
        house.identity.close().await;
        setting.advance(59 * SECOND);
        assert!(!setting.token_lives(&token).await);
        setting.advance(SECOND);
        assert!(matches!(setting.by_token(&token).await, Resumed::Unreachable));
    }

    async fn nobody_honours_a_token_that_was_never_kept(setting: Setting) {
        let house = setting.honouring().await;
        let minted = setting.sessions.mint().unwrap();
        assert!(!setting.token_lives(&sealed(&minted.value)).await);
        let (_, token) = setting.token(&house, "backup").await;
        let other = room(&setting.store, &setting.clock, &setting.settings);
        let answer = other.resume_token(&token, setting.clock.now()).await;
        assert!(matches!(answer, Resumed::Invalid { .. }), "a room that knows no accounts: {answer:?}");
    }

    async fn neither_cookie_nor_token_is_taken_for_the_other(setting: Setting) {
        let house = setting.honouring().await;
        let keys = &setting.sessions.shared.keys;
        let like = setting.live(&setting.sign_in(&house.account).await).await.record;
        let now = setting.clock.now();
        // Even with the right MAC, which nobody can make, the record says what it is of.
        for (number, token) in [(1, None), (2, Some(Sites::All))] {
            let id = [number; 32];
            let record = Record { sid: Sid(format!("sid-{number}").into()), token: token.clone(), ..(*like).clone() };
            assert!(setting.store.create(Fresh::new(Key::of(&id), record, now).unwrap(), None).await.unwrap());
            let cookie = format!("vestibule-8080={}", id::seal(keys, Purpose::Session, &id));
            let value = format!("vst_{}", id::seal(keys, Purpose::Token, &id));
            assert_eq!(matches!(setting.resume(&cookie).await, Resumed::Live(_)), token.is_none());
            if token.is_none() {
                assert!(!setting.token_lives(&sealed(&value)).await);
            }
            let swapped = format!("vestibule-8080={}", id::seal(keys, Purpose::Token, &id));
            assert!(!matches!(setting.resume(&swapped).await, Resumed::Live(_)));
            let swapped = format!("vst_{}", id::seal(keys, Purpose::Session, &id));
            assert!(!setting.token_lives(&sealed(&swapped)).await);
        }
    }

    async fn what_ends_other_devices_spares_tokens_and_what_ends_all_does_not(setting: Setting) {
        let house = setting.honouring().await;
        let (_, token) = setting.token(&house, "backup").await;
        let session = setting.live(&setting.sign_in(&house.account).await).await;
        let Resumed::Live(live) = setting.by_token(&token).await else { panic!("refused") };
        let watched = setting.sessions.clone();
        let mut tunnel = tokio::spawn(async move { watched.ended(&live).await });
        let generation = house.account.generation + 1;
        let (id, sid) = (&house.account.id, &session.record.sid);
        setting.sessions.end_account(id, Some(sid), generation).await.unwrap();
        assert_eq!(setting.kept(&house).await, 2);
        assert!(tokio::time::timeout(SECOND, &mut tunnel).await.is_err(), "its tunnel goes on");
        setting.sessions.end_account(id, None, generation).await.unwrap();
        assert_eq!(setting.kept(&house).await, 0);
        tokio::time::timeout(5 * SECOND, tunnel).await.expect("its tunnels end").unwrap();
    }

    async fn tokens_are_not_among_the_devices(setting: Setting) {
        let house = setting.honouring().await;
        let (sid, token) = setting.token(&house, "backup").await;
        assert!(setting.token_lives(&token).await);
        assert!(setting.sessions.list(&house.account.id, setting.clock.now()).await.unwrap().is_empty());
        assert!(!setting.sessions.end_of(&house.account.id, &sid).await.unwrap());
        assert!(setting.token_lives(&token).await);
    }

    async fn a_keeping_that_a_change_overtakes_is_refused(setting: Setting) {
        let house = setting.honouring().await;
        let (_, token) = setting.token(&house, "backup").await;
        let now = setting.clock.now();
        // As if the accounts had been read just before that change.
        setting.store.fence(&house.account.id, house.account.generation + 1, now).await.unwrap();
        assert!(matches!(setting.by_token(&token).await, Resumed::Unreachable));
        assert_eq!(setting.kept(&house).await, 0);
        house.identity.set_groups(&house.account.id, &["night".into()], now).await.unwrap();
        let Resumed::Live(live) = setting.by_token(&token).await else { panic!("refused") };
        assert_eq!(live.record.groups, ["night"]);
    }

    async fn a_token_restored_while_it_is_revoked_stays_dead(setting: Setting) {
        let house = setting.honouring().await;
        let drain = tokio::spawn(drain(house.identity.clone(), setting.sessions.clone()));
        for round in 0..6 {
            let (sid, token) = setting.token(&house, &format!("backup {round}")).await;
            let asking: Vec<_> = (0..8)
                .map(|_| {
                    let (sessions, now) = (setting.sessions.clone(), setting.clock.now());
                    tokio::spawn(async move { sessions.resume_token(&token, now).await })
                })
                .collect();
            let now = setting.clock.now();
            let row = house.identity.revoke_token(&house.account.id, &sid.0, now).await.unwrap().unwrap();
            setting.sessions.settled(row).await.unwrap();
            assert!(!matches!(setting.by_token(&token).await, Resumed::Live(_)));
            for one in asking {
                let _ = one.await.unwrap();
            }
            assert!(!matches!(setting.by_token(&token).await, Resumed::Live(_)));
            assert_eq!(setting.kept(&house).await, 0, "nothing is left of it");
            setting.advance(SECOND);
        }
        drain.abort();
    }

    async fn a_tunnel_outlives_what_is_kept_of_its_token(setting: Setting) {
        let house = setting.honouring().await;
        let drain = tokio::spawn(drain(house.identity.clone(), setting.sessions.clone()));
        let (sid, token) = setting.token(&house, "backup").await;
        let Resumed::Live(live) = setting.by_token(&token).await else { panic!("refused") };
        let watched = setting.sessions.clone();
        let mut tunnel = tokio::spawn(async move { watched.ended(&live).await });
        for _ in 0..2 {
            setting.advance(10 * 60 * SECOND);
            assert!(tokio::time::timeout(SECOND, &mut tunnel).await.is_err(), "the tunnel ended");
        }
        let row = house.identity.revoke_token(&house.account.id, &sid.0, setting.clock.now()).await.unwrap().unwrap();
        setting.sessions.settled(row).await.unwrap();
        tokio::time::timeout(SECOND, tunnel).await.expect("the tunnel is still open").unwrap();
        drain.abort();
    }

    async fn tokens_take_no_place_of_a_session(setting: Setting) {
        let house = setting.honouring().await;
        let first = setting.sign_in(&house.account).await;
        let like = setting.live(&first).await.record;
        // Unused for longest.
        setting.advance(SECOND);
        let now = setting.clock.now();
        for number in 0_u8..70 {
            let sid = Sid(format!("token-{number:03}").into());
            let record = Record { sid, token: Some(Sites::All), ..(*like).clone() };
            assert!(setting.store.create(Fresh::new(Key([number; 32]), record, now).unwrap(), None).await.unwrap());
        }
        setting.sign_in(&house.account).await;
        setting.live(&first).await;
        assert_eq!(setting.kept(&house).await, 72);
    }
}
