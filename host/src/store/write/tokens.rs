//! The tokens of the admin port: made, revoked, and noted as used.
//!
//! Each answer has all tokens as they are then, so that whoever keeps them in memory can't miss
//! one. Never sees a token, only its hash.

use super::draft::Draft;
use super::op::{Answer, Operation, Reply};
use crate::event::Timestamp;
use crate::ids::Name;
use crate::store::Store;
use crate::store::access::Rows;
use crate::store::access::tokens::{self, Token, Tokens};
use crate::store::error::{Error, Failure};
use crate::store::file::kept_rows::Kept;

/// About what a change of tokens adds to a transaction, in bytes.
const TOKEN_BYTES: usize = 256;

impl Store {
    /// The tokens that the store keeps.
    pub async fn tokens(&self) -> Result<Tokens, Error> {
        self.aside(|shared| {
            let rows = shared.file.read()?.kept(Kept::Tokens)?.all()?;
            Ok(Tokens::read(&rows, &shared.damages)?)
        })
        .await
    }

    /// Adds a token that is made now, and gives all. If there is one of that name it is
    /// [`Error::TokenExists`], and beyond a thousand [`Error::TooManyTokens`].
    pub async fn add_token(&self, token: Token) -> Result<Tokens, Error> {
        self.ask(|reply| ChangeTokens { change: Change::Add(token), reply }).await
    }

    /// Removes a token, and gives all that are left; [`Error::NoSuchToken`] if there is none of
    /// that name.
    pub async fn revoke_token(&self, name: Name) -> Result<Tokens, Error> {
        self.ask(|reply| ChangeTokens { change: Change::Revoke(name), reply }).await
    }

    /// Notes when tokens were last used, and gives all.
    pub async fn note_token_uses(&self, uses: Vec<(Name, Timestamp)>) -> Result<Tokens, Error> {
        self.ask(|reply| ChangeTokens { change: Change::Used(uses), reply }).await
    }

    /// From now on the admin port asks for a token, also when there is none any more.
    pub async fn need_tokens(&self) -> Result<Tokens, Error> {
        self.ask(|reply| ChangeTokens { change: Change::Need, reply }).await
    }
}

/// What changes of the tokens.
#[derive(Debug)]
enum Change {
    Add(Token),
    Revoke(Name),
    Used(Vec<(Name, Timestamp)>),
    Need,
}

/// A change of the tokens.
#[derive(Debug)]
struct ChangeTokens {
    change: Change,
    reply: Reply<Tokens>,
}

impl Operation for ChangeTokens {
    fn bytes(&self) -> usize {
        match &self.change {
            Change::Used(uses) => uses.len() * TOKEN_BYTES,
            Change::Add(_) | Change::Revoke(_) | Change::Need => TOKEN_BYTES,
        }
    }

    fn perform(&mut self, draft: &mut Draft<'_>) -> Result<(), Failure> {
        let now = draft.now;
        let changed = match &self.change {
            Change::Add(token) => tokens::add(draft, token, now)?,
            Change::Revoke(name) => match tokens::revoke(draft, name)? {
                true => Ok(()),
                false => Err(Error::NoSuchToken(name.clone())),
            },
            Change::Used(uses) => {
                tokens::note_uses(draft, uses)?;
                Ok(())
            }
            Change::Need => {
                tokens::need(draft, now)?;
                Ok(())
            }
        };
        if changed.is_ok() {
            draft.leave_segment();
        }
        let damages = draft.basis.damages;
        let all = Tokens::read(&draft.rows(Kept::Tokens)?, damages)?;
        self.reply.keep(changed.map(|()| all));
        Ok(())
    }

    fn reply(&mut self) -> Option<&mut dyn Answer> {
        Some(&mut self.reply)
    }
}
