//! How each system writes its hashes. Whatever is not exactly so is none.

use base64::{
    Engine, alphabet,
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
    },
};

use super::{Before, Digest, Foreign, LONGEST_FOR_CRYPT, MOST_MEMORY, MOST_WORK, Sha, Unfit, crypt};

impl Foreign {
    /// Takes a hash apart.
    ///
    /// # Errors
    /// [`Unfit`]; what is Argon2's is unknown here.
    pub(in crate::identity::hasher) fn read(text: &str) -> Result<Self, Unfit> {
        let (name, rest) = text.split_at(text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(0));
        let hash = match (name, rest.get(..1).unwrap_or_default()) {
            ("pbkdf2", ":") => werkzeug_pbkdf2(rest),
            ("scrypt", ":") => werkzeug_scrypt(rest),
            ("pbkdf2_sha1", "$") => django_pbkdf2(Digest::Sha1, rest),
            ("pbkdf2_sha256", "$") => django_pbkdf2(Digest::Sha256, rest),
            ("scrypt", "$") => django_scrypt(rest),
            ("bcrypt", "$") => bcrypt(Before::Password, rest.get(1..).unwrap_or_default()),
            ("bcrypt_sha256", "$") => bcrypt(Before::Sha256, rest.get(1..).unwrap_or_default()),
            ("", "{") => sha1(text),
            ("", "$") => modular(text),
            _ => return Err(Unfit::Unknown),
        };
        let hash = hash?;
        // Of passwords, the dearest: what is let in here is compared whenever somebody asks.
        if hash.work(LONGEST_FOR_CRYPT) > MOST_WORK || hash.memory() > MOST_MEMORY {
            return Err(Unfit::Dear);
        }
        Ok(hash)
    }

    /// Bytes of the larger of scrypt's two tables; what fills both is dearer in time.
    fn memory(&self) -> u64 {
        match self {
            Self::Scrypt { params, .. } => {
                params.n().max(u64::from(params.p())).saturating_mul(128 * u64::from(params.r()))
            }
            _ => 0,
        }
    }
}

/// `$NAME$…`, as passlib, crypt(3) and Authelia write it.
fn modular(text: &str) -> Result<Foreign, Unfit> {
    let parts: Vec<&str> = text.split('$').skip(1).collect();
    match parts.as_slice() {
        ["2a" | "2b" | "2y", ..] => bcrypt(Before::Password, text),
        ["apr1", salt, hash] => apr1(salt, hash),
        ["5", rest @ ..] => sha_crypt(Sha::Crypt256, rest),
        ["6", rest @ ..] => sha_crypt(Sha::Crypt512, rest),
        ["pbkdf2" | "pbkdf2-sha1", rest @ ..] => modular_pbkdf2(Digest::Sha1, rest),
        ["pbkdf2-sha256", rest @ ..] => modular_pbkdf2(Digest::Sha256, rest),
        ["pbkdf2-sha512", rest @ ..] => modular_pbkdf2(Digest::Sha512, rest),
        ["scrypt", rest @ ..] => modular_scrypt(rest),
        _ => Err(Unfit::Unknown),
    }
}

/// `pbkdf2:sha256:600000$salt$hex`; very old ones name no iterations.
fn werkzeug_pbkdf2(rest: &str) -> Result<Foreign, Unfit> {
    let (method, salt, hash) = three(rest)?;
    let (digest, iterations) = method.trim_start_matches(':').split_once(':').ok_or(Unfit::Malformed)?;
    let digest = match digest {
        "sha1" => Digest::Sha1,
        "sha256" => Digest::Sha256,
        "sha512" => Digest::Sha512,
        _ => return Err(Unfit::Unknown),
    };
    pbkdf2(digest, iterations, salt.as_bytes().to_vec(), unhexed(hash)?)
}

/// `pbkdf2_sha256$iterations$salt$base64`
fn django_pbkdf2(digest: Digest, rest: &str) -> Result<Foreign, Unfit> {
    let (iterations, salt, hash) = three(rest.strip_prefix('$').ok_or(Unfit::Malformed)?)?;
    pbkdf2(digest, iterations, salt.as_bytes().to_vec(), STANDARD.decode(hash).map_err(|_| Unfit::Malformed)?)
}

/// `$pbkdf2-sha512$iterations$base64$base64`
fn modular_pbkdf2(digest: Digest, rest: &[&str]) -> Result<Foreign, Unfit> {
    let [iterations, salt, hash] = rest else { return Err(Unfit::Malformed) };
    pbkdf2(digest, iterations, adapted(salt)?, adapted(hash)?)
}

fn pbkdf2(digest: Digest, iterations: &str, salt: Vec<u8>, hash: Vec<u8>) -> Result<Foreign, Unfit> {
    let iterations = number(iterations)?.try_into().map_err(|_| Unfit::Malformed)?;
    // A longer hash takes the whole work again, and of a short one others fit as well.
    if salt.is_empty() || hash.len() != digest.len() {
        return Err(Unfit::Malformed);
    }
    Ok(Foreign::Pbkdf2 { digest, iterations, salt, hash })
}

/// `scrypt:N:r:p$salt$hex`
fn werkzeug_scrypt(rest: &str) -> Result<Foreign, Unfit> {
    let (method, salt, hash) = three(rest)?;
    let numbers: Vec<&str> = method.split(':').skip(1).collect();
    let [n, r, p] = numbers.as_slice() else { return Err(Unfit::Malformed) };
    scrypt(power_of_two(n)?, r, p, salt.as_bytes().to_vec(), unhexed(hash)?, 64)
}

/// `scrypt$N$salt$r$p$base64`
fn django_scrypt(rest: &str) -> Result<Foreign, Unfit> {
    let parts: Vec<&str> = rest.split('$').skip(1).collect();
    let [n, salt, r, p, hash] = parts.as_slice() else { return Err(Unfit::Malformed) };
    let hash = STANDARD.decode(hash).map_err(|_| Unfit::Malformed)?;
    scrypt(power_of_two(n)?, r, p, salt.as_bytes().to_vec(), hash, 64)
}

/// `$scrypt$ln=16,r=8,p=1$base64$base64`
fn modular_scrypt(rest: &[&str]) -> Result<Foreign, Unfit> {
    let [params, salt, hash] = rest else { return Err(Unfit::Malformed) };
    let params: Vec<&str> = params.split(',').collect();
    let [n, r, p] = params.as_slice() else { return Err(Unfit::Malformed) };
    let named = |text: &str, name: &str| text.strip_prefix(name).map(str::to_owned).ok_or(Unfit::Malformed);
    let exponent = number(&named(n, "ln=")?)?;
    scrypt(exponent, &named(r, "r=")?, &named(p, "p=")?, adapted(salt)?, adapted(hash)?, 32)
}

fn scrypt(exponent: u32, r: &str, p: &str, salt: Vec<u8>, hash: Vec<u8>, length: usize) -> Result<Foreign, Unfit> {
    let exponent = u8::try_from(exponent).map_err(|_| Unfit::Malformed)?;
    // The limits of the function itself; those of ours come after.
    let params = scrypt::Params::new(exponent, number(r)?, number(p)?).map_err(|_| Unfit::Malformed)?;
    if salt.is_empty() || hash.len() != length {
        return Err(Unfit::Malformed);
    }
    Ok(Foreign::Scrypt { params, salt, hash })
}

/// `$2b$12$` and 22 characters of salt, 31 of the hash.
fn bcrypt(before: Before, text: &str) -> Result<Foreign, Unfit> {
    let parts: Vec<&str> = text.split('$').collect();
    let ["", "2a" | "2b" | "2y", cost, both] = parts.as_slice() else { return Err(Unfit::Malformed) };
    let cost = match cost.len() {
        2 => number(cost.trim_start_matches('0'))?,
        _ => return Err(Unfit::Malformed),
    };
    if !(4..=31).contains(&cost) || both.len() != 53 {
        return Err(Unfit::Malformed);
    }
    // Some programs leave bits behind the last byte.
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true);
    let letters = GeneralPurpose::new(&alphabet::BCRYPT, config);
    let (salt, hash) = both.split_at_checked(22).ok_or(Unfit::Malformed)?;
    let salt = letters.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(Unfit::Malformed)?;
    let hash = letters.decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or(Unfit::Malformed)?;
    Ok(Foreign::Bcrypt { cost, salt, hash, before })
}

/// `$6$salt$hash`, `$6$rounds=50000$salt$hash`
fn sha_crypt(sha: Sha, rest: &[&str]) -> Result<Foreign, Unfit> {
    let (rounds, salt, hash) = match rest {
        [salt, hash] => (5000, salt, hash),
        [rounds, salt, hash] => (number(rounds.strip_prefix("rounds=").ok_or(Unfit::Malformed)?)?, salt, hash),
        _ => return Err(Unfit::Malformed),
    };
    let well = (1000..=999_999_999).contains(&rounds)
        && salt.len() <= 16
        && salt.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
        && hash.len() == sha.len()
        && crypt::spelled(hash);
    if !well {
        return Err(Unfit::Malformed);
    }
    Ok(Foreign::ShaCrypt { sha, rounds, salt: (*salt).to_owned(), hash: (*hash).to_owned() })
}

/// `$apr1$salt$hash`
fn apr1(salt: &str, hash: &str) -> Result<Foreign, Unfit> {
    let well = (1..=8).contains(&salt.len()) && crypt::spelled(salt) && hash.len() == 22 && crypt::spelled(hash);
    if well { Ok(Foreign::Apr1 { salt: salt.to_owned(), hash: hash.to_owned() }) } else { Err(Unfit::Malformed) }
}

/// `{SHA}base64`
fn sha1(text: &str) -> Result<Foreign, Unfit> {
    let hash = text.strip_prefix("{SHA}").ok_or(Unfit::Unknown)?;
    let hash = STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or(Unfit::Malformed)?;
    Ok(Foreign::Sha1 { hash })
}

fn three(text: &str) -> Result<(&str, &str, &str), Unfit> {
    let parts: Vec<&str> = text.split('$').collect();
    match parts.as_slice() {
        [one, two, three] => Ok((one, two, three)),
        _ => Err(Unfit::Malformed),
    }
}

/// Digits alone, without leading zeros.
fn number(text: &str) -> Result<u32, Unfit> {
    let well = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    // More than fits is dearer than anything.
    match text.parse() {
        Ok(number) if well => Ok(number),
        Err(_) if well && text.len() >= 10 => Err(Unfit::Dear),
        _ => Err(Unfit::Malformed),
    }
}

/// The exponent.
fn power_of_two(text: &str) -> Result<u32, Unfit> {
    let number = number(text)?;
    if number.is_power_of_two() { Ok(number.ilog2()) } else { Err(Unfit::Malformed) }
}

fn unhexed(text: &str) -> Result<Vec<u8>, Unfit> {
    let byte = |pair: &[u8]| -> Option<u8> {
        let mut digits = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        u8::try_from(digits.next()?? * 16 + digits.next()??).ok()
    };
    text.as_bytes().chunks(2).map(|pair| byte(pair).ok_or(Unfit::Malformed)).collect()
}

/// Base64 without padding, with passlib's dot for the plus or without.
fn adapted(text: &str) -> Result<Vec<u8>, Unfit> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let letters = GeneralPurpose::new(&alphabet::STANDARD, config);
    letters.decode(text.replace('.', "+")).map_err(|_| Unfit::Malformed)
}
