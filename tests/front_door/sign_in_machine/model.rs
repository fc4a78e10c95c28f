//! Who showed what, and whose session that may begin. It knows nothing of the program's states.

use std::{collections::BTreeSet, time::Duration};

use crate::{authenticator::App, second_factor::NUMBER, twilio::Twilio};

/// What a form shows of its sender, if it is taken.
#[derive(Clone, Debug, PartialEq)]
pub enum Shows {
    Nothing,
    Password(&'static str),
    /// A code, right or wrong.
    Code(String),
    Recovery(String),
    /// What Ada's passkey signed alone: any browser may bring it, once.
    Alone(String),
    /// What Ada's passkey signed for that sign-in.
    Signed {
        credential: String,
        sign_in: usize,
    },
}

/// A right password that waits for the second factor. There is one in a browser: the last.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    who: &'static str,
    since: Duration,
    sign_in: usize,
}

/// Whose session, and what was shown last.
pub type Begun = (&'static str, &'static str);

pub struct Model {
    waiting: [Option<Waiting>; 2],
    /// Of Ada's, not used yet.
    pub recovery: Vec<String>,
    /// What Ada's passkey signed and was taken.
    used: BTreeSet<String>,
    /// Steps of Cleo's app whose code was taken.
    steps: BTreeSet<i64>,
    /// How far the clock was moved.
    pub passed: Duration,
    sign_ins: usize,
}

impl Model {
    /// The code of `step` is used.
    pub fn new(recovery: Vec<String>, step: i64) -> Self {
        let (used, steps) = (BTreeSet::new(), BTreeSet::from([step]));
        Self { waiting: [None; 2], recovery, used, steps, passed: Duration::ZERO, sign_ins: 0 }
    }

    /// A right password was taken in that browser.
    pub fn password(&mut self, at: usize, who: &'static str) {
        self.sign_ins += 1;
        self.waiting[at] = Some(Waiting { who, since: self.passed, sign_in: self.sign_ins });
    }

    /// That browser started over.
    pub fn forget(&mut self, at: usize) {
        self.waiting[at] = None;
    }

    /// Which sign-in waits there.
    pub fn sign_in(&self, at: usize) -> usize {
        self.waiting[at].map_or(0, |waiting| waiting.sign_in)
    }

    fn waits(&self, at: usize, who: &str) -> Option<Waiting> {
        self.waiting[at].filter(|waiting| waiting.who == who && self.passed - waiting.since < PATIENCE)
    }

    /// Whose session this form may begin in that browser.
    pub fn justified(&self, at: usize, action: &str, shows: &Shows, twilio: &Twilio) -> Option<Begun> {
        let ada = self.waits(at, "ada");
        let kind = match shows {
            Shows::Password("ben") if action == "/.auth/login" => return Some(("ben", "password")),
            Shows::Alone(credential) if !self.used.contains(credential) => "alone",
            Shows::Code(code) if ada.is_some() && twilio.code_for(NUMBER).as_ref() == Some(code) => "code",
            Shows::Recovery(code) if ada.is_some() && self.recovery.contains(code) => "recovery",
            Shows::Signed { credential, sign_in }
                if ada.is_some_and(|own| own.sign_in == *sign_in) && !self.used.contains(credential) =>
            {
                "passkey"
            }
            _ => return None,
        };
        Some(("ada", kind))
    }

    /// Whether that is a code of Cleo's app, of step `first` or later; each step is good once.
    pub fn by_app(&self, at: usize, shows: &Shows, app: &App, first: i64) -> Option<(Begun, i64)> {
        self.waits(at, "cleo")?;
        let Shows::Code(code) = shows else { return None };
        let step = (first..=app.step() + 1).find(|step| app.code_of(*step) == *code)?;
        (!self.steps.contains(&step)).then_some((("cleo", "app"), step))
    }

    /// A session began there: what was shown is used up.
    pub fn began(&mut self, at: usize, shows: &Shows, step: Option<i64>) {
        self.steps.extend(step);
        match shows {
            Shows::Recovery(code) => self.recovery.retain(|left| left != code),
            Shows::Alone(credential) | Shows::Signed { credential, .. } => {
                self.used.insert(credential.clone());
            }
            Shows::Nothing | Shows::Password(_) | Shows::Code(_) => {}
        }
        // Neither a password alone nor a passkey alone takes what waits.
        if !matches!(shows, Shows::Password(_) | Shows::Alone(_)) {
            self.waiting[at] = None;
        }
    }
}

/// A right password waits this long for its second factor.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
