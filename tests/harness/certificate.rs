//! Certificates that a test makes: authorities, and what they issue to servers and clients.
//!
//! Just enough of X.509, with keys of P-256, valid from 2020 to 2049. Never reads one.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

/// Who issues certificates.
pub(crate) struct Authority {
    name: String,
    key: EcdsaKeyPair,
    der: Vec<u8>,
}

/// A certificate of `localhost`, and its key.
pub(crate) struct Identity {
    /// In DER.
    pub(crate) certificate: Vec<u8>,
    /// In DER, as PKCS#8.
    pub(crate) key: Vec<u8>,
}

impl Authority {
    /// One that signs its own certificate.
    pub(crate) fn new(name: &str) -> Self {
        let (key, _) = pair();
        let is_authority = sequence(&[&[0x01, 0x01, 0xff]]);
        let may_sign_certificates = [0x03, 0x02, 0x01, 0x06];
        let extensions = [
            extension(&[0x55, 0x1d, 0x13], &is_authority),
            extension(&[0x55, 0x1d, 0x0f], &may_sign_certificates),
        ];
        let der = certificate((name, &key), (name, &key), &extensions.concat());
        Self { name: name.to_owned(), key, der }
    }

    /// A certificate that it issued to somebody of this name.
    pub(crate) fn issue(&self, name: &str) -> Identity {
        let (key, pkcs8) = pair();
        let names = sequence(&[&tlv(0x82, b"localhost"), &tlv(0x87, &[127, 0, 0, 1])]);
        let usages = [0x01, 0x02].map(|usage| [&[0x2b, 6, 1, 5, 5, 7, 3][..], &[usage]].concat());
        let usages = usages.map(|usage| tlv(0x06, &usage)).concat();
        let extensions = [
            extension(&[0x55, 0x1d, 0x11], &names),
            extension(&[0x55, 0x1d, 0x25], &sequence(&[&usages])),
        ];
        let issuer = (self.name.as_str(), &self.key);
        let certificate = certificate(issuer, (name, &key), &extensions.concat());
        Identity { certificate, key: pkcs8 }
    }

    /// Its own certificate.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

impl Identity {
    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key)
    }

    /// Puts both into files of a folder, `NAME.pem` and `NAME.key`, in place of what is there.
    pub(crate) fn write(&self, folder: &Path, name: &str) {
        for (ending, text) in [("pem", self.pem()), ("key", self.key_pem())] {
            let partial = folder.join(format!(".{name}.{ending}"));
            std::fs::write(&partial, text).expect("the folder can be written");
            let file = folder.join(format!("{name}.{ending}"));
            std::fs::rename(partial, file).expect("it can be renamed");
        }
    }
}

/// A new key, and its PKCS#8.
fn pair() -> (EcdsaKeyPair, Vec<u8>) {
    let (scheme, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).expect("there is randomness");
    let key = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).expect("it is a key");
    (key, pkcs8.as_ref().to_vec())
}

/// A certificate that the first issues to the second.
fn certificate(
    (issuer, signs): (&str, &EcdsaKeyPair),
    (subject, key): (&str, &EcdsaKeyPair),
    extensions: &[u8],
) -> Vec<u8> {
    let random = SystemRandom::new();
    let ecdsa_with_sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
    let algorithm = sequence(&[&tlv(0x06, &ecdsa_with_sha256)]);
    let mut serial = [0; 8];
    fastrand::fill(&mut serial);
    serial[0] = 1;
    let version = tlv(0xa0, &tlv(0x02, &[2]));
    let valid = sequence(&[&tlv(0x17, b"200101000000Z"), &tlv(0x17, b"491231235959Z")]);
    let body = sequence(&[
        &version,
        &tlv(0x02, &serial),
        &algorithm,
        &common_name(issuer),
        &valid,
        &common_name(subject),
        &public_key(key),
        &tlv(0xa3, &sequence(&[extensions])),
    ]);
    let signature = signs.sign(&random, &body).expect("the key signs");
    sequence(&[&body, &algorithm, &bits(signature.as_ref())])
}

fn public_key(key: &EcdsaKeyPair) -> Vec<u8> {
    let elliptic = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]);
    let p256 = tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]);
    sequence(&[&sequence(&[&elliptic, &p256]), &bits(key.public_key().as_ref())])
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute = sequence(&[&tlv(0x06, &[0x55, 0x04, 0x03]), &tlv(0x0c, name.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(0x06, oid), &tlv(0x04, value)])
}

fn bits(bytes: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0][..], bytes].concat())
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// A tag, a length and a content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let short = |number: usize| u8::try_from(number).expect("it is short");
    let head = match length {
        0..=127 => vec![tag, short(length)],
        128..=255 => vec![tag, 0x81, short(length)],
        _ => vec![tag, 0x82, short(length >> 8), short(length & 0xff)],
    };
    [head, content.to_vec()].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
    let lines: Vec<String> = lines.collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
