//! A passkey in software: does what an authenticator does (WebAuthn §6), and what a hostile one could.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};

use super::{client::Reply, html};

/// User present, user verified.
pub const PRESENT: u8 = 0x01;
pub const VERIFIED: u8 = 0x04;
const ATTESTED: u8 = 0x40;

/// A key pair, and what it was made for.
pub struct Key {
    pair: EcdsaKeyPair,
    handle: Option<Vec<u8>>,
    /// What it says of its page.
    pub origin: String,
    /// Which relying party it says it signs for; `None`: the one it is asked by.
    pub party: Option<String>,
    /// What it says of its user.
    pub flags: u8,
    /// What it counts; 0 is a key that does not count.
    pub counter: u32,
    /// How many ways it says it can be reached by.
    pub transports: usize,
    /// Its id, as long as it likes.
    pub id: Vec<u8>,
}

/// What a page asks of a passkey.
pub fn asked(page: &Reply) -> Value {
    let page = page.text();
    let form = html::tags(&page, "form").find_map(|tag| html::attribute(tag, "data-options"));
    serde_json::from_str(&form.expect("a form that asks for a passkey")).unwrap()
}

impl Key {
    /// A new one for pages of that origin.
    pub fn new(origin: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let mut id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut id).unwrap();
        let (handle, party, flags) = (None, None, PRESENT | VERIFIED);
        Self { pair, id, handle, origin: origin.into(), party, flags, counter: 0, transports: 1 }
    }

    /// The answer to `PublicKeyCredentialCreationOptions`.
    pub fn create(&mut self, options: &Value) -> String {
        self.handle = Some(BASE64URL.decode(options["user"]["id"].as_str().unwrap()).unwrap());
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), ATTESTED);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // COSE: EC2, ES256, P-256, x, y.
        let point = self.pair.public_key().as_ref();
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        // Attested by itself: only then does the library keep what is said about ways.
        let client_data = self.client_data("webauthn.create", options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, client_data.as_bytes()).as_ref());
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let mut attestation = b"\xa3\x63fmt\x66packed\x67attStmt\xa2\x63alg\x26\x63sig\x58".to_vec();
        attestation.push(u8::try_from(signature.as_ref().len()).unwrap());
        attestation.extend(signature.as_ref());
        attestation.extend(b"\x68authData\x59");
        attestation.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        attestation.extend(data);
        let response = json!({
            "clientDataJSON": BASE64URL.encode(client_data),
            "attestationObject": BASE64URL.encode(attestation),
            "transports": vec!["usb"; self.transports],
        });
        self.credential(&response)
    }

    /// The answer to `PublicKeyCredentialRequestOptions`.
    pub fn sign(&self, options: &Value) -> String {
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let client_data = self.client_data("webauthn.get", options);
        let mut signed = data.clone();
        signed.extend(digest(&SHA256, client_data.as_bytes()).as_ref());
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "clientDataJSON": BASE64URL.encode(client_data),
            "authenticatorData": BASE64URL.encode(data),
            "signature": BASE64URL.encode(signature.as_ref()),
            "userHandle": self.handle.as_ref().map(|handle| BASE64URL.encode(handle)),
        });
        self.credential(&response)
    }

    /// Says it is another account's.
    pub fn claim(&mut self, other: &Self) {
        self.handle.clone_from(&other.handle);
    }

    fn data(&self, party: &str, more: u8) -> Vec<u8> {
        let party = self.party.as_deref().unwrap_or(party);
        let mut data = digest(&SHA256, party.as_bytes()).as_ref().to_vec();
        data.push(self.flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn credential(&self, response: &Value) -> String {
        let id = BASE64URL.encode(&self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "extensions": {}, "response": response }).to_string()
    }
}
