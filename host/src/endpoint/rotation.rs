//! How the secrets of an endpoint change: which stay beside a new one, and until when.
//!
//! Pure: takes the secrets of a row and gives those of the next. Never opens or makes one.

use std::time::Duration;

use super::secret::{SealedSecret, SecretKind};
use crate::event::Timestamp;

/// Most secrets of one endpoint that sign.
pub const SIGNING_MAX: usize = 8;
/// How long those of before sign beside a new one, where nobody says.
pub const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// And at most.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The number of the next secret of an endpoint that has these.
pub fn next_number(secrets: &[SealedSecret]) -> u32 {
    secrets.iter().map(|secret| secret.number).max().map_or(1, |last| last.saturating_add(1))
}

/// The secrets after a rotation to a new one that signs: those of before that sign end after this
/// overlap, if not sooner, and what is over by now is gone.
pub fn rotated(
    secrets: &[SealedSecret],
    new: SealedSecret,
    overlap: Duration,
    now: Timestamp,
) -> Vec<SealedSecret> {
    let end = now.after(overlap);
    let ending = |secret: &SealedSecret| {
        let mut secret = secret.clone();
        if kind(&secret).is_some_and(SecretKind::signs) {
            secret.expires_at = Some(secret.expires_at.map_or(end, |at| at.min(end)));
        }
        secret
    };
    active(secrets.iter().map(ending), now).chain([new]).collect()
}

/// The secrets with this credential in place of the one of before, or without one.
pub fn with_credential(
    secrets: &[SealedSecret],
    credential: Option<SealedSecret>,
    now: Timestamp,
) -> Vec<SealedSecret> {
    let others = secrets.iter().filter(|it| !kind(it).is_some_and(SecretKind::is_credential));
    active(others.cloned(), now).chain(credential).collect()
}

fn active(
    secrets: impl Iterator<Item = SealedSecret>,
    now: Timestamp,
) -> impl Iterator<Item = SealedSecret> {
    secrets.filter(move |secret| !secret.is_over(now))
}

fn kind(secret: &SealedSecret) -> Option<SecretKind> {
    SecretKind::of(secret.kind)
}

#[cfg(test)]
mod tests {
    use super::super::Sealed;
    use super::*;

    fn secret(number: u32, kind: SecretKind, expires_at: Option<u64>) -> SealedSecret {
        let sealed = Sealed { key: [0; 8], salt: [0; 32], bytes: vec![], fingerprint: [0; 8] };
        let expires_at = expires_at.map(Timestamp);
        SealedSecret { number, kind: kind.number(), sealed, created_at: Timestamp(0), expires_at }
    }

    fn shown(secrets: &[SealedSecret]) -> Vec<(u32, Option<u64>)> {
        secrets.iter().map(|it| (it.number, it.expires_at.map(|at| at.0))).collect()
    }

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn after_a_rotation_the_secrets_of_before_sign_for_the_overlap() {
        let before = [
            secret(1, SecretKind::Whsec, Some(NOW.0)),
            secret(2, SecretKind::Whsec, Some(NOW.0 + 1)),
            secret(3, SecretKind::Bearer, None),
            secret(4, SecretKind::Whsk, None),
            secret(5, SecretKind::Whsec, Some(NOW.0 + 90_000)),
        ];
        assert_eq!(next_number(&before), 6);
        let new = secret(6, SecretKind::Whsec, None);
        let after = rotated(&before, new, Duration::from_secs(60), NOW);
        let end = NOW.0 + 60_000;
        let expected = [(2, Some(NOW.0 + 1)), (3, None), (4, Some(end)), (5, Some(end)), (6, None)];
        assert_eq!(shown(&after), expected, "one that ends sooner is not prolonged");
    }

    #[test]
    fn without_an_overlap_nothing_of_before_signs_any_more() {
        let before = [
            secret(1, SecretKind::Whsec, None),
            secret(2, SecretKind::Whsk, Some(NOW.0 + 1)),
            secret(3, SecretKind::Basic, None),
        ];
        let after = rotated(&before, secret(4, SecretKind::Whsk, None), Duration::ZERO, NOW);
        assert_eq!(shown(&after), [(3, None), (4, None)]);
        assert_eq!(next_number(&[]), 1);
    }

    #[test]
    fn one_credential_takes_the_place_of_another_and_none_of_a_key() {
        let mut before = vec![
            secret(1, SecretKind::Whsec, None),
            secret(2, SecretKind::Basic, None),
            secret(3, SecretKind::ClientKey, None),
        ];
        // Of a newer Hookgate: it must come through.
        before[2].kind = 77;
        let bearer = secret(4, SecretKind::Bearer, None);
        let after = with_credential(&before, Some(bearer), NOW);
        assert_eq!(shown(&after), [(1, None), (3, None), (4, None)]);
        assert_eq!(shown(&with_credential(&after, None, NOW)), [(1, None), (3, None)]);
    }
}
