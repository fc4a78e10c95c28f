//! Passkeys (WebAuthn level 2 and 3): enrolled, asked for after the password, and good alone, since the device has
//! checked its user (user verification is always required).
//!
//! Every ceremony is good once. After the password its state waits in the flow, and one answer takes it. On the sign-in page
//! nobody is known yet, and nothing shall be stored for strangers: there the state travels in the form, sealed, and a passkey
//! takes no ceremony that began before the last one it took. Registrations say no more of the device than its key.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use templates::mail as words;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Webauthn, WebauthnBuilder, WebauthnError,
};
use webauthn_rs_proto::ResidentKeyRequirement;

use crate::{
    config::passkey::RelyingParty,
    identity::{
        Authenticated, Identity, Method, Refusal, Shown,
        account::{Account, AccountId, Factor, FactorKind},
        challenge::Ceremony,
        fields,
        ledger::{Carry, PasskeyUse},
        outbox::RowId,
        throttle::Purpose,
        trail::{self, Event},
    },
    inbound::Client,
    telemetry::metrics::SignInResult,
    world::{UnixMillis, vault::Vault},
};

/// The relying party, and what seals the state of ceremonies that begin on the sign-in page.
#[derive(Debug)]
pub struct Passkeys {
    webauthn: Webauthn,
    vault: Vault,
}

/// A passkey being enrolled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PasskeyEnrolment {
    /// Whose.
    pub account: AccountId,
    /// Changes with every guarded change of the account: an enrolment from before it is stale.
    pub generation: i64,
    /// What the answer is judged by.
    pub state: PasskeyRegistration,
    /// What the browser is asked: `PublicKeyCredentialCreationOptions` as JSON.
    pub options: String,
}

/// A passkey as the list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyLine {
    /// The factor.
    pub factor: String,
    /// When it was last shown.
    pub last_used_at: Option<UnixMillis>,
}

/// What a sign-in page needs for signing in by a passkey alone.
#[derive(Clone, Debug)]
pub struct PasskeySignIn {
    /// What the browser is asked: `PublicKeyCredentialRequestOptions` as JSON.
    pub options: String,
    /// The state, sealed; goes back with the answer.
    pub ceremony: String,
}

/// What is sealed into [`PasskeySignIn::ceremony`].
#[derive(Serialize, Deserialize)]
struct Alone {
    state: DiscoverableAuthentication,
    began: UnixMillis,
}

impl Passkeys {
    /// `name`: the site's, as the browser may show it. `config` has checked that the origins belong to the id.
    ///
    /// # Errors
    /// When the library refuses id or origins.
    pub fn new(party: &RelyingParty, name: &str, vault: Vault) -> Result<Self, WebauthnError> {
        let origins = party.origins.iter().map(|origin| Url::parse(origin));
        let origins: Vec<_> = origins.collect::<Result<_, _>>().map_err(|_| WebauthnError::Configuration)?;
        let (first, rest) = origins.split_first().ok_or(WebauthnError::Configuration)?;
        let builder = WebauthnBuilder::new(&party.id, first)?.rp_name(name);
        let webauthn = rest.iter().fold(builder, |builder, origin| builder.append_allowed_origin(origin)).build()?;
        Ok(Self { webauthn, vault })
    }
}

impl Identity {
    /// Whether passkeys can be used here.
    #[must_use]
    pub fn offers_passkeys(&self) -> bool {
        self.inner.settings.passkeys.is_some()
    }

    /// Begins to enrol one.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account is gone or has as many as it may; [`Refusal::Store`]; [`Refusal::Internal`].
    pub async fn enrol_passkey(&self, account: &AccountId) -> Result<PasskeyEnrolment, Refusal> {
        let passkeys = self.inner.settings.passkeys.as_ref().ok_or(Refusal::Stale)?;
        let account = self.account(account).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        let known = self.credentials(&account.id).await?;
        if known.len() >= MOST_PASSKEYS {
            return Err(Refusal::Stale);
        }
        let known = known.iter().map(|known| known.cred_id().clone()).collect();
        let handle = Uuid::parse_str(&account.id.0).map_err(internal)?;
        let called = account.name();
        let called = if called.is_empty() { &account.username } else { &called };
        let begun = passkeys.webauthn.start_passkey_registration(handle, &account.username, called, Some(known));
        let (mut asked, state) = begun.map_err(internal)?;
        // So that it can sign in alone; the library would ask for one that cannot.
        if let Some(selection) = &mut asked.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        let options = serde_json::to_string(&asked.public_key).map_err(internal)?;
        Ok(PasskeyEnrolment { account: account.id, generation: account.generation, state, options })
    }

    /// Keeps the passkey that the browser made, under the first of these names that is one. Other sessions than `keep` (a
    /// `sid`) end (outbox), the owner is mailed. `None`: it is not what was asked for, or is known already.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account changed meanwhile; [`Refusal::Store`].
    pub async fn enrol_passkey_answer(
        &self,
        enrolment: &PasskeyEnrolment,
        (credential, names): (&str, [&str; 2]),
        keep: Option<&str>,
        now: UnixMillis,
    ) -> Result<Option<(Authenticated, RowId)>, Refusal> {
        let name = names.iter().find_map(|name| passkey_name(name).ok()).unwrap_or_else(|| "Passkey".into());
        let passkeys = self.inner.settings.passkeys.as_ref().ok_or(Refusal::Stale)?;
        let read = serde_json::from_str::<RegisterPublicKeyCredential>(credential);
        let Ok(mut credential) = read else { return Ok(None) };
        // Kept, they would be asked for at every sign-in, as many as the browser cares to name.
        credential.response.transports = None;
        let passkey = match passkeys.webauthn.finish_passkey_registration(&credential, &enrolment.state) {
            Ok(passkey) => passkey,
            Err(error) => {
                tracing::info!(account = %enrolment.account.0, %error, "a passkey was not enrolled");
                return Ok(None);
            }
        };
        let document = serde_json::to_string(&passkey).map_err(internal)?;
        if passkey.cred_id().len() > LONGEST_ID || document.len() > LONGEST_DOCUMENT {
            tracing::info!(account = %enrolment.account.0, length = document.len(), "a passkey is too large to be kept");
            return Ok(None);
        }
        let id = self.fresh_id(now)?.0.as_ref().to_owned();
        let factor = Factor { id, kind: FactorKind::Passkey { name }, since: now };
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = self.current_in(&mut tx, &enrolment.account, enrolment.generation).await?;
        if ledger.passkey(&mut tx, passkey.cred_id()).await?.is_some() {
            return Ok(None);
        }
        ledger.add_factor(&mut tx, &account.id, &factor).await?;
        ledger.add_passkey(&mut tx, &factor.id, passkey.cred_id(), &document).await?;
        let entry = self.entry(Event::FactorAdded, &account.id, now).with(trail::kind(&factor.kind));
        let (account, row) = self.guarded_as(tx, entry, Carry::Keep(keep)).await?;
        self.tell_factor_on(&account, &factor.kind, now);
        Ok(Some((Authenticated::new(account, vec![Shown { method: Method::Hwk, at: now }]), row)))
    }

    /// Gives a passkey another name, and mails the owner: by its name they know which one is a thief's.
    ///
    /// # Errors
    /// [`Refusal::Fields`] (`name`); [`Refusal::Stale`] when there is no such passkey; [`Refusal::Store`].
    pub async fn rename_passkey(
        &self,
        id: &AccountId,
        factor: &str,
        name: &str,
        now: UnixMillis,
    ) -> Result<(), Refusal> {
        let name = passkey_name(name)?;
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = ledger.load(&mut tx, id).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        let is_it = |own: &&Factor| own.id == factor && matches!(own.kind, FactorKind::Passkey { .. });
        let own = account.factors.iter().find(is_it).ok_or(Refusal::Stale)?;
        let renamed = FactorKind::Passkey { name };
        if own.kind == renamed {
            return Ok(());
        }
        ledger.replace_kind(&mut tx, factor, &own.kind, &renamed).await?;
        self.recorded(tx, self.entry(Event::PasskeyRenamed, id, now)).await?;
        self.tell_factor_changed(&account, words::FactorChange::PasskeyRenamed, now);
        Ok(())
    }

    /// When each of the account's passkeys was last shown.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn passkeys(&self, id: &AccountId) -> Result<Vec<PasskeyLine>, Refusal> {
        let ledger = &self.inner.ledger;
        let rows = ledger.passkeys(&mut ledger.db().read().await?, id).await?;
        let line = |row: crate::identity::ledger::PasskeyRow| PasskeyLine {
            factor: row.factor,
            last_used_at: row.last_used_at.map(UnixMillis),
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// What a passkey of the account has to sign; `None` where none can be asked for.
    pub(super) async fn ceremony(&self, account: &Account, now: UnixMillis) -> Result<Option<Box<Ceremony>>, Refusal> {
        let Some(passkeys) = &self.inner.settings.passkeys else { return Ok(None) };
        let credentials = self.credentials(&account.id).await?;
        if credentials.is_empty() {
            return Ok(None);
        }
        let (asked, state) = passkeys.webauthn.start_passkey_authentication(&credentials).map_err(internal)?;
        let options = serde_json::to_string(&asked.public_key).map_err(internal)?;
        let length = options.len() + serde_json::to_string(&state).map_err(internal)?.len();
        if length > LONGEST_CEREMONY {
            // What waits between two pages has a bound: another way is asked for, rather than none.
            tracing::warn!(account = %account.id.0, length, "the passkeys of an account are too large to be asked for");
            return Ok(None);
        }
        Ok(Some(Box::new(Ceremony { state, options, began: now })))
    }

    /// Whether one of the account's passkeys signed it.
    pub(super) async fn check_passkey(
        &self,
        account: &Account,
        ceremony: &Ceremony,
        credential: &str,
        now: UnixMillis,
    ) -> Result<bool, Refusal> {
        let Some(passkeys) = &self.inner.settings.passkeys else { return Ok(false) };
        let Ok(credential) = serde_json::from_str::<PublicKeyCredential>(credential) else { return Ok(false) };
        let finished = passkeys.webauthn.finish_passkey_authentication(&credential, &ceremony.state);
        self.shown(account, credential.get_credential_id(), finished, (ceremony.began, now)).await
    }

    /// For the sign-in page. `None` where passkeys are not offered.
    ///
    /// # Errors
    /// [`Refusal::Internal`]
    pub fn passkey_sign_in(&self, now: UnixMillis) -> Result<Option<PasskeySignIn>, Refusal> {
        let Some(passkeys) = &self.inner.settings.passkeys else { return Ok(None) };
        let (asked, state) = passkeys.webauthn.start_discoverable_authentication().map_err(internal)?;
        let options = serde_json::to_string(&asked.public_key).map_err(internal)?;
        let state = serde_json::to_vec(&Alone { state, began: now }).map_err(internal)?;
        let sealed = passkeys.vault.seal(ALONE, &state, self.inner.entropy.bytes()?);
        let ceremony = URL_SAFE_NO_PAD.encode(sealed.map_err(internal)?);
        Ok(Some(PasskeySignIn { options, ceremony }))
    }

    /// A sign-in by a passkey alone: device and user verification are the two factors. `None` for whatever is wrong with it:
    /// who has no account here learns nothing.
    ///
    /// # Errors
    /// [`Refusal::Throttled`], [`Refusal::Store`].
    pub async fn authenticate_by_passkey(
        &self,
        ceremony: &str,
        credential: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Option<Authenticated>, Refusal> {
        let shown = self.alone(ceremony, credential, client, now).await;
        self.inner.measures.sign_ins.count(match &shown {
            Ok(Some(_)) => SignInResult::Done,
            Ok(None) => SignInResult::Refused,
            Err(Refusal::Throttled { .. }) => SignInResult::Throttled,
            Err(_) => SignInResult::Failed,
        });
        shown
    }

    async fn alone(
        &self,
        ceremony: &str,
        credential: &str,
        client: &Client,
        now: UnixMillis,
    ) -> Result<Option<Authenticated>, Refusal> {
        let Some(passkeys) = &self.inner.settings.passkeys else { return Ok(None) };
        let sealed = URL_SAFE_NO_PAD.decode(ceremony).ok();
        let opened = sealed.and_then(|sealed| passkeys.vault.open(ALONE, &sealed));
        let alone = opened.and_then(|opened| serde_json::from_slice::<Alone>(&opened.document).ok());
        let Some(Alone { state, began }) = alone.filter(|alone| now.since(alone.began) < OPEN_FOR) else {
            return Ok(None);
        };
        let Ok(credential) = serde_json::from_str::<PublicKeyCredential>(credential) else { return Ok(None) };
        let Ok((handle, id)) = passkeys.webauthn.identify_discoverable_authentication(&credential) else {
            return Ok(None);
        };
        let account = self.account(&AccountId(handle.hyphenated().to_string().into())).await?;
        let Some(account) = account.filter(|account| !account.disabled) else { return Ok(None) };
        let known = self.credentials(&account.id).await?;
        let Some(passkey) = known.iter().find(|known| known.cred_id().as_slice() == id) else { return Ok(None) };
        // Only now: what names no account costs nothing worth counting, and shall not close this way for its neighbours.
        let ticket = self.inner.throttle.admit(Purpose::Passkey, &account.id.0, client, now).await?;
        let finished = passkeys.webauthn.finish_discoverable_authentication_v2(&credential, state, passkey);
        if !self.shown(&account, id, finished, (began, now)).await? {
            self.note_refused(Some(&account.id), trail::WRONG_PASSKEY, client, now);
            return Ok(None);
        }
        ticket.succeeded(now).await;
        Ok(Some(Authenticated::new(account, vec![Shown { method: Method::Hwk, at: now }])))
    }

    /// The end of every ceremony: the passkey takes it, unless it has taken this one or a later one, or counts backwards.
    async fn shown(
        &self,
        account: &Account,
        credential: &[u8],
        finished: Result<AuthenticationResult, WebauthnError>,
        (began, now): (UnixMillis, UnixMillis),
    ) -> Result<bool, Refusal> {
        let result = match finished {
            Ok(result) if result.user_verified() => result,
            Ok(_) => return Ok(false),
            Err(WebauthnError::CredentialPossibleCompromise) => {
                return self.copied(account, credential, (began, now)).await;
            }
            Err(error) => {
                tracing::info!(account = %account.id.0, %error, "a passkey was not taken");
                return Ok(false);
            }
        };
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let row = ledger.passkey(&mut tx, credential).await?.filter(|row| row.account == *account.id.0);
        let Some(row) = row else { return Ok(false) };
        let mut passkey: Passkey = serde_json::from_str(&row.credential).map_err(internal)?;
        passkey.update_credential(&result);
        let used = PasskeyUse {
            factor: &row.factor,
            credential: &serde_json::to_string(&passkey).map_err(internal)?,
            counter: i64::from(result.counter()),
            began,
            now,
        };
        if ledger.use_passkey(&mut tx, used).await? {
            tx.commit().await?;
            return Ok(true);
        }
        drop(tx);
        self.copied(account, credential, (began, now)).await
    }

    /// A counter that does not grow: two devices hold one key (WebAuthn §6.1.1). It signs nobody in, and the owner hears of
    /// it.
    async fn copied(
        &self,
        account: &Account,
        credential: &[u8],
        (began, now): (UnixMillis, UnixMillis),
    ) -> Result<bool, Refusal> {
        let ledger = &self.inner.ledger;
        let row = ledger.passkey(&mut ledger.db().read().await?, credential).await?;
        // A form sent twice is no copy.
        let row = row.filter(|row| row.last_ceremony < began.0);
        let Some(factor) = row.and_then(|row| account.factors.iter().find(|own| own.id == row.factor)) else {
            return Ok(false);
        };
        tracing::warn!(account = %account.id.0, factor = factor.id, "a passkey counts backwards: it may have been copied");
        self.note(Event::PasskeyCopied, &account.id, "", now);
        let FactorKind::Passkey { name } = &factor.kind else { return Ok(false) };
        let settings = &self.inner.settings;
        let body = words::PasskeyCopied {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            name,
            at: now.0,
            security: &settings.link("second-factor"),
        };
        self.tell(account, body.body());
        Ok(false)
    }

    /// The account's passkeys, as the library knows them.
    async fn credentials(&self, id: &AccountId) -> Result<Vec<Passkey>, Refusal> {
        let ledger = &self.inner.ledger;
        let rows = ledger.passkeys(&mut ledger.db().read().await?, id).await?;
        rows.iter().map(|row| serde_json::from_str(&row.credential).map_err(internal)).collect()
    }
}

fn passkey_name(typed: &str) -> Result<String, Refusal> {
    fields::name(typed, "passkey's name").map_err(|message| Refusal::field("name", message))
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Refusal {
    Refusal::Internal(Box::new(error))
}

/// Of one account.
pub const MOST_PASSKEYS: usize = 10;
/// Bytes. The longest that authenticators are known to make are half of it.
const LONGEST_ID: usize = 256;
/// Bytes of JSON: an RSA key with such an id.
const LONGEST_DOCUMENT: usize = 3 << 10;
/// Bytes of JSON; what a flow may hold has room for the rest of the challenge besides.
const LONGEST_CEREMONY: usize = 40 << 10;
/// How long an open sign-in page can be used.
const OPEN_FOR: Duration = Duration::from_hours(1);
/// What is sealed for the sign-in page, apart from anything else.
const ALONE: &str = "sign-in";
