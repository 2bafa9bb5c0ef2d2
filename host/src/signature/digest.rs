//! Hashes and HMACs over the pieces of a message, as if they were one.
//!
//! A plain hash is no HMAC: who knows the hash of a message knows that of the message with its
//! padding and more behind it, if the secret stands in front. Such an extension is found here.
//! Knows no claims.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac, SimpleHmac};
use sha2::{Digest, Sha256};

use crate::provider::Hash;

/// The HMAC over all pieces.
pub(super) fn mac<'a>(hash: Hash, key: &[u8], message: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    fn compute<'a, M: Mac + KeyInit>(
        key: &[u8],
        message: impl Iterator<Item = &'a [u8]>,
    ) -> Vec<u8> {
        let mut mac = <M as KeyInit>::new_from_slice(key).expect("an HMAC takes any key");
        message.for_each(|piece| mac.update(piece));
        mac.finalize().into_bytes().to_vec()
    }
    match hash {
        Hash::Md5 => compute::<Hmac<md5::Md5>>(key, message),
        Hash::Sha1 => compute::<Hmac<sha1::Sha1>>(key, message),
        Hash::Sha256 => compute::<Hmac<Sha256>>(key, message),
        Hash::Sha384 => compute::<Hmac<sha2::Sha384>>(key, message),
        Hash::Sha512 => compute::<Hmac<sha2::Sha512>>(key, message),
        Hash::Sha3 => compute::<SimpleHmac<sha3::Sha3_256>>(key, message),
    }
}

/// HMAC-SHA256 by a key that was taken in once: half of what a short message costs. Clones share
/// it.
#[derive(Clone)]
pub(crate) struct Keyed(Arc<Hmac<Sha256>>);

impl Keyed {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("an HMAC takes any key");
        Self(Arc::new(mac))
    }

    /// The HMAC over all pieces.
    pub(crate) fn mac<'a>(&self, message: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::clone(&self.0);
        message.for_each(|piece| mac.update(piece));
        mac.finalize().into_bytes().into()
    }
}

/// The plain hash of all pieces.
pub(super) fn plain<'a>(hash: Hash, message: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    fn compute<'a, D: Digest>(message: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        let mut digest = D::new();
        message.for_each(|piece| digest.update(piece));
        digest.finalize().to_vec()
    }
    match hash {
        Hash::Md5 => compute::<md5::Md5>(message),
        Hash::Sha1 => compute::<sha1::Sha1>(message),
        Hash::Sha256 => compute::<Sha256>(message),
        Hash::Sha384 => compute::<sha2::Sha384>(message),
        Hash::Sha512 => compute::<sha2::Sha512>(message),
        Hash::Sha3 => compute::<sha3::Sha3_256>(message),
    }
}

/// Bytes of a digest.
pub(super) fn length(hash: Hash) -> usize {
    match hash {
        Hash::Md5 => 16,
        Hash::Sha1 => 20,
        Hash::Sha256 | Hash::Sha3 => 32,
        Hash::Sha384 => 48,
        Hash::Sha512 => 64,
    }
}

/// Whether a message can be the extension of a shorter one, whose hash its sender knew: then the
/// padding of the shorter one stands in it, at the end of a block. No genuine message has that.
pub(super) fn is_extended(hash: Hash, message: &[u8]) -> bool {
    let (block, digits) = match hash {
        Hash::Md5 | Hash::Sha1 | Hash::Sha256 => (64, 8),
        Hash::Sha512 => (128, 16),
        // Their digest is not all that is known inside.
        Hash::Sha384 | Hash::Sha3 => return false,
    };
    (block..=message.len()).step_by(block).any(|end| {
        let (before, length) = message[..end].split_at(end - digits);
        let bits = match hash {
            Hash::Md5 => {
                length.iter().rev().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte))
            }
            _ => length.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte)),
        };
        let Some(shorter) = usize::try_from(bits / 8).ok().filter(|_| bits % 8 == 0) else {
            return false;
        };
        // The mark and zeros fill the block, and no more than that.
        let padding = before.get(shorter..).unwrap_or_default();
        (1..=block).contains(&padding.len())
            && padding[0] == 0x80
            && padding[1..].iter().all(|byte| *byte == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(hash: Hash, message: &str) -> String {
        hex::encode(plain(hash, [message.as_bytes()].into_iter()))
    }

    fn keyed(hash: Hash, key: &str, message: &str) -> String {
        hex::encode(mac(hash, key.as_bytes(), [message.as_bytes()].into_iter()))
    }

    #[test]
    fn the_published_digests_of_abc_are_computed() {
        for (hash, expected) in [
            (Hash::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Hash::Sha3, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        ] {
            assert_eq!(hashed(hash, "abc"), expected, "{hash:?}");
            assert_eq!(expected.len(), 2 * length(hash));
        }
        assert!(hashed(Hash::Sha384, "abc").starts_with("cb00753f45a35e8bb5a03d699ac65007"));
        assert!(hashed(Hash::Sha512, "abc").starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn the_published_hmacs_of_jefe_are_computed() {
        let message = "what do ya want for nothing?";
        assert_eq!(keyed(Hash::Md5, "Jefe", message), "750c783e6ab0b503eaa86e310a5db738");
        let sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(keyed(Hash::Sha256, "Jefe", message), sha256);
        let sha384 = "af45d2e376484031617f78d2b58a6b1b";
        assert!(keyed(Hash::Sha384, "Jefe", message).starts_with(sha384));
        let sha3 = "c7d4072e788877ae3596bbb0da73b887c9171f93095b294ae857fbe2645e1ba5";
        assert_eq!(keyed(Hash::Sha3, "Jefe", message), sha3);
    }

    #[test]
    fn a_key_that_was_taken_in_once_is_as_good_for_each_message() {
        let key = Keyed::new(b"Jefe");
        for message in ["what do ya want for nothing?", "", "and then?"] {
            let code = key.mac(message.split_inclusive(' ').map(str::as_bytes));
            assert_eq!(hex::encode(code), keyed(Hash::Sha256, "Jefe", message));
        }
    }

    /// The message with its own padding behind it.
    fn padded(hash: Hash, message: &[u8]) -> Vec<u8> {
        let (block, digits) = if hash == Hash::Sha512 { (128, 16) } else { (64, 8) };
        let mut padded = message.to_vec();
        padded.push(0x80);
        while padded.len() % block != block - digits {
            padded.push(0);
        }
        let bits = 8 * message.len() as u64;
        if hash == Hash::Md5 {
            padded.extend(bits.to_le_bytes());
        } else {
            padded.extend(vec![0; digits - 8]);
            padded.extend(bits.to_be_bytes());
        }
        padded
    }

    #[test]
    fn an_extended_message_is_found_whatever_its_length() {
        for hash in [Hash::Md5, Hash::Sha1, Hash::Sha256, Hash::Sha512] {
            for length in [1, 31, 55, 56, 63, 64, 111, 112, 127, 128, 200] {
                let genuine = vec![b'a'; length];
                assert!(!is_extended(hash, &genuine), "{hash:?} {length}");
                let padded = padded(hash, &genuine);
                assert!(is_extended(hash, &padded), "{hash:?} {length}");
                let extended = [padded.as_slice(), b"&amount=1"].concat();
                assert!(is_extended(hash, &extended), "{hash:?} {length}");
                let shifted = [b"b".as_slice(), &extended].concat();
                assert!(!is_extended(hash, &shifted), "{hash:?} {length}");
            }
        }
    }

    #[test]
    fn what_can_be_extended_only_with_the_secret_is_not_searched() {
        let padded = padded(Hash::Sha256, b"secret and body");
        assert_eq!(padded.len(), 64);
        assert!(is_extended(Hash::Sha256, &padded));
        assert!(!is_extended(Hash::Sha3, &padded) && !is_extended(Hash::Sha384, &padded));
    }
}
