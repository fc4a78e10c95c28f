//! Authenticator apps (TOTP, RFC 6238): SHA-1, six digits, thirty seconds, as every app knows them; one step of tolerance
//! on either side; each step once only.
//!
//! The secret lies sealed in the factor's row, under the account's id, so that a row opens for no other account.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::judge::{Judged, Question};
use crate::{
    identity::{
        Authenticated, Enrolled, Identity, Refusal, Shown,
        account::{Account, AccountId, Factor, FactorKind},
        ledger::Carry,
        trail::{self, Event},
    },
    inbound::Client,
    verify::Checked,
    world::UnixMillis,
};

/// An authenticator app being enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AppEnrolment {
    /// Whose.
    pub account: AccountId,
    /// Changes with every guarded change of the account: an enrolment from before it is stale.
    pub generation: i64,
    /// As it will be kept.
    pub sealed: String,
}

/// What the app has to be told, for one page.
pub struct AppSecret {
    /// RFC 4648 base 32.
    pub typed: Zeroizing<String>,
    /// `otpauth://totp/…`
    pub url: Zeroizing<String>,
}

impl Identity {
    /// Whether authenticator apps can be enrolled: there is something to seal their secrets with.
    #[must_use]
    pub fn offers_apps(&self) -> bool {
        self.inner.settings.vault.is_some()
    }

    /// Makes a secret for the account.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account is gone or has an app already; [`Refusal::Store`]; [`Refusal::Internal`].
    pub async fn enrol_app(&self, account: &AccountId) -> Result<AppEnrolment, Refusal> {
        let account = self.account(account).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        if account.factors.iter().any(Factor::is_app) {
            return Err(Refusal::Stale);
        }
        let secret: Zeroizing<[u8; SECRET]> = Zeroizing::new(self.inner.entropy.bytes()?);
        let vault = self.inner.settings.vault.as_ref().ok_or(Refusal::Stale)?;
        let sealed = vault
            .seal(&account.id.0, &*secret, self.inner.entropy.bytes()?)
            .map_err(|_| Refusal::Internal(Unusable.into()))?;
        Ok(AppEnrolment { account: account.id, generation: account.generation, sealed: STANDARD_NO_PAD.encode(sealed) })
    }

    /// What the page of an enrolment shows.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account changed meanwhile; [`Refusal::Store`]; [`Refusal::Internal`].
    pub async fn app_secret(&self, enrolment: &AppEnrolment) -> Result<AppSecret, Refusal> {
        let account = self.current(&enrolment.account, enrolment.generation).await?;
        let secret = self.open(&account.id, &enrolment.sealed)?;
        // A colon would end the issuer or the name (Key Uri Format).
        let plain = |text: &str| text.replace(':', " ");
        let totp = Builder::new()
            .with_secret(Secret::from(secret.to_vec()))
            .with_issuer(Some(plain(&self.inner.settings.portal.name)))
            .with_account_name(plain(&account.username))
            .build()
            .map_err(|error| Refusal::Internal(error.to_string().into()))?;
        let url = totp.to_url().map_err(|error| Refusal::Internal(error.to_string().into()))?;
        Ok(AppSecret { typed: Secret::from(secret.to_vec()).to_base32().into(), url: url.into() })
    }

    /// Answers an enrolment. `Done` means: the app is on, other sessions than `keep` (a `sid`) end (outbox), the owner is
    /// mailed, and the code is used up.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account changed meanwhile; [`Refusal::Store`]; [`Refusal::Internal`].
    pub async fn enrol_app_answer(
        &self,
        enrolment: &AppEnrolment,
        code: &str,
        keep: Option<&str>,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Enrolled, Refusal> {
        let account = self.current(&enrolment.account, enrolment.generation).await?;
        let question = Question::NewApp { sealed: &enrolment.sealed };
        Ok(match self.judge(&account, &question, code, client, now).await? {
            Judged::Approved(method) => {
                let step = self.step(&account.id, &enrolment.sealed, code, now)?.ok_or(Refusal::Stale)?;
                let kind = FactorKind::App { sealed: enrolment.sealed.clone() };
                let factor = Factor { id: self.fresh_id(now)?.0.as_ref().to_owned(), kind, since: now };
                let ledger = &self.inner.ledger;
                let mut tx = ledger.db().write().await?;
                self.current_in(&mut tx, &account.id, enrolment.generation).await?;
                ledger.add_factor(&mut tx, &account.id, &factor).await?;
                // The code that enrolled it signs nobody in.
                ledger.use_up_step(&mut tx, &factor.id, step).await?;
                let entry = self.entry(Event::FactorAdded, &account.id, now).with(trail::kind(&factor.kind));
                let (account, row) = self.guarded_as(tx, entry, Carry::Keep(keep)).await?;
                self.tell_factor_on(&account, &factor.kind, now);
                Enrolled::Done(factor, Authenticated::new(account, vec![Shown { method, at: now }]), row)
            }
            Judged::Wrong { left } => Enrolled::Wrong { left },
            Judged::Spent { until } | Judged::Closed { until } => Enrolled::Spent { until },
            Judged::Gone => Enrolled::Gone,
        })
    }

    /// Whether that is the app's code now, and was not used before.
    pub(super) async fn check_app(
        &self,
        account: &Account,
        factor: &Factor,
        code: &str,
        now: UnixMillis,
    ) -> Result<Checked, Refusal> {
        let FactorKind::App { sealed } = &factor.kind else { return Err(Refusal::Stale) };
        let Some(step) = self.step(&account.id, sealed, code, now)? else { return Ok(Checked::Wrong) };
        // A code seen before is as wrong as any other: whoever looked over a shoulder learns nothing.
        Ok(if self.use_up(&factor.id, step).await? { Checked::Approved } else { Checked::Wrong })
    }

    /// The step whose code this is; `None` for no such code.
    pub(super) fn step(
        &self,
        account: &AccountId,
        sealed: &str,
        code: &str,
        now: UnixMillis,
    ) -> Result<Option<i64>, Refusal> {
        let secret = self.open(account, sealed)?;
        let totp = totp(&secret).ok_or_else(|| Refusal::Internal(Unusable.into()))?;
        let seconds = u64::try_from(now.0).unwrap_or_default() / 1000;
        Ok(totp.check(code, seconds).and_then(|step| i64::try_from(step).ok()))
    }

    /// Exactly one caller gets true for a step, and nobody for one before it.
    async fn use_up(&self, factor: &str, step: i64) -> Result<bool, Refusal> {
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let first = ledger.use_up_step(&mut tx, factor, step).await?;
        tx.commit().await?;
        Ok(first)
    }

    /// Seals anew what a previous secret sealed, so that the previous one can go once every node has started with the new one.
    pub(in crate::identity) async fn reseal(&self) -> Result<(), Refusal> {
        let Some(vault) = &self.inner.settings.vault else { return Ok(()) };
        let ledger = &self.inner.ledger;
        let apps = ledger.apps(&mut ledger.db().read().await?).await?;
        for (id, account, kind) in apps {
            let FactorKind::App { sealed } = &kind else { continue };
            let opened = STANDARD_NO_PAD.decode(sealed).ok().and_then(|sealed| vault.open(&account, &sealed));
            match opened {
                Some(opened) if !opened.stale => {}
                Some(opened) => {
                    let fresh = vault.seal(&account, &opened.document, self.inner.entropy.bytes()?);
                    let fresh = fresh.map_err(|_| Refusal::Internal(Unusable.into()))?;
                    let fresh = FactorKind::App { sealed: STANDARD_NO_PAD.encode(fresh) };
                    let mut tx = ledger.db().write().await?;
                    ledger.replace_kind(&mut tx, &id, &kind, &fresh).await?;
                    tx.commit().await?;
                }
                None => {
                    tracing::warn!(factor = id, error = %Unusable, "somebody cannot sign in by their authenticator app")
                }
            }
        }
        Ok(())
    }

    fn open(&self, account: &AccountId, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let vault = self.inner.settings.vault.as_ref();
        let sealed = STANDARD_NO_PAD.decode(sealed).ok();
        let opened = vault.zip(sealed).and_then(|(vault, sealed)| vault.open(&account.0, &sealed));
        opened.map(|opened| opened.document).ok_or_else(|| Refusal::Internal(Unusable.into()))
    }
}

fn totp(secret: &[u8]) -> Option<Totp> {
    Builder::new().with_secret(Secret::from(secret.to_vec())).with_skew(1).build().ok()
}

/// For the log: the page says that something went wrong, and lets nobody in.
#[derive(Debug, thiserror::Error)]
#[error(
    "the secret of an authenticator app cannot be opened: was [secrets] changed without keeping the old one in `previous`?"
)]
struct Unusable;

/// Bytes, as RFC 4226 §4 recommends.
const SECRET: usize = 20;
