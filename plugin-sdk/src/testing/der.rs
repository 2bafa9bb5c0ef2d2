//! The little of DER and PEM that keys and certificates in tests need.
//!
//! Reads elements by their tags and lengths. Never checks who signed a certificate.

use crate::base64;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// The bytes between the first and the last line of PEM; of several in one text the first with this
/// label.
pub(super) fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, body) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = body.split_once(&format!("-----END {label}-----"))?;
    base64::decode(&body.split_whitespace().collect::<String>())
}

/// The public key in a `SubjectPublicKeyInfo`: a sequence of the algorithm and a bit string.
pub(super) fn key_of_info(der: &[u8]) -> Option<Vec<u8>> {
    let (sequence, _) = element(SEQUENCE, der)?;
    let (_algorithm, rest) = element(SEQUENCE, sequence)?;
    let (bits, _) = element(BIT_STRING, rest)?;
    bits.strip_prefix(&[0]).map(<[u8]>::to_vec)
}

/// The number of a private key of an elliptic curve, in PKCS #8.
pub(super) fn private_number(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = element(SEQUENCE, der)?;
    let (_version, rest) = element(INTEGER, info)?;
    let (_algorithm, rest) = element(SEQUENCE, rest)?;
    let (key, _) = element(OCTET_STRING, rest)?;
    let (key, _) = element(SEQUENCE, key)?;
    let (_version, rest) = element(INTEGER, key)?;
    element(OCTET_STRING, rest).map(|(number, _)| number)
}

/// The public key of an X.509 certificate.
pub(super) fn key_of_certificate(der: &[u8]) -> Option<Vec<u8>> {
    key_of_info(fields_of_certificate(der)?.1)
}

/// The issuer and the subject of an X.509 certificate.
pub(super) fn names_of_certificate(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([_algorithm, issuer, _validity, subject], _) = fields_of_certificate(der)?;
    Some((issuer, subject))
}

/// The algorithm, the issuer, the validity and the subject, and the `SubjectPublicKeyInfo` with
/// what follows it.
fn fields_of_certificate(der: &[u8]) -> Option<([&[u8]; 4], &[u8])> {
    let (certificate, _) = element(SEQUENCE, der)?;
    let (content, _) = element(SEQUENCE, certificate)?;
    let rest = element(VERSION, content).map_or(content, |(_version, rest)| rest);
    let (_serial, mut rest) = element(INTEGER, rest)?;
    let mut fields = [rest; 4];
    for field in &mut fields {
        (*field, rest) = element(SEQUENCE, rest)?;
    }
    Some((fields, rest))
}

/// Whether a certificate has the extension of this object identifier, in numbers and dots.
pub(super) fn has_extension(der: &[u8], identifier: &str) -> bool {
    let Some(identifier) = object_identifier(identifier) else { return false };
    let extensions = || {
        let (certificate, _) = element(SEQUENCE, der)?;
        let (mut fields, _) = element(SEQUENCE, certificate)?;
        while *fields.first()? != EXTENSIONS {
            fields = next(fields)?.2;
        }
        let (list, _) = element(EXTENSIONS, fields)?;
        Some(element(SEQUENCE, list)?.0)
    };
    let mut list = extensions().unwrap_or_default();
    while let Some((extension, rest)) = element(SEQUENCE, list) {
        if element(OBJECT_IDENTIFIER, extension).is_some_and(|(found, _)| found == identifier) {
            return true;
        }
        list = rest;
    }
    false
}

/// An `RSAPublicKey` of these numbers.
pub(super) fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        // A first bit would make the number negative.
        let sign: &[u8] = if digits.first().is_none_or(|byte| *byte > 0x7f) { &[0] } else { &[] };
        written(INTEGER, &[sign, &digits].concat())
    };
    written(SEQUENCE, &[number(modulus), number(exponent)].concat())
}

fn object_identifier(text: &str) -> Option<Vec<u8>> {
    let numbers: Option<Vec<u32>> = text.split('.').map(|number| number.parse().ok()).collect();
    let numbers = numbers?;
    let [first, second, rest @ ..] = numbers.as_slice() else { return None };
    let head = first.checked_mul(40)?.checked_add(*second)?;
    let mut written = Vec::new();
    for number in [head].iter().chain(rest) {
        let digits = (0..5).rev().map(|place| (number >> (7 * place)) & 0x7f);
        let mut digits: Vec<u32> = digits.skip_while(|digit| *digit == 0).collect();
        let last = digits.pop().unwrap_or_default();
        digits.iter_mut().for_each(|digit| *digit |= 0x80);
        digits.push(last);
        written.extend(digits.into_iter().filter_map(|digit| u8::try_from(digit).ok()));
    }
    Some(written)
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let count = u8::try_from(digits.len()).unwrap_or_default();
    let head = match digits {
        [] => vec![tag, 0],
        [short] if *short <= 0x7f => vec![tag, *short],
        long => [&[tag, 0x80 | count][..], long].concat(),
    };
    [head.as_slice(), content].concat()
}

/// The content of the DER element with this tag, and what follows it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = next(der)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, and what follows it.
fn next(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        (digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_several_parts_has_each_of_them() {
        let part = |label: &str, base64: &str| {
            format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
        };
        let text = &(part("A", "AA==") + &part("B", "AQ=="));
        assert_eq!((pem(text, "A"), pem(text, "B")), (Some(vec![0]), Some(vec![1])));
        assert_eq!(pem(text, "C"), None);
    }

    #[test]
    fn numbers_are_written_as_der_has_them() {
        assert_eq!(
            rsa_key(&[0x80, 1], &[1, 0, 1]),
            b"\x30\x0a\x02\x03\x00\x80\x01\x02\x03\x01\x00\x01"
        );
        assert_eq!(written(INTEGER, &[1; 200])[..3], [2, 0x81, 200]);
        assert_eq!(written(INTEGER, &[1; 300])[..4], [2, 0x82, 1, 44]);
        let apple = b"\x2a\x86\x48\x86\xf7\x63\x64\x06\x0b\x01";
        assert_eq!(object_identifier("1.2.840.113635.100.6.11.1").unwrap(), apple);
        assert_eq!(object_identifier("2.5.29.17").unwrap(), b"\x55\x1d\x11");
        assert_eq!(object_identifier("1"), None);
        assert_eq!(object_identifier("1.x"), None);
    }
}
