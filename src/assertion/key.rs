//! One signing key: ES256 (ECDSA on P-256 with SHA-256, RFC 7518 §3.4), named by its thumbprint (RFC 7638).
//!
//! Signed by aws-lc-rs itself: a compact JWS is three base64url texts, for which no further crate is needed.

use aws_lc_rs::{
    digest,
    error::{KeyRejected, Unspecified},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use http::HeaderValue;
use serde::Serialize;
use zeroize::Zeroizing;

/// A key pair, with what every assertion it signs begins with.
pub(super) struct SigningKey {
    pair: EcdsaKeyPair,
    public: Jwk,
    /// The protected header in base64url, with the dot after it.
    opening: String,
}

/// The public half, as `jwks.json` shows it (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    pub kid: String,
}

/// A key that the cryptographic library does not take, or text it does not sign.
#[derive(Debug, thiserror::Error)]
#[error("a signing key is of no use")]
pub(super) struct Unusable(#[source] Box<dyn std::error::Error + Send + Sync>);

impl SigningKey {
    /// A new key, from the library's own random source: it takes no other.
    pub fn make() -> Result<Self, Unusable> {
        Self::of(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?)
    }

    /// What [`SigningKey::pkcs8`] wrote.
    pub fn from_pkcs8(document: &[u8]) -> Result<Self, Unusable> {
        Self::of(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document)?)
    }

    /// The private key, to be sealed.
    pub fn pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Unusable> {
        Ok(Zeroizing::new(self.pair.to_pkcs8v1()?.as_ref().to_vec()))
    }

    /// Its name: the thumbprint of the public half.
    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    /// The public half.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// A JWT in compact form, ready to be sent.
    pub fn sign(&self, claims: &impl Serialize) -> Result<HeaderValue, Unusable> {
        let claims = serde_json::to_vec(claims).map_err(Unusable::because)?;
        let mut token = String::with_capacity(self.opening.len() + (claims.len() + SIGNATURE) * 3 / 2);
        token.push_str(&self.opening);
        BASE64URL.encode_string(&claims, &mut token);
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes())?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        let mut value = HeaderValue::try_from(token).map_err(Unusable::because)?;
        // Whoever holds it is believed for a few minutes: kept out of every log.
        value.set_sensitive(true);
        Ok(value)
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, Unusable> {
        let public = Jwk::of(pair.public_key().as_ref()).ok_or_else(|| Unusable("not a point of P-256".into()))?;
        let header = Header { alg: "ES256", typ: "JWT", kid: &public.kid };
        let header = serde_json::to_vec(&header).map_err(Unusable::because)?;
        let opening = BASE64URL.encode(header) + ".";
        Ok(Self { pair, public, opening })
    }
}

impl Jwk {
    /// From an uncompressed point (SEC 1 §2.3.3): 4, then both coordinates.
    fn of(point: &[u8]) -> Option<Self> {
        let (4, coordinates) = point.split_first().map(|(form, rest)| (*form, rest))? else { return None };
        let (x, y) = coordinates.split_at_checked(COORDINATE).filter(|(_, y)| y.len() == COORDINATE)?;
        let (x, y) = (BASE64URL.encode(x), BASE64URL.encode(y));
        // RFC 7638 §3.2: the required members, sorted, without spaces.
        let canonical = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = BASE64URL.encode(digest::digest(&digest::SHA256, canonical.as_bytes()));
        Some(Self { kty: "EC", crv: "P-256", x, y, alg: "ES256", usage: "sig", kid })
    }
}

impl Unusable {
    fn because(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}

impl From<Unspecified> for Unusable {
    fn from(error: Unspecified) -> Self {
        Self::because(error)
    }
}

impl From<KeyRejected> for Unusable {
    fn from(error: KeyRejected) -> Self {
        Self::because(error)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}

/// RFC 7515 §4.1.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// Bytes of one coordinate, and of a signature (two numbers of that size).
const COORDINATE: usize = 32;
const SIGNATURE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        // The point of RFC 7517 appendix A.1; its thumbprint computed apart.
        let x = BASE64URL.decode("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4").unwrap();
        let y = BASE64URL.decode("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM").unwrap();
        let jwk = Jwk::of(&[vec![4], x, y].concat()).unwrap();
        assert_eq!(jwk.kid, "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
        assert_eq!(Jwk::of(&[4; 64]), None, "a coordinate is missing");
        assert_eq!(Jwk::of(&[2; 65]), None, "a compressed point");
    }

    #[test]
    fn a_kept_key_is_the_same_key() {
        let key = SigningKey::make().unwrap();
        let again = SigningKey::from_pkcs8(&key.pkcs8().unwrap()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_ne!(SigningKey::make().unwrap().kid(), key.kid());
        assert!(SigningKey::from_pkcs8(b"no key").is_err());
    }
}
