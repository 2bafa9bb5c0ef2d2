//! The tokens of the admin port that the file gives: for a first start, or for good.
//!
//! A token stands there as a secret, or as the hash of one. Only hashes leave here.

use std::ops::RangeInclusive;

use super::document::Table;
use super::secret::Secrets;
use crate::admin::FileToken;
use crate::ids::Name;
use crate::token::{Scope, Scopes, TokenHash, is_long_enough};

/// So many texts may be one token, while one takes the place of another.
const TEXTS: RangeInclusive<usize> = 1..=8;

const SCOPES: [(&str, Scope); 4] = [
    ("read", Scope::Read),
    ("replay", Scope::Replay),
    ("write", Scope::Write),
    ("admin", Scope::Admin),
];

const TOO_SHORT: &str = "a token must have at least 32 bytes, so that nobody can guess it: \
                         `openssl rand -hex 32` makes one";

/// How hashes of tokens are written.
const DIGESTS: &str = "a list of SHA-256 digests, each of 64 hexadecimal digits";

/// Whether the metrics are open to everybody who reaches the port.
pub(super) const METRICS: [(&str, bool); 2] = [("token", false), ("open", true)];

pub(super) fn token_of(
    name: &Name,
    table: Table<'_>,
    secrets: &mut Secrets<'_>,
) -> Option<FileToken> {
    table.read(|table| {
        let written = table.need("scopes");
        let scopes = written.and_then(|entry| entry.list("a list of scopes")).unwrap_or_default();
        let found: Vec<Scope> = scopes.iter().filter_map(|entry| entry.choice(&SCOPES)).collect();
        if let Some(entry) = written.filter(|_| scopes.is_empty()) {
            entry.wrong("must have at least one of read, replay, write and admin");
        }
        let list = secrets.list(table.take("secrets"));
        let mut hashes = Vec::new();
        for (entry, secret) in &list.secrets {
            if !is_long_enough(secret.expose()) {
                entry.wrong_text(TOO_SHORT.to_owned());
            }
            hashes.push(TokenHash::of(secret.expose()));
        }
        let digests = table.take("sha256").and_then(|entry| entry.list(DIGESTS));
        let digests = digests.unwrap_or_default();
        for entry in &digests {
            match entry.text(DIGESTS).map(TokenHash::from_hex) {
                Some(Some(hash)) => hashes.push(hash),
                Some(None) => entry.wrong(&format!("must be {DIGESTS}")),
                None => (),
            }
        }
        if !TEXTS.contains(&(list.written + digests.len())) {
            table.wrong(format!(
                "{} must have 1 to 8 `secrets` and `sha256` together",
                table.title()
            ));
        }
        // What is there and wrong is told: then there is no configuration.
        let expires_at = table.take("expires").and_then(|entry| entry.time());
        let tenant = table.take("tenant").and_then(|entry| entry.tenant());
        Some(FileToken {
            name: name.clone(),
            hashes,
            scopes: found.into_iter().collect::<Scopes>(),
            expires_at,
            tenant,
        })
    })
}
