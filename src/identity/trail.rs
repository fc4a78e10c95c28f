//! The audit trail: what happened to accounts, who did it, and from which network.
//!
//! A guarded change and its entry are one transaction. Tries to sign in are many, and nobody waits for their entries: those
//! gather in [`Waiting`] and one task writes them, many at a time. Each entry is also one line of the log, by the target
//! `vestibule::audit`. Neither holds secrets, whole client addresses, or what somebody typed as an unknown name. OWASP
//! Logging Cheat Sheet.

mod writer;

use std::borrow::Cow;

use ipnet::IpNet;

pub(super) use self::writer::{Item, Waiting};
use super::{
    Answered, Identity, Refusal, Shown,
    account::{Account, AccountId, FactorKind},
    ledger::Carry,
    outbox::RowId,
};
use crate::{inbound::Client, storage::Tx, world::UnixMillis};

/// Names the events and the words they are stored by.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event {
            $($(#[$doc])* $name,)*
        }

        impl Event {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is stored and logged.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

events! {
    /// Every factor was shown. Detail: the ways.
    SignedIn = "signed-in",
    /// Detail: [`WRONG_PASSWORD`], [`WRONG_CODE`], [`WRONG_PASSKEY`], [`PUSH_DENIED`], [`NO_TRIES`], [`THROTTLED`], [`DISABLED`].
    SignInRefused = "sign-in-refused",
    /// By its owner.
    SignedOut = "signed-out",
    /// One other session was ended by hand.
    SessionEnded = "session-ended",
    /// All other sessions were ended by hand.
    OthersEnded = "others-ended",
    /// Somebody signed in showed once more who they are. Detail: the ways.
    Confirmed = "confirmed",
    /// Detail: which kind.
    FactorAdded = "factor-added",
    /// Detail: which kind.
    FactorRemoved = "factor-removed",
    /// A passkey has another name.
    PasskeyRenamed = "passkey-renamed",
    /// What is asked first at sign-in is another way.
    AskedFirstSet = "asked-first-set",
    /// A passkey counts backwards, as a copy would: it signed nobody in.
    PasskeyCopied = "passkey-copied",
    /// Ten new ones; older ones are worth nothing.
    RecoveryCodesMade = "recovery-codes-made",
    /// One of them stood in for the second factor.
    RecoveryCodeUsed = "recovery-code-used",
    /// By who knew the old one.
    PasswordChanged = "password-changed",
    /// By a link from a mail.
    PasswordReset = "password-reset",
    /// A reset link was sent.
    ResetAsked = "reset-asked",
    /// The address is its owner's.
    EmailConfirmed = "email-confirmed",
    /// A link was sent to a new address.
    EmailChangeAsked = "email-change-asked",
    /// By the link to the new address.
    EmailChanged = "email-changed",
    /// By the link to the old address.
    EmailChangeUndone = "email-change-undone",
    /// An access token. Detail: its public name, a blank, what its owner calls it.
    TokenMade = "token-made",
    /// By its owner. Detail: as above.
    TokenRevoked = "token-revoked",
    /// All of them, with a change after which nothing goes on that somebody else may have begun.
    TokensEnded = "tokens-ended",
    /// Everything kept of the account was downloaded.
    DataTaken = "data-downloaded",
    /// Names or about me.
    ProfileChanged = "profile-changed",
    /// The account began.
    Registered = "registered",
    /// The account began as the first administrator's.
    SetupUsed = "setup-used",
    /// The account began, by the operator.
    Added = "added",
    /// The account began by an invitation; its doer made that. Detail: the groups it gave.
    Invited = "invited",
    /// An administrator let somebody in who waited.
    Approved = "approved",
    /// An administrator let somebody not in who waited: the account is gone.
    Declined = "declined",
    /// An administrator made an invitation. Detail: the groups it gives.
    InvitationMade = "invitation-made",
    /// An administrator ended one.
    InvitationRevoked = "invitation-revoked",
    /// By the operator or an administrator.
    Disabled = "disabled",
    /// By the operator or an administrator.
    Enabled = "enabled",
    /// By its owner, or by the operator.
    Deleted = "deleted",
    /// By the operator or an administrator. Detail: the names of the groups.
    GroupsSet = "groups-set",
    /// By the operator.
    PasswordSet = "password-set",
    /// Every second factor was turned off, by the operator.
    FactorsReset = "factors-reset",
}

impl Event {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.word() == word)
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever acted as the account's owner, or tried to.
    Own,
    /// The command line.
    Operator,
    /// Another account, of an administrator.
    Administrator,
    /// This program.
    System,
}

impl Actor {
    /// As it is stored and logged.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "self",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
            Self::System => "system",
        }
    }

    pub(super) fn parse(word: &str) -> Self {
        [Self::Own, Self::Operator, Self::Administrator]
            .into_iter()
            .find(|actor| actor.word() == word)
            .unwrap_or(Self::System)
    }
}

/// One entry, on its way into the trail.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: UnixMillis,
    pub(super) account: AccountId,
    pub(super) actor: Actor,
    pub(super) event: Event,
    pub(super) refused: bool,
    pub(super) network: Option<IpNet>,
    pub(super) detail: Cow<'static, str>,
    /// The administrator who did it, or who invited.
    pub(super) doer: Option<AccountId>,
}

/// One entry, as the trail keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number; grows.
    pub id: i64,
    /// When.
    pub at: UnixMillis,
    /// Who did it.
    pub actor: Actor,
    /// What; `None` for what a newer version of this program wrote.
    pub event: Option<Event>,
    /// It was not let through.
    pub refused: bool,
    /// `192.0.2.0/24`; empty when there was none.
    pub network: String,
    /// See [`Event`].
    pub detail: String,
}

impl Entry {
    pub(super) fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    pub(super) fn with(self, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: detail.into(), ..self }
    }

    /// Done, or made possible, by that administrator.
    pub(super) fn owed_to(self, doer: AccountId) -> Self {
        Self { doer: Some(doer), ..self }
    }

    /// The account of whoever did it, when that is an administrator.
    pub(super) fn doer(&self) -> &str {
        self.doer.as_ref().map_or("", |doer| &doer.0)
    }

    pub(super) fn result(&self) -> &'static str {
        result(self.refused)
    }

    pub(super) fn network(&self) -> String {
        self.network.map(|network| network.to_string()).unwrap_or_default()
    }

    /// Its line of the log: once it is certain.
    pub(super) fn log(&self) {
        let by = self.doer.as_ref().map(|doer| &*doer.0);
        line(self.event, &self.account.0, (self.actor, by), self.refused, self.network, &self.detail);
    }
}

fn result(refused: bool) -> &'static str {
    if refused { "refused" } else { "done" }
}

fn line(
    event: Event,
    account: &str,
    (actor, by): (Actor, Option<&str>),
    refused: bool,
    network: Option<IpNet>,
    detail: &str,
) {
    let network = network.map(tracing::field::display);
    tracing::info!(
        target: "vestibule::audit",
        event = event.word(),
        account,
        actor = actor.word(),
        by,
        result = result(refused),
        network,
        detail,
        "audit"
    );
}

impl Identity {
    /// The same room, which writes into the trail from which network it was asked.
    #[must_use]
    pub fn for_client(&self, client: &Client) -> Self {
        Self { network: Some(client.network()), ..self.clone() }
    }

    /// Has something written that is no change of the account: soon, and nobody waits for it.
    pub fn note(&self, event: Event, account: &AccountId, detail: impl Into<Cow<'static, str>>, now: UnixMillis) {
        let entry = self.entry(event, account, now).with(detail);
        entry.log();
        self.inner.trail.push(Item::Entry(entry));
    }

    /// Hands something to the task that writes.
    pub(super) fn wait_to_be_written(&self, item: Item) {
        self.inner.trail.push(item);
    }

    /// Has a sign-in written by the ways it went.
    pub fn note_sign_in(&self, event: Event, account: &AccountId, shown: &[Shown], now: UnixMillis) {
        let mut ways = String::new();
        for shown in shown {
            let way = shown.method.amr();
            if !ways.split(' ').any(|known| known == way) {
                ways = if ways.is_empty() { way.to_owned() } else { format!("{ways} {way}") };
            }
        }
        self.note(event, account, ways, now);
    }

    /// Has a refused try written. Of an account that nobody knows, only the log hears, and not its name.
    pub(super) fn note_refused(
        &self,
        account: Option<&AccountId>,
        why: &'static str,
        client: &Client,
        now: UnixMillis,
    ) {
        let network = Some(client.network());
        let Some(account) = account else {
            return line(Event::SignInRefused, UNKNOWN, (Actor::Own, None), true, network, why);
        };
        let entry = Entry { refused: true, network, ..self.entry(Event::SignInRefused, account, now) }.with(why);
        entry.log();
        let cheap = [THROTTLED, NO_TRIES, WRONG_PASSKEY].contains(&why);
        if cheap && self.inner.trail.told_just_now(account, now) {
            return;
        }
        self.inner.trail.push(Item::Entry(entry));
    }

    /// Has a code that did not sign in written.
    pub(super) fn note_answer(
        &self,
        account: &AccountId,
        answered: &Result<Answered, Refusal>,
        client: &Client,
        now: UnixMillis,
    ) {
        match answered {
            Ok(Answered::Wrong { .. }) => self.note_refused(Some(account), WRONG_CODE, client, now),
            Ok(Answered::Failed) => self.note_refused(Some(account), WRONG_PASSKEY, client, now),
            Ok(Answered::Denied { .. }) => self.note_refused(Some(account), PUSH_DENIED, client, now),
            Ok(Answered::Spent { .. }) => self.note_refused(Some(account), NO_TRIES, client, now),
            _ => {}
        }
    }

    /// A reset link was asked for by an address that nobody has: only the log hears.
    pub(super) fn log_unknown_reset(&self, client: &Client) {
        line(Event::ResetAsked, UNKNOWN, (Actor::Own, None), true, Some(client.network()), "");
    }

    /// An entry to write within the change's own transaction.
    pub(super) fn entry(&self, event: Event, account: &AccountId, now: UnixMillis) -> Entry {
        let account = account.clone();
        let (network, detail) = (self.network, Cow::Borrowed(""));
        Entry { at: now, account, actor: Actor::Own, event, refused: false, network, detail, doer: None }
    }

    /// The end of a change that guards nothing: its entry, commit.
    pub(super) async fn recorded(&self, mut tx: Tx, entry: Entry) -> Result<(), Refusal> {
        self.inner.ledger.append(&mut tx, std::slice::from_ref(&entry)).await?;
        tx.commit().await?;
        entry.log();
        Ok(())
    }

    /// The end of a guarded change, with its entry.
    pub(super) async fn guarded_as(
        &self,
        mut tx: Tx,
        entry: Entry,
        carry: Carry<'_>,
    ) -> Result<(Account, RowId), Refusal> {
        self.inner.ledger.append(&mut tx, std::slice::from_ref(&entry)).await?;
        let done = self.guarded(tx, &entry.account, carry, entry.at).await?;
        entry.log();
        Ok(done)
    }

    /// What happened to an account, the newest first: those before the entry `before`.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn activity(&self, id: &AccountId, before: Option<i64>, limit: u32) -> Result<Vec<Recorded>, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().read().await?;
        Ok(ledger.trail_of(&mut tx, id, before, i64::from(limit)).await?)
    }
}

/// Which kind of factor, in a word.
pub(super) fn kind(kind: &FactorKind) -> &'static str {
    match kind {
        FactorKind::App { .. } => "app",
        FactorKind::Email => "email",
        FactorKind::Phone { .. } => "phone",
        FactorKind::Passkey { .. } => "passkey",
        FactorKind::Push { .. } => "push",
    }
}

/// Why a sign-in was refused: the password.
pub const WRONG_PASSWORD: &str = "password";
/// Why a sign-in was refused: the code of the second factor.
pub const WRONG_CODE: &str = "code";
/// Why a sign-in was refused: what the passkey signed.
pub const WRONG_PASSKEY: &str = "passkey";
/// Why a sign-in was refused: its owner said no on the telephone.
pub const PUSH_DENIED: &str = "push-denied";
/// Why a sign-in was refused: no tries were left for codes. Kept once a minute.
pub const NO_TRIES: &str = "no-tries";
/// Why a sign-in was refused: too many tries. Kept once a minute.
pub const THROTTLED: &str = "throttled";
/// Why a sign-in was refused: the password was right, but the account is disabled (or changed at that very moment).
pub const DISABLED: &str = "disabled";

/// The account of a name that nobody has.
const UNKNOWN: &str = "unknown";
