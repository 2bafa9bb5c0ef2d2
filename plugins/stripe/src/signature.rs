//! The header `Stripe-Signature`: `t=1700000000,v1=<hex>,v1=<hex>,v0=<hex>`.
//!
//! There is a `v1` for every active secret while one is rolled. Other schemes, other parts and
//! values that can't be a digest are passed over, as Stripe's libraries do.

use hookgate_sdk::{Refusal, Timestamp, hex, time};

/// The name of the header.
pub(crate) const HEADER: &str = "stripe-signature";

/// Bytes of HMAC-SHA256.
const DIGEST_BYTES: usize = 32;

/// What the header says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed<'h> {
    /// The time as it is written, which is what was signed.
    pub(crate) time: &'h str,
    pub(crate) at: Timestamp,
    pub(crate) digests: Vec<Vec<u8>>,
}

impl<'h> Signed<'h> {
    pub(crate) fn parse(header: &'h str) -> Result<Self, Refusal> {
        let (mut written, mut digests) = (None, Vec::new());
        for part in header.split(',') {
            match part.split_once('=') {
                Some(("t", _)) if written.is_some() => {
                    return Err(Refusal::new("signature has more than one time"));
                }
                Some(("t", value)) => written = Some(value),
                // Stripe writes lower case and its libraries compare the text.
                Some(("v1", value)) => digests.extend(digest(value)),
                _ => (),
            }
        }
        let time = written.ok_or_else(|| Refusal::new("signature has no time"))?;
        let at = time::from_unix(time);
        let at = at.ok_or_else(|| Refusal::new("the signature's time is no number of seconds"))?;
        if digests.is_empty() {
            return Err(Refusal::new("signature has no digest of the scheme v1"));
        }
        Ok(Self { time, at, digests })
    }
}

/// The header with this digest, or with one of zeros that merely reads well.
pub(crate) fn header(seconds: u64, digests: &[Vec<u8>]) -> Result<String, String> {
    let digest = match digests {
        [] => hex::encode(&[0; DIGEST_BYTES]),
        [digest] => hex::encode(digest),
        _ => return Err("a request to Stripe's endpoint carries one digest".to_owned()),
    };
    Ok(format!("t={seconds},v1={digest}"))
}

fn digest(value: &str) -> Option<Vec<u8>> {
    hex::decode_lower(value).filter(|digest| digest.len() == DIGEST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "00000000000000000000000000000000000000000000000000000000000000aa";
    const B: &str = "00000000000000000000000000000000000000000000000000000000000000bb";

    #[test]
    fn every_v1_is_a_digest_and_the_rest_is_passed_over() {
        let header = format!("junk,t=1700000000,v1={A},v0=00,v2={B},,=,v1=zz,v1={B}");
        let signed = Signed::parse(&header).unwrap();
        assert_eq!((signed.time, signed.at), ("1700000000", 1_700_000_000_000));
        assert_eq!(signed.digests, [hex::decode(A).unwrap(), hex::decode(B).unwrap()]);
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
            format!("t=1,v1={}", A.to_uppercase()),
            format!("t=1,v1={A}0"),
            "t=1,v1=".to_owned(),
            "t=1,v1=aa".to_owned(),
        ] {
            assert!(Signed::parse(&header).is_err(), "{header}");
        }
    }

    #[test]
    fn a_header_that_is_written_reads_back() {
        for digests in [vec![], vec![vec![7; 32]]] {
            let header = header(1_700_000_000, &digests).unwrap();
            assert_eq!(Signed::parse(&header).unwrap().time, "1700000000");
        }
        assert!(header(1, &[vec![1], vec![2]]).is_err());
    }
}
