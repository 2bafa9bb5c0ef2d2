//! A header of parts, among them the signing time: `t=1700000000,v1=<hex>,v1=<hex>`.
//!
//! While a secret is rotated, the header has a digest for every active secret. Other parts, and
//! values that can't be a digest, are ignored, as the providers' own libraries do. Two times are
//! never accepted.

use crate::claims::{Claims, Piece, Refusal};
use crate::event::Timestamp;
use crate::header_mac::HeaderMac;
use crate::header_parts::HeaderParts;
use crate::limits::DIGESTS_MAX;
use crate::request::Request;
use crate::stamp::Stamp;

/// A header that carries a time, and an HMAC over the time and the body.
///
/// ```
/// use hookgate_sdk::{HeaderMac, Request, TimedMac};
///
/// const SIGNATURE: TimedMac = TimedMac::new(HeaderMac::hex("x-acme-signature"));
///
/// let request = Request::post("/in/acme", "{}");
/// let signed = SIGNATURE.sign(request, 1_700_000_000_000, &[vec![0; 32]]).unwrap();
/// assert!(signed.header("x-acme-signature").unwrap().starts_with("t=1700000000,v1=00"));
/// assert!(SIGNATURE.claim(&signed, ["evt_1"]).is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedMac<'a> {
    mac: HeaderMac<'a>,
    parts: HeaderParts<'a>,
    time: &'a str,
    digests: &'a [&'a str],
    stamp: Stamp,
    joint: &'a str,
}

impl<'a> TimedMac<'a> {
    /// A time `t` in seconds and digests `v1`, with commas between them, over
    /// `{time}.{body}`. The digests are written and made as `mac` says, without its prefix.
    pub const fn new(mac: HeaderMac<'a>) -> Self {
        Self {
            mac,
            parts: HeaderParts::new(mac.name),
            time: "t",
            digests: &["v1"],
            stamp: Stamp::Seconds,
            joint: ".",
        }
    }

    /// With other names of the part with the time and of the parts with a digest. Any of them
    /// counts.
    #[must_use]
    pub const fn named(self, time: &'a str, digests: &'a [&'a str]) -> Self {
        Self { time, digests, ..self }
    }

    /// With another character between two parts.
    #[must_use]
    pub const fn separated_by(self, separator: char) -> Self {
        Self { parts: self.parts.separated_by(separator), ..self }
    }

    /// With another character between the name and the value of a part.
    #[must_use]
    pub const fn assigned_by(self, assignment: char) -> Self {
        Self { parts: self.parts.assigned_by(assignment), ..self }
    }

    /// With blanks around parts, which are not part of them.
    #[must_use]
    pub const fn spaced(self) -> Self {
        Self { parts: self.parts.spaced(), ..self }
    }

    /// With a time in milliseconds.
    #[must_use]
    pub const fn in_milliseconds(self) -> Self {
        Self { stamp: Stamp::Milliseconds, ..self }
    }

    /// With a time such as `2026-01-01T00:00:00Z`.
    #[must_use]
    pub const fn in_rfc3339(self) -> Self {
        Self { stamp: Stamp::Rfc3339, ..self }
    }

    /// With another text between the time and the body in what is signed.
    #[must_use]
    pub const fn with_joint(self, joint: &'a str) -> Self {
        Self { joint, ..self }
    }

    /// The claims of the request. Refuses a header that is missing, repeated, or lacks a time or a
    /// digest.
    pub fn claim(
        &self,
        request: &Request,
        event_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Claims, Refusal> {
        let (written, at, digests) = self.read(request)?;
        let message = vec![Piece::from([written, self.joint].concat()), Piece::Body];
        let evidence = self.mac.evidence_of(message, digests);
        Ok(Claims::new(evidence, event_ids).with_signing_time(at))
    }

    /// The time as it is written, the time, and the digests, for a provider that signs more than
    /// the time and the body: [`HeaderMac::evidence_of`] makes evidence of the digests.
    pub fn read<'r>(
        &self,
        request: &'r Request,
    ) -> Result<(&'r str, Timestamp, Vec<Vec<u8>>), Refusal> {
        let parts = self.parts.read(request)?;
        let written = parts.the(self.time)?;
        let at = self
            .stamp
            .read(written)
            .ok_or_else(|| Refusal::new(format!("`{}` is not a time", self.time)))?;
        let named = self.digests.iter().flat_map(|name| parts.all(name));
        let digests: Vec<_> = named.filter_map(|text| self.mac.digest(text)).collect();
        if !(1..=DIGESTS_MAX).contains(&digests.len()) {
            return Err(Refusal::new(format!(
                "the signature has {} digests `{}`, not 1 to {DIGESTS_MAX}",
                digests.len(),
                self.digests.join("`, `")
            )));
        }
        Ok((written, at, digests))
    }

    /// The request with the time and the digest in its header. Without a digest the header gets
    /// zeros, which [`claim`](Self::claim) can read.
    pub fn sign(
        &self,
        request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        let digest = self.mac.written(digests)?;
        let name = self.digests.first().copied().unwrap_or_default();
        let stamp = self.stamp.write(signed_at);
        Ok(self.parts.write(request, &[(self.time, stamp.as_str()), (name, digest.as_str())]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    const MAC: TimedMac = TimedMac::new(HeaderMac::hex("signature"));
    const A: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
    const B: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

    fn request(header: &str) -> Request {
        let mut request = Request::post("/", "");
        request.set_header("signature", header);
        request
    }

    #[test]
    fn every_digest_counts_and_the_rest_is_passed_over() {
        let request = request(&format!("junk,t=1700000000,v1={A},v0=00,v2={B},,=,v1=zz,v1={B}"));
        let (written, at, digests) = MAC.read(&request).unwrap();
        assert_eq!((written, at), ("1700000000", 1_700_000_000_000));
        assert_eq!(digests, [hex::decode(A).unwrap(), hex::decode(B).unwrap()]);
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        for header in [
            String::new(),
            "t=1".to_owned(),
            format!("v1={A}"),
            format!("t=,v1={A}"),
            format!("t=-1,v1={A}"),
            format!("t=1.5,v1={A}"),
            format!("t=1,t=2,v1={A}"),
            format!("t=1,v0={A}"),
            format!("t=1,V1={A}"),
            format!("t=1;v1={A}"),
            format!("t=1,v1={}", A.to_uppercase()),
            format!("t=1,v1={A}0"),
            format!("t=1{}", format!(",v1={A}").repeat(17)),
            "t=1,v1=".to_owned(),
            "t=1,v1=aa".to_owned(),
        ] {
            assert!(MAC.read(&request(&header)).is_err(), "{header}");
        }
    }

    #[test]
    fn every_grammar_reads_back() {
        const DIGEST: HeaderMac = HeaderMac::base64("signature");
        for (mac, at) in [
            (MAC, 1_700_000_000_000),
            (MAC.separated_by(';').named("ts", &["h1"]).with_joint(":"), 1_700_000_000_000),
            (TimedMac::new(DIGEST).in_milliseconds().separated_by(' '), 1_700_000_000_999),
            (TimedMac::new(DIGEST).in_rfc3339().named("t", &["te", "li"]), 1_700_000_000_999),
        ] {
            for digests in [vec![], vec![vec![7; 32]]] {
                let signed = mac.sign(Request::post("/", ""), 1_700_000_000_999, &digests).unwrap();
                let claims = mac.claim(&signed, ["evt_1"]).unwrap();
                assert_eq!(claims.signed_at, Some(at));
            }
            assert!(mac.sign(Request::post("/", ""), 0, &[vec![1], vec![2]]).is_err());
        }
    }

    #[test]
    fn a_digest_of_either_name_counts() {
        let mac = MAC.named("t", &["te", "li"]);
        let signed = request(&format!("t=1,te=,li={A}"));
        assert_eq!(mac.read(&signed).unwrap().2, [hex::decode(A).unwrap()]);
    }
}
