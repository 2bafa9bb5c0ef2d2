//! Ids: what the gateway takes as one, and one for events that have none.

use sha2::{Digest, Sha256};

use crate::{hex, limits};

/// Whether the gateway takes this as an id or a subject: 1 to 255 bytes.
pub fn fits(text: &str) -> bool {
    (1..=limits::ID_BYTES_MAX).contains(&text.len())
}

/// The text as an id: itself if it fits, else one that is derived of it.
pub fn of(text: String) -> String {
    if fits(&text) { text } else { derived(&[text.as_bytes()]) }
}

/// An id out of what a retry repeats and another event does not: 32 hex digits of SHA-256 over the
/// parts, each after its length, so that no two lists of parts run together.
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
