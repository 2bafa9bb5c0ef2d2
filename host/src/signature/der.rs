//! The little of DER that keys and certificates need.
//!
//! Reads elements by their tags and lengths, and never follows more than it names. Whether a
//! certificate can be trusted is not known here.

use crate::event::Timestamp;

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const BIT_STRING: u8 = 0x03;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The extensions of a certificate.
const EXTENSIONS: u8 = 0xa3;
/// Of a certificate, before its extensions: version, serial number, algorithm, issuer, validity,
/// subject, key, and two that nobody uses.
const FIELDS_MAX: usize = 9;
/// Longest object identifier as a text, in bytes.
const OID_BYTES_MAX: usize = 64;

/// Splits an element off the front: its tag, its content, and what follows it.
fn next(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, der) = der.split_first()?;
    let (first, der) = der.split_first()?;
    let (length, der) = match *first {
        short @ ..=0x7f => (usize::from(short), der),
        // Lengths of more than two bytes are longer than any key or certificate.
        long @ (0x81 | 0x82) => {
            let (digits, der) = der.split_at_checked(usize::from(long - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), der)
        }
        _ => return None,
    };
    let (content, rest) = der.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Splits an element of this tag off the front: its content, and what follows it.
pub(super) fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = next(der)?;
    (found == tag).then_some((content, rest))
}

/// An object identifier in decimal numbers and dots, as DER writes its content.
pub(crate) fn oid(text: &str) -> Option<Vec<u8>> {
    if text.len() > OID_BYTES_MAX {
        return None;
    }
    let number = |text: &str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| is_plain)
    };
    let numbers = text.split('.').map(number).collect::<Option<Vec<_>>>()?;
    let [first, second, rest @ ..] = numbers.as_slice() else { return None };
    if *first > 2 || (*first < 2 && *second > 39) {
        return None;
    }
    let mut written = Vec::new();
    for number in
        std::iter::once(first.checked_mul(40)?.checked_add(*second)?).chain(rest.iter().copied())
    {
        let digits = (0..5).rev().map(|place| (number >> (7 * place)) as u8 & 0x7f);
        let significant: Vec<u8> = digits.skip_while(|digit| *digit == 0).collect();
        match significant.split_last() {
            None => written.push(0),
            Some((last, before)) => {
                written.extend(before.iter().map(|digit| digit | 0x80));
                written.push(*last);
            }
        }
    }
    Some(written)
}

/// The `RSAPublicKey` of a modulus and an exponent.
pub(crate) fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let numbers = [unsigned(modulus), unsigned(exponent)].concat();
    written(SEQUENCE, &numbers)
}

fn unsigned(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let needs_zero = digits.first().is_none_or(|first| *first >= 0x80);
    let sign: &[u8] = if needs_zero { &[0] } else { &[] };
    written(INTEGER, &[sign, digits].concat())
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let mut der = vec![tag];
    match content.len() {
        short @ ..=0x7f => der.push(short as u8),
        _ => {
            der.push(0x80 | (length.len() - zeros) as u8);
            der.extend_from_slice(&length[zeros..]);
        }
    }
    der.extend_from_slice(content);
    der
}

/// What of a certificate is read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Certificate<'a> {
    /// When it begins to be valid.
    pub(crate) from: Timestamp,
    /// When it ends to be valid.
    pub(crate) to: Timestamp,
    /// The name of who issued it, as DER writes the content.
    pub(crate) issuer: &'a [u8],
    /// The name of whom it is issued to, in the same way.
    pub(crate) subject: &'a [u8],
    /// Its `SubjectPublicKeyInfo`.
    pub(crate) key: &'a [u8],
    /// The content of its extensions.
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate of X.509, version 3.
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, rest) = element(SEQUENCE, der)?;
        let (mut fields, _) = element(SEQUENCE, certificate).filter(|_| rest.is_empty())?;
        let mut sequences = Vec::new();
        let mut extensions = &[][..];
        for _ in 0..=FIELDS_MAX {
            let whole = fields;
            let Some((tag, content, rest)) = next(fields) else { break };
            match tag {
                SEQUENCE => sequences.push((content, &whole[..whole.len() - rest.len()])),
                EXTENSIONS => extensions = element(SEQUENCE, content)?.0,
                _ => (),
            }
            fields = rest;
        }
        // The algorithm, the issuer, the validity, the subject, the key.
        let &[_, (issuer, _), (validity, _), (subject, _), (_, key)] = sequences.as_slice() else {
            return None;
        };
        let (from, rest) = time(validity)?;
        let (to, _) = time(rest)?;
        Some(Self { from, to, issuer, subject, key, extensions })
    }

    /// Whether it has this extension.
    pub(crate) fn has_extension(&self, oid: &[u8]) -> bool {
        let mut left = self.extensions;
        while let Some((extension, rest)) = element(SEQUENCE, left) {
            if element(OBJECT_IDENTIFIER, extension).is_some_and(|(found, _)| found == oid) {
                return true;
            }
            left = rest;
        }
        false
    }

    /// Whether it is valid at this time.
    pub(crate) fn is_valid_at(&self, time: Timestamp) -> bool {
        (self.from..=self.to).contains(&time)
    }
}

/// A time, and what follows it.
fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, content, rest) = next(der)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (century, text) = match tag {
        // RFC 5280: 50 to 99 are of the twentieth century.
        UTC_TIME => (if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" }, text),
        GENERALIZED_TIME => (text.get(..2)?, text.get(2..)?),
        _ => return None,
    };
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two = |at: usize| &text[2 * at..2 * at + 2];
    let written =
        format!("{century}{}-{}-{}T{}:{}:{}Z", two(0), two(1), two(2), two(3), two(4), two(5));
    Some((written.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_identifier_is_written_as_der_does() {
        let apple = oid("1.2.840.113635.100.6.11.1").unwrap();
        assert_eq!(hex::encode(apple), "2a864886f76364060b01");
        assert_eq!(oid("2.5.29.37"), Some(vec![0x55, 0x1d, 0x25]));
        assert_eq!(oid("1.2.0.128"), Some(vec![0x2a, 0, 0x81, 0]));
        for text in ["", "1", "3.1", "1.40", "1..2", "a.b", "1.2.4294967296", "1.2.-1", "1.2.+1"] {
            assert_eq!(oid(text), None, "{text}");
        }
        assert!(oid(&format!("1.{}2", "0".repeat(OID_BYTES_MAX - 3))).is_some());
        assert_eq!(oid(&format!("1.{}2", "0".repeat(OID_BYTES_MAX - 2))), None);
    }

    #[test]
    fn an_rsa_key_is_written_as_der_does() {
        let key = rsa_public_key(&[0, 0x80, 1], &[1, 0, 1]);
        assert_eq!(hex::encode(key), "300a02030080010203010001");
        let long = rsa_public_key(&[0x7f; 256], &[3]);
        assert_eq!(hex::encode(&long[..8]), "3082010702820100");
    }

    #[test]
    fn times_of_both_centuries_are_read() {
        let read = |tag: u8, text: &str| {
            let der = written(tag, text.as_bytes());
            time(&der).map(|(time, _)| time.to_string())
        };
        let at = |text: &str| Some(text.to_owned());
        assert_eq!(read(UTC_TIME, "491231235959Z"), at("2049-12-31T23:59:59.000Z"));
        assert_eq!(read(UTC_TIME, "700101000000Z"), at("1970-01-01T00:00:00.000Z"));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z"), at("2050-01-01T00:00:00.000Z"));
        for text in ["", "Z", "491231235959", "4912312359Z", "49123123595aZ", "éZ"] {
            assert_eq!(read(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(read(SEQUENCE, "491231235959Z"), None);
    }

    #[test]
    fn a_certificate_is_read_whole_or_not_at_all() {
        let der = leaf();
        let read = Certificate::read(&der).unwrap();
        assert!(read.key.starts_with(&[SEQUENCE]));
        assert!(read.from < read.to && read.is_valid_at(read.from) && read.is_valid_at(read.to));
        assert!(!read.is_valid_at(Timestamp(read.to.0 + 1)));
        assert!(!read.has_extension(&oid("1.2.3").unwrap()));
        assert!(read.has_extension(&oid("2.5.29.17").unwrap()), "it has alternative names");
        for end in 0..der.len() {
            assert_eq!(Certificate::read(&der[..end]), None, "cut at {end}");
        }
        assert_eq!(Certificate::read(&[der.as_slice(), &[0]].concat()), None);
    }

    fn leaf() -> Vec<u8> {
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;

        let pem = include_bytes!("../keys/fixtures/leaf.pem");
        CertificateDer::from_pem_slice(pem).unwrap().to_vec()
    }
}
