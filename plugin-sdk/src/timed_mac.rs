//! A header of parts, among them the signing time: `t=1700000000,v1=<hex>,v1=<hex>`.
//!
//! There is a digest for every active secret while one is rolled. Other parts, and values that
//! can't be a digest, are passed over, as the providers' own libraries do.

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
    /// What stands between its parts.
    pub separator: char,
    /// The name of the part with the time, in seconds.
    pub time: &'a str,
    /// The name of the parts with a digest.
    pub digest: &'a str,
    /// What stands between the time and the body where they are signed.
    pub joint: &'a str,
}

impl TimedMac<'_> {
    /// What the request claims. Refuses a header that is missing, is there twice, or lacks a time
    /// or a digest.
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

    /// The request with this digest in its header, or with one of zeros that merely reads well.
    pub fn sign(
        &self,
        mut request: Request,
        signed_at: Timestamp,
        digests: &[Vec<u8>],
    ) -> Result<Request, String> {
        let digest = match digests {
            [] => hex::encode(&[0; DIGEST_BYTES]),
            [digest] => hex::encode(digest),
            _ => return Err(format!("header `{}` carries one digest", self.name)),
        };
        let Self { name, separator, time, digest: part, .. } = self;
        let seconds = time::to_unix(signed_at);
        request.set_header(name, format!("{time}={seconds}{separator}{part}={digest}"));
        Ok(request)
    }

    /// The time as it is written, the time, and the digests.
    fn read<'h>(&self, header: &'h str) -> Result<(&'h str, Timestamp, Vec<Vec<u8>>), Refusal> {
        let (mut written, mut digests) = (None, Vec::new());
        for part in header.split(self.separator) {
            let Some((name, value)) = part.split_once('=') else { continue };
            if name == self.time {
                if written.replace(value).is_some() {
                    return Err(Refusal::new("signature has more than one time"));
                }
            } else if name == self.digest {
                digests.extend(hex::decode_lower(value).filter(|d| d.len() == DIGEST_BYTES));
            }
        }
        let time = written.ok_or_else(|| Refusal::new("signature has no time"))?;
        let at = time::from_unix(time);
        let at = at.ok_or_else(|| Refusal::new("the signature's time is no number of seconds"))?;
        if !(1..=DIGESTS_MAX).contains(&digests.len()) {
            let (most, digest) = (DIGESTS_MAX, self.digest);
            return Err(Refusal::new(format!("signature has not 1 to {most} digests `{digest}`")));
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
