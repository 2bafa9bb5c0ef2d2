//! Ids: which texts the gateway accepts, and ids for events that have none.
//!
//! A derived id depends on nothing but its parts, so a retry gets the same.

use sha2::{Digest, Sha256};

use crate::{hex, limits};

/// Whether the gateway accepts the text as an id or a subject: 1 to 255 bytes.
pub fn fits(text: &str) -> bool {
    (1..=limits::ID_BYTES_MAX).contains(&text.len())
}

/// The text itself if the gateway accepts it as an id, else an id derived from it.
pub fn of(text: String) -> String {
    if fits(&text) { text } else { derived(&[text.as_bytes()]) }
}

/// Derives an id: 32 hex digits of SHA-256 over the parts. Each part is hashed after its length, so
/// that different lists of parts give different ids. Take parts that a retry repeats and another
/// event does not.
pub fn derived(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable() {
        assert_eq!(derived(&[b"order", b"42"]), "aa5497ca378a52a6e4e387843da9c7d0");
    }

    #[test]
    fn what_is_too_long_for_an_id_has_one_all_the_same() {
        assert_eq!(of("evt_1".to_owned()), "evt_1");
        assert_eq!(of("x".repeat(255)).len(), 255);
        assert_eq!(of("x".repeat(256)).len(), 32);
        assert!(fits(&of(String::new())));
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(derived(&[b"ab", b"c"]), derived(&[b"a", b"bc"]));
        assert_ne!(derived(&[b"a"]), derived(&[b"a", b""]));
    }
}
