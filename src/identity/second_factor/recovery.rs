//! Recovery codes (NIST SP 800-63B-4 §4.2): ten, shown once, each good once in place of the second factor.
//!
//! 80 random bits each, so that a fast hash keeps them as well as a slow one would. They are no factor of their own: they go
//! with the last one.

use aws_lc_rs::digest;
use templates::mail as words;
use zeroize::Zeroizing;

use crate::{
    identity::{Identity, Refusal, account::Account, account::AccountId, trail::Event},
    verify::Checked,
    world::UnixMillis,
};

/// Fresh codes as they are shown: `abcd-efgh-ijkl-mnop`.
pub type RecoveryCodes = Vec<Zeroizing<String>>;

impl Identity {
    /// Makes ten; those from before are worth nothing any more. The owner is mailed.
    ///
    /// # Errors
    /// [`Refusal::Stale`] when the account is gone, disabled, or has no second factor; [`Refusal::Store`].
    pub async fn make_recovery_codes(&self, id: &AccountId, now: UnixMillis) -> Result<RecoveryCodes, Refusal> {
        let mut codes = RecoveryCodes::new();
        for _ in 0..COUNT {
            codes.push(code(Zeroizing::new(self.inner.entropy.bytes()?)));
        }
        let hashes: Vec<_> = codes.iter().filter_map(|code| read(code)).map(|code| hash(id, &code)).collect();
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let account = ledger.load(&mut tx, id).await?.filter(|account| !account.disabled).ok_or(Refusal::Stale)?;
        if account.factors.is_empty() {
            return Err(Refusal::Stale);
        }
        ledger.put_recovery_codes(&mut tx, id, &hashes).await?;
        self.recorded(tx, self.entry(Event::RecoveryCodesMade, id, now)).await?;
        self.tell_recovery(&account, words::Recovery::Made, now);
        Ok(codes)
    }

    /// How many are left.
    ///
    /// # Errors
    /// [`Refusal::Store`]
    pub async fn recovery_codes_left(&self, id: &AccountId) -> Result<u32, Refusal> {
        let ledger = &self.inner.ledger;
        let left = ledger.recovery_codes_left(&mut ledger.db().read().await?, id).await?;
        Ok(u32::try_from(left).unwrap_or_default())
    }

    /// Whether that is a code of the account's, which is used up now.
    pub(super) async fn check_recovery(
        &self,
        account: &Account,
        typed: &str,
        now: UnixMillis,
    ) -> Result<Checked, Refusal> {
        let Some(code) = read(typed) else { return Ok(Checked::Wrong) };
        let ledger = &self.inner.ledger;
        let mut tx = ledger.db().write().await?;
        let used = ledger.use_recovery_code(&mut tx, &account.id, &hash(&account.id, &code), now).await?;
        let left = ledger.recovery_codes_left(&mut tx, &account.id).await?;
        if !used {
            return Ok(Checked::Wrong);
        }
        self.recorded(tx, self.entry(Event::RecoveryCodeUsed, &account.id, now)).await?;
        self.tell_recovery(account, words::Recovery::Used { left: u32::try_from(left).unwrap_or_default() }, now);
        Ok(Checked::Approved)
    }

    fn tell_recovery(&self, account: &Account, what: words::Recovery, now: UnixMillis) {
        let settings = &self.inner.settings;
        let body = words::RecoveryCodes {
            site_name: &settings.portal.name,
            first_name: account.greeted(),
            what,
            at: now.0,
            forgot: &settings.link("password/forgot"),
        };
        self.tell(account, body.body());
    }
}

/// What somebody typed as a code: without dashes and blanks, in small letters, with the digits that look like letters read
/// as those. `None` when it cannot be one (a code of an app or a message has digits only, and fewer).
pub(super) fn read(typed: &str) -> Option<Zeroizing<String>> {
    if typed.chars().nth(LONGEST_TYPED).is_some() {
        return None;
    }
    let mut code = Zeroizing::new(String::with_capacity(LENGTH));
    for character in typed.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—')) {
        let character = match character.to_ascii_lowercase() {
            '0' => 'o',
            '1' => 'l',
            other => other,
        };
        if code.len() == LENGTH || !ALPHABET.contains(&u8::try_from(character).ok()?) {
            return None;
        }
        code.push(character);
    }
    (code.len() == LENGTH).then_some(code)
}

/// 80 bits, five at a time, in groups of four letters.
fn code(bits: Zeroizing<[u8; 10]>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH + 3));
    let (mut held, mut count) = (0_u32, 0);
    for byte in *bits {
        held = (held << 8 | u32::from(byte)) & 0xfff;
        count += 8;
        while count >= 5 {
            count -= 5;
            let at = (held >> count & 31) as usize;
            if text.len() % 5 == 4 {
                text.push('-');
            }
            text.push(char::from(ALPHABET.get(at).copied().unwrap_or(b'a')));
        }
    }
    text
}

fn hash(account: &AccountId, code: &str) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [account.0.as_bytes(), b"\0", code.as_bytes()] {
        context.update(part);
    }
    let mut hash = [0; 32];
    for (place, byte) in hash.iter_mut().zip(context.finish().as_ref()) {
        *place = *byte;
    }
    hash
}

/// RFC 4648 base 32 in small letters: no digit that looks like a letter.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const COUNT: usize = 10;
const LENGTH: usize = 16;
const LONGEST_TYPED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_holds_its_80_bits_and_reads_as_it_is_shown() {
        assert_eq!(*code(Zeroizing::new([0; 10])), "aaaa-aaaa-aaaa-aaaa");
        assert_eq!(*code(Zeroizing::new([0xff; 10])), "7777-7777-7777-7777");
        // RFC 4648 §10: "foobar" is MZXW6YTBO and half a letter.
        assert!(code(Zeroizing::new(*b"foobarfoob")).starts_with("mzxw-6ytb-o"));
        let shown = code(Zeroizing::new(*b"0123456789"));
        assert_eq!(*read(&shown).unwrap(), shown.replace('-', ""));
    }

    #[test]
    fn what_people_type_is_read_as_meant_and_nothing_else_is_a_code() {
        for typed in ["MZXW-6YTB-OIZX-W6YT", " mzxw 6ytb oizx w6yt ", "mzxw6ytboizxw6yt", "mzxw–6ytb–0izx–w6yt"] {
            assert_eq!(**read(typed).unwrap(), *"mzxw6ytboizxw6yt", "{typed}");
        }
        assert_eq!(**read("1111-1111-1111-1111").unwrap(), *"llllllllllllllll");
        let long = "a".repeat(100_000);
        for typed in [
            "",
            "123456",
            "mzxw-6ytb-oizx-w6y",
            "mzxw-6ytb-oizx-w6yta",
            "mzxw-6ytb-oizx-w6y8",
            "ÿzxw6ytboizxw6yt",
            &long,
        ] {
            assert!(read(typed).is_none(), "{typed:.20}");
        }
    }
}
