//! A header of parts, among them the signing time: `t=1700000000,v1=<hex>,v1=<hex>`.
//!
//! While a secret is rotated, the header has a digest for every active secret. Other parts, and
//! values that can't be a digest, are ignored, as the providers' own libraries do. Two times are
//! never accepted.

use crate::claims::{Claims, Evidence, KeyEncoding, Piece, Refusal};
use crate::event::Timestamp;
use crate::limits::DIGESTS_MAX;
use crate::request::Request;
use crate::{hex, time};

/// Bytes of HMAC-SHA256.
const DIGEST_BYTES: usize = 32;

/// A header that carries HMAC-SHA256 in hexadecimal over `{time}{joint}{body}`; the key is the
/// whole text of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedMac<'a> {
    /// The header's name.
    pub name: &'a str,
    /// The character between its parts.
    pub separator: char,
    /// The name of the part with the time, in seconds.
    pub time: &'a str,
    /// The name of the parts with a digest.
    pub digest: &'a str,
    /// The text between the time and the body in what is signed.
    pub joint: &'a str,
}

impl TimedMac<'_> {
    /// The claims of the request. Refuses a header that is missing, repeated, or lacks a time or a
    /// digest.
    pub fn claim(
        &self,
        request: &Request,
        event_ids: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Claims, Refusal> {
        let (time, at, digests) = self.read(request.the_header(self.name)?)?;
        let message = vec![Piece::from(format!("{time}{}", self.joint)), Piece::Body];
        let mac = Evidence::hmac_sha256(KeyEncoding::Text, message, digests);
        Ok(Claims { signed_at: Some(at), ..Claims::new(mac, event_ids) })
    }

    /// The request with the time and the digest in its header. Without a digest the header gets
    /// zeros, which [`claim`](Self::claim) can read.
    pub fn sign(
        &self,
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        let digest = match digests {
            [] => hex::encode(&[0; DIGEST_BYTES]),
            [digest] => hex::encode(digest),
            _ => return Err(format!("header `{}` carries only one digest", self.name)),
        };
        let Self { name, separator, time, digest: part, .. } = self;
        let seconds = time::to_unix(signed_at);
        request.set_header(name, format!("{time}={seconds}{separator}{part}={digest}"));
        Ok(request)
    }

    /// The time as it is written, the time, and the digests.
    fn read<'h>(&self, header: &'h str) -> Result<(&'h str, Timestamp, Vec<Vec<u8>>), Refusal> {
        let mut written = None;
        let mut digests = Vec::new();
        for part in header.split(self.separator) {
            let Some((name, value)) = part.split_once('=') else { continue };
            if name == self.time {
                if written.replace(value).is_some() {
                    return Err(Refusal::new("the signature has more than one time"));
                }
            } else if name == self.digest {
                digests.extend(hex::decode_lower(value).filter(|d| d.len() == DIGEST_BYTES));
            }
        }
        let time = written.ok_or_else(|| Refusal::new("the signature has no time"))?;
        let at = time::from_unix(time)
            .ok_or_else(|| Refusal::new("the signature's time is not a number of seconds"))?;
        if !(1..=DIGESTS_MAX).contains(&digests.len()) {
            return Err(Refusal::new(format!(
                "the signature has {} digests `{}`, not 1 to {DIGESTS_MAX}",
                digests.len(),
                self.digest
            )));
        }
        Ok((time, at, digests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: TimedMac =
        TimedMac { name: "signature", separator: ',', time: "t", digest: "v1", joint: "." };
    const A: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
    const B: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

    #[test]
    fn every_digest_counts_and_the_rest_is_passed_over() {
        let header = format!("junk,t=1700000000,v1={A},v0=00,v2={B},,=,v1=zz,v1={B}");
        let (time, at, digests) = MAC.read(&header).unwrap();
        assert_eq!((time, at), ("1700000000", 1_700_000_000_000));
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
            assert!(MAC.read(&header).is_err(), "{header}");
        }
    }

    #[test]
    fn what_is_signed_reads_back() {
        for digests in [vec![], vec![vec![7; 32]]] {
            let signed = MAC.sign(Request::post("/", ""), 1_700_000_000_999, &digests).unwrap();
            let claims = MAC.claim(&signed, ["evt_1"]).unwrap();
            assert_eq!(claims.signed_at, Some(1_700_000_000_000));
        }
        assert!(MAC.sign(Request::post("/", ""), 0, &[vec![1], vec![2]]).is_err());
    }
}
