//! The sign-in as a machine: whatever is sent, in any order, from any tab, sent again, or from another browser, there is no
//! way to a session without the factors its account has.
//!
//! Two people's browsers walk at random before one program. A model knows nothing of the program's states; it knows who
//! showed what: a password that was right, in this browser; then a code that was right at that moment, a recovery code not
//! used yet, or what the right passkey signed for a page this very browser was given, once. A session that begins otherwise
//! is a finding, and the walk up to it is told.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use crate::{
    authenticator::recovery_codes,
    passkeys::add,
    second_factor::{NUMBER, Stage, stage_with},
    support::{
        client::Browser,
        html,
        key::{Key, asked},
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

/// A form as it was sent once.
#[derive(Clone, Debug)]
struct Form {
    action: String,
    fields: Vec<(&'static str, String)>,
    shows: Shows,
}

/// What a form shows of its sender, if it is taken.
#[derive(Clone, Debug, PartialEq)]
enum Shows {
    Nothing,
    Password(&'static str),
    /// A code, right or wrong.
    Code(String),
    Recovery(String),
    /// What Ada's passkey signed for a page of that browser.
    Signed {
        credential: String,
        browser: usize,
        alone: bool,
    },
}

/// A browser, and whose passwords were right in it since their last session began.
struct Walker {
    browser: Browser,
    passwords: BTreeSet<&'static str>,
}

struct Walk {
    stage: Stage,
    key: Key,
    walkers: Vec<Walker>,
    /// Of Ada's, not used yet.
    recovery: Vec<String>,
    /// Every form sent so far.
    sent: Vec<Form>,
    used: BTreeSet<String>,
    told: String,
    seed: u64,
    sessions: usize,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let stage = stage_with(|setup| setup.moved_clock = true).await;
        stage.program.add_person("ben", OTHER_PASSWORD, false);
        let mut ada = stage.enrolled().await;
        let mut key = Key::new(&stage.program.origin());
        add(&mut ada, &mut key, "Yubi").await.expect(303);
        let recovery = recovery_codes(&mut ada).await;
        let walkers =
            (0..2).map(|_| Walker { browser: Browser::new(&stage.program), passwords: BTreeSet::new() }).collect();
        let (sent, used, told) = (Vec::new(), BTreeSet::new(), String::new());
        Self { stage, key, walkers, recovery, sent, used, told, seed, sessions: 0 }
    }

    /// The next of so many: xorshift64.
    fn pick(&mut self, of: usize) -> usize {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        usize::try_from(self.seed % u64::try_from(of).unwrap()).unwrap()
    }

    async fn step(&mut self) {
        let at = self.pick(2);
        match self.pick(16) {
            0..=2 => self.sign_in(at).await,
            3..=6 => self.answer(at).await,
            7 => self.alone(at).await,
            8 | 9 => self.another_way(at).await,
            10..=12 => self.again(at).await,
            13 => {
                let walker = &mut self.walkers[at];
                walker.browser.get("/.auth/login?over=1").await;
                writeln!(self.told, "{at}: starts over").unwrap();
            }
            14 => {
                let page = self.walkers[at].browser.get("/.auth/logout").await;
                if let Some(token) = html::input_value(&page.text(), "csrf") {
                    self.send(at, "/.auth/logout", vec![("csrf", token)], Shows::Nothing).await;
                }
            }
            _ => {
                let span = [Duration::from_secs(31), Duration::from_secs(660)][self.pick(2)];
                self.stage.program.clock.as_ref().unwrap().advance(span);
                self.stage.twilio.advance(span);
                writeln!(self.told, "{} s pass", span.as_secs()).unwrap();
            }
        }
    }

    async fn sign_in(&mut self, at: usize) {
        let (who, right) = [("ada", PASSWORD), ("ben", OTHER_PASSWORD)][self.pick(2)];
        let right_one = self.pick(4) > 0;
        let password = if right_one { right } else { "not-the-password-93" };
        let shows = if right_one { Shows::Password(who) } else { Shows::Nothing };
        let page = self.walkers[at].browser.get("/.auth/login?again=1").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        let fields = vec![("csrf", token), ("identifier", who.to_owned()), ("password", password.to_owned())];
        self.send(at, "/.auth/login", fields, shows).await;
    }

    /// Whatever the page asks for is answered with one thing or another.
    async fn answer(&mut self, at: usize) {
        let page = self.walkers[at].browser.get("/.auth/login/verify").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        let code = self.stage.twilio.code_for(NUMBER);
        let shows = match self.pick(6) {
            0 => Shows::Code(self.stage.twilio.wrong_code_for(NUMBER)),
            1 => match self.recovery.first() {
                Some(code) => Shows::Recovery(code.clone()),
                None => return,
            },
            2 => Shows::Recovery("abcd-efgh-ijkl-mnop".into()),
            3 if page.text().contains("data-options") => {
                Shows::Signed { credential: self.key.sign(&asked(&page)), browser: at, alone: false }
            }
            _ => Shows::Code(code.unwrap_or_else(|| "000000".into())),
        };
        let fields = match &shows {
            Shows::Signed { credential, .. } => vec![("csrf", token), ("credential", credential.clone())],
            Shows::Code(code) | Shows::Recovery(code) => vec![("csrf", token), ("code", code.clone())],
            Shows::Nothing | Shows::Password(_) => return,
        };
        self.send(at, "/.auth/login/verify", fields, shows).await;
    }

    async fn alone(&mut self, at: usize) {
        let page = self.walkers[at].browser.get("/.auth/login?again=1").await;
        let field = |name| html::input_value(&page.text(), name);
        let (Some(token), Some(ceremony)) = (field("csrf"), field("ceremony")) else { return };
        let mut key = Key::new(&self.stage.program.origin());
        let own = self.pick(3) > 0;
        let signer = if own {
            &self.key
        } else {
            key.claim(&self.key);
            &key
        };
        let credential = signer.sign(&asked(&page));
        let shows = match own {
            true => Shows::Signed { credential: credential.clone(), browser: at, alone: true },
            false => Shows::Nothing,
        };
        let fields = vec![("csrf", token), ("ceremony", ceremony), ("credential", credential)];
        self.send(at, "/.auth/login/passkey", fields, shows).await;
    }

    async fn another_way(&mut self, at: usize) {
        let page = self.walkers[at].browser.get("/.auth/login/verify").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        let other = html::input_value(&page.text(), "factor");
        let fields = match (self.pick(3), other) {
            (0, _) => vec![("csrf", token), ("channel", "call".into())],
            (1, Some(other)) => vec![("csrf", token), ("factor", other)],
            _ => vec![("csrf", token), ("factor", "passkey".into())],
        };
        self.send(at, "/.auth/login/verify/send", fields, Shows::Nothing).await;
    }

    /// A form of before, perhaps another browser's, as it was, or with a token that fits.
    async fn again(&mut self, at: usize) {
        if self.sent.is_empty() {
            return;
        }
        let which = self.pick(self.sent.len());
        let mut form = self.sent[which].clone();
        if self.pick(2) == 0 {
            let page = self.walkers[at].browser.get("/.auth/login?again=1").await;
            let Some(token) = html::input_value(&page.text(), "csrf") else { return };
            form.fields[0].1 = token;
        }
        self.send(at, &form.action, form.fields, form.shows).await;
    }

    /// Sends, and holds what came of it against the model.
    async fn send(&mut self, at: usize, action: &str, fields: Vec<(&'static str, String)>, shows: Shows) {
        let before = self.walkers[at].browser.session_cookie();
        let justified = self.justified(at, action, &shows);
        let sent: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = self.walkers[at].browser.post(action, &sent).await;
        let brief = format!("{shows:?}");
        writeln!(self.told, "{at}: {action} {brief:.60} -> {}", reply.status).unwrap();
        let walker = &mut self.walkers[at];
        let after = walker.browser.session_cookie();
        // A right password counts only where it was taken: 303, to the second step or on.
        if let Shows::Password(who) = &shows
            && reply.status == 303
            && action == "/.auth/login"
            && reply.field("location").contains("/login/verify")
        {
            walker.passwords.insert(who);
        }
        if after.is_some() && after != before {
            let me = walker.browser.api("/.auth/me").await.json();
            let who = me["username"].as_str().unwrap_or_default().to_owned();
            assert_eq!(justified, Some(who.as_str()), "nobody showed what {who} has to show:\n{}", self.told);
            self.sessions += 1;
            walker.passwords.remove(who.as_str());
            match &shows {
                Shows::Recovery(code) => self.recovery.retain(|left| left != code),
                Shows::Signed { credential, .. } => {
                    self.used.insert(credential.clone());
                }
                Shows::Nothing | Shows::Password(_) | Shows::Code(_) => {}
            }
        }
        self.sent.push(Form { action: action.to_owned(), fields, shows });
    }

    /// Whose session this form may begin in that browser.
    fn justified(&self, at: usize, action: &str, shows: &Shows) -> Option<&'static str> {
        let password = self.walkers[at].passwords.contains("ada");
        match shows {
            Shows::Password("ben") if action == "/.auth/login" => Some("ben"),
            Shows::Code(code) => {
                (password && self.stage.twilio.code_for(NUMBER).as_ref() == Some(code)).then_some("ada")
            }
            Shows::Recovery(code) => (password && self.recovery.contains(code)).then_some("ada"),
            // What the form holds of a page is the sealed ceremony: another browser may bring it, once.
            Shows::Signed { credential, alone: true, .. } => (!self.used.contains(credential)).then_some("ada"),
            Shows::Signed { credential, browser, alone: false } => {
                (password && *browser == at && !self.used.contains(credential)).then_some("ada")
            }
            Shows::Nothing | Shows::Password(_) => None,
        }
    }
}

async fn walk(seed: u64) -> usize {
    let mut walk = Walk::begin(seed).await;
    writeln!(walk.told, "seed {seed}").unwrap();
    for _ in 0..STEPS {
        walk.step().await;
    }
    // The double's own rules are not what is judged here: random walks ask too often.
    walk.stage.twilio.complaints();
    walk.sessions
}

#[tokio::test]
async fn no_walk_leads_to_a_session_without_the_factors_it_needs() {
    let fresh = std::collections::hash_map::RandomState::new().build_hasher().finish() | 1;
    let walks = [0x5eed, 0xace1, 0xbeef_cafe, fresh].map(walk);
    let sessions: usize = futures_util::future::join_all(walks).await.into_iter().sum();
    assert!(sessions > 4, "only {sessions} sessions began: the walks prove little");
}

const STEPS: usize = 70;
