//! The tokens that the store keeps, and whether the admin port asks for one.
//!
//! Once there was a token the port asks for one for good, also when the last is revoked: what says
//! so is a row of its own. Never forgets that by itself.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Rows;
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::damage::Damages;
use crate::store::error::{Damaged, Error, Failure};
use crate::store::file::kept_rows::Kept;
use crate::tenant::Tenant;
use crate::token::{Scopes, TokenHash};

/// Most tokens of a store: each wrong one is compared with all of them.
const TOKENS_MAX: usize = 1000;

/// The key of the row that is there once the port asks for a token. Its value is since when, `u64`
/// BE.
const ASKS: u8 = 0;
/// Before the name in the key of a token.
const TOKEN: u8 = 1;

/// A token, without what is sent.
#[derive(Debug, Clone, Serialize)]
pub struct Token {
    /// No other token has it.
    pub name: Name,
    /// What it is known by.
    #[serde(skip)]
    pub hash: TokenHash,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// From then on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Whom it is for.
    pub tenant: Option<Tenant>,
    /// When it was last used, to within minutes.
    pub last_used_at: Option<Timestamp>,
}

/// All tokens of a store.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// By their names.
    pub tokens: Vec<Token>,
    /// Whether the admin port asks for a token, also when there is none.
    pub is_needed: bool,
}

/// The row of a token, in postcard. One that says more is another variant, at the end.
#[derive(Serialize, Deserialize)]
enum TokenRow {
    V1 {
        hash: [u8; 32],
        scopes: u8,
        created_at: u64,
        expires_at: Option<u64>,
        tenant: Option<Tenant>,
        last_used_at: Option<u64>,
    },
}

impl Token {
    fn write(&self) -> Bytes {
        let millis = |time: Option<Timestamp>| time.map(|time| time.0);
        let row = TokenRow::V1 {
            hash: self.hash.bytes(),
            scopes: self.scopes.bits(),
            created_at: self.created_at.0,
            expires_at: millis(self.expires_at),
            tenant: self.tenant.clone(),
            last_used_at: millis(self.last_used_at),
        };
        postcard::to_stdvec(&row).expect("a row can be written to memory").into()
    }

    fn read(name: &[u8], row: &[u8]) -> Result<Self, Damaged> {
        let damaged = Damaged { position: 0 };
        let name = std::str::from_utf8(name).map_err(|_| damaged)?;
        let row: TokenRow = postcard::from_bytes(row).map_err(|_| damaged)?;
        let TokenRow::V1 { hash, scopes, created_at, expires_at, tenant, last_used_at } = row;
        Ok(Self {
            name: name.parse().map_err(|_| damaged)?,
            hash: TokenHash::from_bytes(hash),
            scopes: Scopes::from_bits(scopes),
            created_at: Timestamp(created_at),
            expires_at: expires_at.map(Timestamp),
            tenant,
            last_used_at: last_used_at.map(Timestamp),
        })
    }
}

fn key(name: &Name) -> Vec<u8> {
    [&[TOKEN], name.as_str().as_bytes()].concat()
}

impl Tokens {
    /// What these rows say. A token that can't be read is refused, as if it were not there.
    pub(in crate::store) fn read(
        rows: &BTreeMap<Vec<u8>, Bytes>,
        damages: &Damages,
    ) -> Result<Self, Failure> {
        let mut tokens = Vec::new();
        for (key, row) in rows {
            if let Some((&TOKEN, name)) = key.split_first() {
                tokens.extend(damages.pass(Token::read(name, row))?);
            }
        }
        Ok(Self { tokens, is_needed: !rows.is_empty() })
    }
}

/// How many of these rows can't be read.
pub(in crate::store) fn unread(rows: &BTreeMap<Vec<u8>, Bytes>) -> usize {
    let is_unread = |key: &[u8], row: &[u8]| match key.split_first() {
        Some((&TOKEN, name)) => Token::read(name, row).is_err(),
        _ => false,
    };
    rows.iter().filter(|(key, row)| is_unread(key, row)).count()
}

/// The port asks for a token from now on.
pub(in crate::store) fn need(rows: &mut impl Rows, now: Timestamp) -> Result<(), Failure> {
    if rows.row(Kept::Tokens, &[ASKS])?.is_none() {
        let since = Bytes::copy_from_slice(&now.0.to_be_bytes());
        rows.put(Kept::Tokens, vec![ASKS], Some(since));
    }
    Ok(())
}

/// Adds a token that is made now.
pub(in crate::store) fn add(
    rows: &mut impl Rows,
    token: &Token,
    now: Timestamp,
) -> Result<Result<(), Error>, Failure> {
    let key = key(&token.name);
    if rows.row(Kept::Tokens, &key)?.is_some() {
        return Ok(Err(Error::TokenExists(token.name.clone())));
    }
    if rows.rows(Kept::Tokens)?.len() > TOKENS_MAX {
        return Ok(Err(Error::TooManyTokens { most: TOKENS_MAX }));
    }
    need(rows, now)?;
    let made = Token { created_at: now, last_used_at: None, ..token.clone() };
    rows.put(Kept::Tokens, key, Some(made.write()));
    Ok(Ok(()))
}

/// Removes a token. Says whether it was there, also if it can't be read.
pub(in crate::store) fn revoke(rows: &mut impl Rows, name: &Name) -> Result<bool, Failure> {
    let key = key(name);
    let was_there = rows.row(Kept::Tokens, &key)?.is_some();
    if was_there {
        rows.put(Kept::Tokens, key, None);
    }
    Ok(was_there)
}

/// Notes when tokens were last used, as far as they are still there.
pub(in crate::store) fn note_uses(
    rows: &mut impl Rows,
    uses: &[(Name, Timestamp)],
) -> Result<(), Failure> {
    for (name, used_at) in uses {
        let key = key(name);
        let Some(row) = rows.row(Kept::Tokens, &key)? else { continue };
        // One that can't be read is noted where the tokens are read.
        let Ok(token) = Token::read(name.as_str().as_bytes(), &row) else { continue };
        let last_used_at = token.last_used_at.max(Some(*used_at));
        rows.put(Kept::Tokens, key, Some(Token { last_used_at, ..token }.write()));
    }
    Ok(())
}

/// Removes all tokens and adds this one; without one, the port asks for none any more.
pub(in crate::store) fn reset(
    rows: &mut impl Rows,
    token: Option<&Token>,
    now: Timestamp,
) -> Result<Result<(), Error>, Failure> {
    for key in rows.rows(Kept::Tokens)?.into_keys() {
        rows.put(Kept::Tokens, key, None);
    }
    token.map_or(Ok(Ok(())), |token| add(rows, token, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::access::memory::Memory;
    use crate::token::Scope;

    fn token(name: &str) -> Token {
        Token {
            name: name.parse().unwrap(),
            hash: TokenHash::from_bytes([7; 32]),
            scopes: [Scope::Read].into_iter().collect(),
            created_at: Timestamp(5),
            expires_at: Some(Timestamp(300)),
            tenant: Some("acme".parse().unwrap()),
            last_used_at: None,
        }
    }

    fn read(rows: &Memory) -> Tokens {
        Tokens::read(&rows.rows(Kept::Tokens).unwrap(), &Damages::default()).unwrap()
    }

    #[test]
    fn revoking_the_last_token_opens_nothing_and_only_a_reset_does() {
        let mut rows = Memory::default();
        assert!(!read(&rows).is_needed);
        add(&mut rows, &token("ci"), Timestamp(5)).unwrap().unwrap();
        assert!(revoke(&mut rows, &"ci".parse().unwrap()).unwrap());
        assert!(!revoke(&mut rows, &"ci".parse().unwrap()).unwrap(), "it is gone");
        let left = read(&rows);
        assert!(left.tokens.is_empty() && left.is_needed);

        reset(&mut rows, Some(&token("ops")), Timestamp(6)).unwrap().unwrap();
        assert!(read(&rows).is_needed && read(&rows).tokens.len() == 1);
        reset(&mut rows, None, Timestamp(7)).unwrap().unwrap();
        assert!(!read(&rows).is_needed && read(&rows).tokens.is_empty());
    }

    #[test]
    fn a_name_is_given_once_and_a_token_is_used_until_it_is_revoked() {
        let mut rows = Memory::default();
        add(&mut rows, &token("ci"), Timestamp(5)).unwrap().unwrap();
        let again = add(&mut rows, &token("ci"), Timestamp(6)).unwrap();
        assert!(matches!(again, Err(Error::TokenExists(name)) if name.as_str() == "ci"));
        let uses = ["ci", "gone"].map(|name| (name.parse().unwrap(), Timestamp(9)));
        note_uses(&mut rows, &uses).unwrap();
        note_uses(&mut rows, &[("ci".parse().unwrap(), Timestamp(8))]).unwrap();
        let found = read(&rows).tokens;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].created_at, found[0].last_used_at),
            (Timestamp(5), Some(Timestamp(9)))
        );
    }

    #[test]
    fn a_token_that_can_not_be_read_is_refused_and_the_port_asks_all_the_same() {
        let mut rows = Memory::default();
        add(&mut rows, &token("ci"), Timestamp(5)).unwrap().unwrap();
        rows.put(Kept::Tokens, vec![ASKS], None);
        rows.put(Kept::Tokens, key(&"ci".parse().unwrap()), Some(Bytes::from_static(&[9])));
        assert!(read(&rows).is_needed && read(&rows).tokens.is_empty());
        assert_eq!(unread(&rows.rows(Kept::Tokens).unwrap()), 1);
    }

    /// The bytes as another version reads them: a change here is another format.
    #[test]
    fn a_row_is_spelled_as_it_was_by_the_version_before() {
        let row = token("ci").write();
        let behind = [&[1, 5, 1, 0xac, 2, 1, 4][..], b"acme", &[0]].concat();
        assert_eq!(row[..], [&[0][..], &[7; 32], &behind].concat());
        let read = Token::read(b"ci", &row).unwrap();
        assert_eq!((read.write(), read.scopes), (row.clone(), token("ci").scopes));
        for length in 0..row.len() {
            assert!(Token::read(b"ci", &row[..length]).is_err(), "{length} bytes");
        }
    }
}
