//! The sign-in as a machine: whatever is sent, in any order, from any tab, sent again, or from another browser, there is no
//! way to a session without the factors its account has.
//!
//! Two people's browsers walk at random before one program. A model knows nothing of the program's states; it knows who
//! showed what: a password that was right, in this browser, the last one there and not too long ago; then a code that was
//! right at that moment, of a message or an app, a recovery code not used yet, or what the right passkey signed for a page
//! this very browser was given, once. A session that begins otherwise is a finding, and the walk up to it is told.

mod model;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use self::model::{Model, Shows};
use crate::{
    authenticator::{App, recovery_codes},
    passkeys::add,
    second_factor::{NUMBER, Stage, stage_with},
    support::{
        client::Browser,
        html,
        key::{Key, asked},
        people::{OTHER_PASSWORD, PASSWORD},
    },
};

/// Ada has a passkey, a telephone and recovery codes; Ben his password alone; Cleo an app.
const PEOPLE: [(&str, &str); 3] = [("ada", PASSWORD), ("ben", OTHER_PASSWORD), ("cleo", "granite-willow-58-teapot")];

/// A form as it was sent once.
#[derive(Clone, Debug)]
struct Form {
    action: String,
    fields: Vec<(&'static str, String)>,
    shows: Shows,
}

struct Walk {
    stage: Stage,
    key: Key,
    app: App,
    browsers: [Browser; 2],
    model: Model,
    /// Every form sent so far.
    sent: Vec<Form>,
    told: String,
    seed: u64,
    /// Sessions that began, by what was shown last.
    sessions: BTreeMap<&'static str, usize>,
    honest: usize,
}

impl Walk {
    async fn begin(seed: u64) -> Self {
        let stage = stage_with(|setup| setup.moved_clock = true).await;
        for (name, password) in &PEOPLE[1..] {
            stage.program.add_person(name, password, false);
        }
        let mut ada = stage.enrolled().await;
        let mut key = Key::new(&stage.program.origin());
        add(&mut ada, &mut key, "Yubi").await.expect(303);
        let recovery = recovery_codes(&mut ada).await;
        let mut cleo = Browser::new(&stage.program).signed_in(PEOPLE[2].0, PEOPLE[2].1).await;
        let app = App::told_by(&cleo.get(APP).await.expect(200));
        let step = app.step();
        cleo.submit(APP, APP, &[("code", &app.code_of(step))]).await.expect(303);
        let browsers = [Browser::new(&stage.program), Browser::new(&stage.program)];
        let (model, sent, told) = (Model::new(recovery, step), Vec::new(), String::new());
        Self { stage, key, app, browsers, model, sent, told, seed, sessions: BTreeMap::new(), honest: 0 }
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
        match self.pick(20) {
            0..=2 => self.sign_in(at).await,
            3..=6 => self.answer(at).await,
            7 => self.alone(at).await,
            8 | 9 => self.another_way(at).await,
            10..=12 => self.again(at).await,
            13 => self.start_over(at).await,
            14 => self.sign_out(at).await,
            15 | 16 => self.honestly(at).await,
            17 => self.walks_away(at).await,
            _ => {
                let span = [31, 660][self.pick(2)];
                self.advance(Duration::from_secs(span));
            }
        }
    }

    fn advance(&mut self, span: Duration) {
        self.stage.program.clock.as_ref().unwrap().advance(span);
        self.stage.twilio.advance(span);
        self.app.advance(span);
        self.model.passed += span;
        writeln!(self.told, "{} s pass", span.as_secs()).unwrap();
    }

    async fn start_over(&mut self, at: usize) {
        self.browsers[at].follow("/.auth/login?over=1").await;
        self.model.forget(at);
        writeln!(self.told, "{at}: starts over").unwrap();
    }

    async fn sign_out(&mut self, at: usize) {
        let page = self.browsers[at].get("/.auth/logout").await;
        if let Some(token) = html::input_value(&page.text(), "csrf") {
            self.send(at, "/.auth/logout", vec![("csrf", token)], Shows::Nothing).await;
        }
    }

    async fn sign_in(&mut self, at: usize) {
        let (who, right) = PEOPLE[self.pick(PEOPLE.len())];
        if self.pick(4) > 0 {
            self.password(at, who, right, Shows::Password(who)).await;
        } else {
            self.password(at, who, "not-the-password-93", Shows::Nothing).await;
        }
    }

    async fn password(&mut self, at: usize, who: &str, password: &str, shows: Shows) {
        let page = self.browsers[at].get("/.auth/login?again=1").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        let fields = vec![("csrf", token), ("identifier", who.to_owned()), ("password", password.to_owned())];
        self.send(at, "/.auth/login", fields, shows).await;
    }

    /// Everything that is asked, by one way after the other: an honest person in between.
    async fn honestly(&mut self, at: usize) {
        let kind = KINDS[self.honest % KINDS.len()];
        self.honest += 1;
        self.sign_out(at).await;
        let (who, password) = match kind {
            "alone" => return self.sign_alone(at, true).await,
            "password" => PEOPLE[1],
            "app" => PEOPLE[2],
            _ => PEOPLE[0],
        };
        self.password(at, who, password, Shows::Password(who)).await;
        let page = self.browsers[at].get("/.auth/login/verify").await;
        match kind {
            "app" => {
                let code = self.app.code();
                self.show(at, Shows::Code(code)).await;
            }
            "code" => {
                let Some(factor) = html::input_value(&page.text(), "factor") else { return };
                let fields = vec![("csrf", html::input_value(&page.text(), "csrf").unwrap()), ("factor", factor)];
                self.send(at, "/.auth/login/verify/send", fields, Shows::Nothing).await;
                let Some(code) = self.stage.twilio.code_for(NUMBER) else { return };
                self.show(at, Shows::Code(code)).await;
            }
            "recovery" => {
                let Some(code) = self.model.recovery.first().cloned() else { return };
                self.show(at, Shows::Recovery(code)).await;
            }
            "passkey" => self.sign_second(at).await,
            _ => {}
        }
    }

    /// A right password; then it is too late, or taken back, and all the rest is right.
    async fn walks_away(&mut self, at: usize) {
        self.sign_out(at).await;
        let (who, password) = PEOPLE[[0, 2][self.pick(2)]];
        self.password(at, who, password, Shows::Password(who)).await;
        match self.pick(2) {
            0 => self.start_over(at).await,
            _ => self.advance(Duration::from_secs(15 * 60 + 1)),
        }
        self.sign_second(at).await;
        let code = self.app.code();
        self.show(at, Shows::Code(code)).await;
    }

    /// Whatever the page asks for is answered with one thing or another.
    async fn answer(&mut self, at: usize) {
        let shows = match self.pick(8) {
            0 => Shows::Code(self.stage.twilio.wrong_code_for(NUMBER)),
            1 => match self.model.recovery.first() {
                Some(code) => Shows::Recovery(code.clone()),
                None => return,
            },
            2 => Shows::Recovery("abcd-efgh-ijkl-mnop".into()),
            3 | 4 => return self.sign_second(at).await,
            5 => {
                // Two steps early or late is too much.
                let step = self.app.step() - 2 + i64::try_from(self.pick(5)).unwrap();
                Shows::Code(self.app.code_of(step))
            }
            _ => Shows::Code(self.stage.twilio.code_for(NUMBER).unwrap_or_else(|| "000000".into())),
        };
        self.show(at, shows).await;
    }

    async fn show(&mut self, at: usize, shows: Shows) {
        let (Shows::Code(code) | Shows::Recovery(code)) = &shows else { return };
        let code = code.clone();
        let page = self.browsers[at].get("/.auth/login/verify").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        self.send(at, "/.auth/login/verify", vec![("csrf", token), ("code", code)], shows).await;
    }

    async fn sign_second(&mut self, at: usize) {
        let page = self.browsers[at].get("/.auth/login/verify").await;
        let Some(token) = html::input_value(&page.text(), "csrf") else { return };
        if !page.text().contains("data-options") {
            return;
        }
        let credential = self.key.sign(&asked(&page));
        let sign_in = self.model.sign_in(at);
        let fields = vec![("csrf", token), ("credential", credential.clone())];
        self.send(at, "/.auth/login/verify", fields, Shows::Signed { credential, sign_in }).await;
    }

    async fn alone(&mut self, at: usize) {
        let own = self.pick(3) > 0;
        self.sign_alone(at, own).await;
    }

    /// By Ada's passkey, or by one that only says so.
    async fn sign_alone(&mut self, at: usize, own: bool) {
        let page = self.browsers[at].get("/.auth/login?again=1").await;
        let field = |name| html::input_value(&page.text(), name);
        let (Some(token), Some(ceremony)) = (field("csrf"), field("ceremony")) else { return };
        let mut key = Key::new(&self.stage.program.origin());
        let signer = if own {
            &self.key
        } else {
            key.claim(&self.key);
            &key
        };
        let credential = signer.sign(&asked(&page));
        let shows = if own { Shows::Alone(credential.clone()) } else { Shows::Nothing };
        let fields = vec![("csrf", token), ("ceremony", ceremony), ("credential", credential)];
        self.send(at, "/.auth/login/passkey", fields, shows).await;
    }

    async fn another_way(&mut self, at: usize) {
        let page = self.browsers[at].get("/.auth/login/verify").await;
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
            let page = self.browsers[at].get("/.auth/login?again=1").await;
            let Some(token) = html::input_value(&page.text(), "csrf") else { return };
            form.fields[0].1 = token;
        }
        self.send(at, &form.action, form.fields, form.shows).await;
    }

    /// Sends, and holds what came of it against the model.
    async fn send(&mut self, at: usize, action: &str, fields: Vec<(&'static str, String)>, shows: Shows) {
        let before = self.browsers[at].session_cookie();
        let justified = self.model.justified(at, action, &shows, &self.stage.twilio);
        // The program looks at its clock somewhere between.
        let first = self.app.step() - 1;
        let sent: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = self.browsers[at].post(action, &sent).await;
        let brief = format!("{shows:?}");
        writeln!(self.told, "{at}: {action} {brief:.60} -> {}", reply.status).unwrap();
        // A right password counts only where it was taken: 303, to the second step or on.
        if let Shows::Password(who) = &shows
            && reply.status == 303
            && action == "/.auth/login"
            && reply.location().contains("/login/verify")
        {
            self.model.password(at, who);
        }
        let after = self.browsers[at].session_cookie();
        if after.is_some() && after != before {
            let me = self.browsers[at].api("/.auth/me").await.json();
            let who = me["username"].as_str().unwrap_or_default();
            let by_app = self.model.by_app(at, &shows, &self.app, first);
            let begun = justified.or(by_app.map(|(begun, _)| begun));
            let said = || format!("nobody showed what {who} has to show:\n{}", self.told);
            let (owner, kind) = begun.unwrap_or_else(|| panic!("{}", said()));
            assert_eq!(owner, who, "{}", said());
            self.model.began(at, &shows, by_app.map(|(_, step)| step));
            *self.sessions.entry(kind).or_default() += 1;
        }
        self.sent.push(Form { action: action.to_owned(), fields, shows });
    }
}

async fn walk(seed: u64) -> BTreeMap<&'static str, usize> {
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
    let mut began = BTreeMap::new();
    for (kind, count) in futures_util::future::join_all(walks).await.into_iter().flatten() {
        *began.entry(kind).or_insert(0) += count;
    }
    for kind in KINDS {
        assert!(began.contains_key(kind), "no session began by {kind}: the walks prove little: {began:?}");
    }
}

/// What may be shown last.
const KINDS: [&str; 6] = ["app", "code", "recovery", "passkey", "alone", "password"];
const APP: &str = "/.auth/second-factor/app";
const STEPS: usize = 70;
