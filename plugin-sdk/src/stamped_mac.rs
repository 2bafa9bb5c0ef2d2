//! A digest in one header over a time in another and the body: `v0:{time}:{body}`.
//!
//! The signature covers the time as it is written. Never accepts a text that is not a time. For a
//! time in the same header as the digest there is [`TimedMac`](crate::TimedMac).

use crate::claims::{Claims, Piece, Refusal};
use crate::event::Timestamp;
use crate::header_mac::HeaderMac;
use crate::request::Request;
use crate::stamp::Stamp;

/// A header that carries an HMAC over the time in another header and the body.
///
/// ```
/// use hookgate_sdk::{HeaderMac, Request, StampedMac};
///
/// const SIGNATURE: StampedMac =
///     StampedMac::new(HeaderMac::hex("x-acme-signature"), "x-acme-time").with_joint(":");
///
/// let request = Request::post("/in/acme", "{}");
/// let signed = SIGNATURE.sign(request, 1_700_000_000_000, &[vec![7; 32]]).unwrap();
/// let claims = SIGNATURE.claim(&signed, ["evt_1"]).unwrap();
/// assert_eq!(claims.signed_at, Some(1_700_000_000_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StampedMac<'a> {
    digest: HeaderMac<'a>,
    time: &'a str,
    stamp: Stamp,
    lead: &'a str,
    joint: &'a str,
    is_behind: bool,
}

impl<'a> StampedMac<'a> {
    /// A digest over the time and the body, with nothing between them. `time` names the header with
    /// the time, in seconds. Without a [joint](Self::with_joint) it must have 10 digits, or 13 in
    /// milliseconds: otherwise a digit beside it could pass for one of its own.
    pub const fn new(digest: HeaderMac<'a>, time: &'a str) -> Self {
        Self { digest, time, stamp: Stamp::Seconds, lead: "", joint: "", is_behind: false }
    }

    /// With a text that is signed before all else: `v0:`.
    #[must_use]
    pub const fn with_lead(self, lead: &'a str) -> Self {
        Self { lead, ..self }
    }

    /// With a text that is signed between the time and the body: `:`.
    #[must_use]
    pub const fn with_joint(self, joint: &'a str) -> Self {
        Self { joint, ..self }
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

    /// With the time behind the body in what is signed: `{body}{joint}{time}`.
    #[must_use]
    pub const fn behind_the_body(self) -> Self {
        Self { is_behind: true, ..self }
    }

    /// The claims of the request. Refuses it if one of the two headers is missing, repeated or
    /// invalid.
    pub fn claim(
        &self,
        request: &Request,
        event_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Claims, Refusal> {
        let Self { time: name, lead, joint, .. } = self;
        let written = request.the_header(name)?;
        let at = self
            .stamp
            .read(written)
            .ok_or_else(|| Refusal::new(format!("header `{name}` is not a time")))?;
        if joint.is_empty() && !self.stamp.has_usual_length(written) {
            return Err(Refusal::new(format!("header `{name}` has too many or too few digits")));
        }
        let message = if self.is_behind {
            vec![Piece::from(*lead), Piece::Body, Piece::from(format!("{joint}{written}"))]
        } else {
            vec![Piece::from(format!("{lead}{written}{joint}")), Piece::Body]
        };
        let mac = self.digest.evidence(request, message)?;
        Ok(Claims::new(mac, event_ids).with_signing_time(at))
    }

    /// The request with the time and the digest in its headers. Without a digest the header gets
    /// zeros, which [`claim`](Self::claim) can read.
    pub fn sign(
        &self,
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        request.set_header(self.time, self.stamp.write(signed_at));
        self.digest.sign(request, digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Evidence, Hash, KeyEncoding, Proof};

    const SECONDS: StampedMac<'_> =
        StampedMac::new(HeaderMac::hex("x-digest"), "x-time").with_lead("v0:").with_joint(":");
    const MILLISECONDS: StampedMac<'_> =
        StampedMac::new(HeaderMac::base64("x-digest"), "x-time").in_milliseconds();

    #[track_caller]
    fn check(mac: StampedMac<'_>, lead: &str, at: Timestamp) {
        let signed = mac.sign(Request::post("/", "{}"), 1_700_000_000_999, &[vec![7; 32]]).unwrap();
        let claims = mac.claim(&signed, ["evt_1"]).unwrap();
        let message = vec![Piece::from(lead), Piece::Body];
        let proof = Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![7; 32]]);
        assert_eq!(claims.evidence, [Evidence::from(proof)]);
        assert_eq!((claims.signed_at, &*claims.event_ids[0]), (Some(at), "evt_1"));
    }

    #[test]
    fn what_is_signed_reads_back() {
        check(SECONDS, "v0:1700000000:", 1_700_000_000_000);
        check(MILLISECONDS, "1700000000999", 1_700_000_000_999);
        for mac in [SECONDS, MILLISECONDS] {
            let unsigned = mac.sign(Request::post("/", ""), 1_700_000_000_000, &[]).unwrap();
            assert!(mac.claim(&unsigned, ["evt_1"]).is_ok());
            assert!(mac.sign(unsigned, 0, &[vec![1], vec![2]]).is_err());
        }
    }

    #[test]
    fn a_time_may_be_signed_behind_the_body() {
        let mac = StampedMac::new(HeaderMac::hex("x-digest"), "x-time")
            .in_rfc3339()
            .with_joint(":")
            .behind_the_body();
        let signed = mac.sign(Request::post("/", "{}"), 0, &[vec![7; 32]]).unwrap();
        let claims = mac.claim(&signed, ["evt_1"]).unwrap();
        let time = Piece::from(":1970-01-01T00:00:00.000Z");
        let message = vec![Piece::from(""), Piece::Body, time];
        let proof = Proof::hmac(Hash::Sha256, KeyEncoding::Text, message, vec![vec![7; 32]]);
        assert_eq!((claims.evidence, claims.signed_at), (vec![Evidence::from(proof)], Some(0)));
    }

    #[test]
    fn a_time_is_signed_as_it_is_written() {
        let mut signed = SECONDS.sign(Request::post("/", ""), 0, &[]).unwrap();
        signed.set_header("x-time", "01700000000");
        let claims = SECONDS.claim(&signed, ["evt_1"]).unwrap();
        let written = format!("{:?}", claims.evidence);
        assert!(written.contains("v0:01700000000:"), "{written}");
    }

    #[test]
    fn no_digit_beside_a_time_passes_for_one_of_its_own() {
        for mac in [MILLISECONDS, MILLISECONDS.behind_the_body()] {
            let mut signed = mac.sign(Request::post("/", "{}"), 1_700_000_000_999, &[]).unwrap();
            assert!(mac.claim(&signed, ["evt_1"]).is_ok());
            for time in ["01700000000999", "51700000000999", "700000000999"] {
                signed.set_header("x-time", time);
                assert!(mac.claim(&signed, ["evt_1"]).is_err(), "{time}");
            }
        }
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        let none: [&str; 0] = [];
        let signed = SECONDS.sign(Request::post("/", ""), 0, &[]).unwrap();
        for name in ["x-time", "x-digest"] {
            let mut request = signed.clone();
            request
                .headers
                .push(request.headers.iter().find(|it| it.name == name).unwrap().clone());
            assert!(SECONDS.claim(&request, none).is_err(), "{name} is there twice");
            request.remove_header(name);
            assert!(SECONDS.claim(&request, none).is_err(), "{name} is missing");
        }
        for time in ["", "-1", "1.5", " 1", "1 ", "abc", "99999999999999"] {
            let mut request = signed.clone();
            request.set_header("x-time", time);
            assert!(SECONDS.claim(&request, none).is_err(), "{time}");
        }
    }
}
