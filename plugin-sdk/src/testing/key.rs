//! How a configured secret becomes the bytes of a key.

use crate::claims::KeyEncoding;
use crate::{base64, hex};

/// The key in a secret; `None` for a secret that does not fit, which is passed over. An empty key
/// fits nothing.
pub(super) fn decode(encoding: KeyEncoding, secret: &str) -> Option<Vec<u8>> {
    let key = match encoding {
        KeyEncoding::Text => Some(secret.as_bytes().to_vec()),
        KeyEncoding::Hex => hex::decode(secret),
        KeyEncoding::Base64 => padded(secret),
        KeyEncoding::Whsec => padded(secret.strip_prefix("whsec_").unwrap_or(secret)),
        KeyEncoding::Whpk => padded(secret.strip_prefix("whpk_")?),
        KeyEncoding::Pem => subject_public_key(secret),
    };
    key.filter(|key| !key.is_empty())
}

fn padded(text: &str) -> Option<Vec<u8>> {
    let width = text.len().next_multiple_of(4);
    base64::decode(&format!("{text:=<width$}"))
}

/// The key inside the DER of `BEGIN PUBLIC KEY`: a sequence of the algorithm and a bit string.
fn subject_public_key(pem: &str) -> Option<Vec<u8>> {
    let body = pem.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?;
    let body = body.strip_suffix("-----END PUBLIC KEY-----")?;
    let der = base64::decode(&body.split_whitespace().collect::<String>())?;
    let (sequence, _) = element(0x30, &der)?;
    let (_algorithm, rest) = element(0x30, sequence)?;
    let (bits, _) = element(0x03, rest)?;
    bits.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

/// The content of the DER element with this tag, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_becomes_a_key() {
        assert_eq!(decode(KeyEncoding::Text, "whsec_ab").unwrap(), b"whsec_ab");
        assert_eq!(decode(KeyEncoding::Hex, "fF00").unwrap(), [255, 0]);
        for secret in ["whsec_Zm8=", "whsec_Zm8", "Zm8="] {
            assert_eq!(decode(KeyEncoding::Whsec, secret).unwrap(), b"fo");
        }
    }

    #[test]
    fn an_empty_key_fits_nothing() {
        for secret in ["", "whsec_", "whpk_"] {
            assert_eq!(decode(KeyEncoding::Whsec, secret.trim_start_matches("whpk_")), None);
            assert_eq!(decode(KeyEncoding::Whpk, secret), None);
        }
        assert_eq!(decode(KeyEncoding::Text, ""), None);
        assert_eq!(decode(KeyEncoding::Pem, "-----BEGIN PUBLIC KEY-----"), None);
    }
}
