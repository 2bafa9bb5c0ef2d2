//! Why the store did not do it, and what is wrong with its file.
//!
//! One thing decides how far an error reaches: a damaged record is the trouble of whoever asked for
//! that record, an outage passes, and only a file that is broken as a whole ends the store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::ids::{Id, Name};

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// More waits to be written than may. Nothing was stored; later may be better.
    #[error("the store's queue is full")]
    Full,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// These stand for nothing in this store.
    #[error("the store has no {}", list(.0))]
    Unknown(Vec<Id>),
    /// The cursor is of a list with other filters.
    #[error("`cursor` is the `next` of a list with other filters")]
    ForeignCursor,
    /// Too many replays by filter are not finished, or of one tenant. Nothing was stored; later may
    /// be better.
    #[error(
        "{open} replays by filter are not finished, and the gateway goes on with at most {open}; \
         cancel one, or ask again later"
    )]
    TooManyReplays {
        /// How many there are, and may be.
        open: usize,
    },
    /// Too many erasures are not finished. Nothing was stored; later may be better.
    #[error("{open} erasures are not finished, and the gateway keeps at most {open}: ask later")]
    TooManyErasures {
        /// How many there are, and may be.
        open: usize,
    },
    /// There is a token of this name.
    #[error("there is a token `{0}` already: revoke it first, or choose another name")]
    TokenExists(Name),
    /// There is no token of this name.
    #[error("the store has no token `{0}`")]
    NoSuchToken(Name),
    /// There are as many tokens as there may be.
    #[error("the gateway keeps at most {most} tokens: revoke those that nobody uses")]
    TooManyTokens {
        /// How many there may be.
        most: usize,
    },
    /// There is an endpoint of this name and tenant.
    #[error("there is an endpoint of this name already: {0}")]
    EndpointExists(Id),
    /// There is no endpoint of this id, or it was deleted.
    #[error("the store has no endpoint {0}")]
    NoSuchEndpoint(Id),
    /// Somebody has changed the endpoint meanwhile.
    #[error("the endpoint was changed meanwhile: its revision is {revision}")]
    EndpointChanged {
        /// What it is now.
        revision: u64,
    },
    /// There are as many endpoints as there may be.
    #[error("the gateway keeps at most {most} endpoints: delete those that nobody uses")]
    TooManyEndpoints {
        /// How many there may be.
        most: u64,
    },
    /// As many writes are known that are done once as may be. Nothing was stored; later may be
    /// better.
    #[error("the gateway keeps the answers to {most} requests with an idempotency key of {whose}")]
    TooManyKeys {
        /// How many may be known.
        most: u64,
        /// Of whom.
        whose: &'static str,
    },
    /// The record that was asked for can't be read. All others can.
    #[error(transparent)]
    Damaged(Damaged),
    /// This one operation has panicked, and changed nothing.
    #[error("an operation of the store panicked: {0}")]
    Panicked(Arc<str>),
    /// The file can't be read or written for now: a full disk, or one that fails. Nothing was
    /// stored as far as is known; the store goes on by itself when it can.
    #[error("the gateway can't read or write the store")]
    Unavailable(#[source] Arc<Failure>),
    /// The file is damaged as a whole. The store takes nothing any more.
    #[error("the store has failed")]
    Failed(#[source] Arc<Failure>),
}

impl Error {
    /// Whether the file does not lie where it was opened: until it is put back, nothing can be
    /// stored.
    pub(super) fn is_displaced(&self) -> bool {
        let is_gone =
            |why: &Failure| matches!(why, Failure::Displaced { .. } | Failure::Missing { .. });
        matches!(self, Self::Unavailable(why) if is_gone(why))
    }
}

/// Something in the log that can't be read, or in the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", damaged(*position))]
pub struct Damaged {
    /// The record's position, or its segment's; zero if it is a row that is about neither.
    pub position: u64,
}

fn damaged(position: u64) -> String {
    match position {
        0 => "a row in hookgate.redb is damaged: `hookgate store check` says which".to_owned(),
        _ => format!("the log is damaged at position {position}"),
    }
}

/// What is wrong with the file.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It can't be read or written.
    #[error("failed to read or write the store's file")]
    Access {
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
        /// Whether it is the world's doing.
        may_pass: bool,
    },
    /// A record in it can't be read.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// A newer Hookgate wrote a commit of the log.
    #[error(
        "a newer Hookgate wrote the commit at position {position}, and this one can't read what \
         that changed: use the newer one"
    )]
    NewerCommit {
        /// The commit's first position.
        position: u64,
    },
    /// The known event ids can't be read.
    #[error("sorted run {run} of the event ids is damaged")]
    DamagedIds {
        /// Its number; zero if it is what belongs to none.
        run: u64,
    },
    /// The thread that writes it has panicked.
    #[error("the thread that writes the store panicked; the log says over what")]
    Panicked,
    /// It was closed.
    #[error("the store's file is closed")]
    Closed,
    /// It was replaced by that of another store.
    #[error("another store's file has taken the place of the store's file")]
    Replaced,
    /// Its place is empty, or another file stands there. What is written now would be lost.
    #[error(
        "somebody removed or replaced the store's file {} while the gateway had it open: put the \
         file back, or restart the gateway",
        path.display()
    )]
    Displaced {
        /// The place.
        path: PathBuf,
    },
    /// The volume in which the log ends is not there.
    #[error(
        "the store's file {} is missing: put the file back; if there never was such a file, \
         hookgate.redb is damaged, and `hookgate store repair` makes a new one",
        path.display()
    )]
    Missing {
        /// Its place.
        path: PathBuf,
    },
    /// A volume is encrypted, and nobody has given the key.
    #[error(
        "the store's file {file} is encrypted under the master key {by}, which is not among those \
         of `master_key`: add it there"
    )]
    Locked {
        /// Its name.
        file: String,
        /// The id of the master key.
        by: String,
    },
    /// Somebody else has written into it.
    #[error(
        "another program wrote into the store's file {} while the gateway had it open: restart \
         the gateway",
        path.display()
    )]
    Overwritten {
        /// The file.
        path: PathBuf,
    },
}

impl Failure {
    /// Whether it is the world's doing, and may pass.
    fn is_passing(&self) -> bool {
        match self {
            Self::Access { may_pass, .. } => *may_pass,
            Self::Displaced { .. } | Self::Missing { .. } | Self::Locked { .. } => true,
            Self::Damaged(_)
            | Self::NewerCommit { .. }
            | Self::DamagedIds { .. }
            | Self::Panicked
            | Self::Closed
            | Self::Replaced
            | Self::Overwritten { .. } => false,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Damaged(damaged) => Self::Damaged(damaged),
            Failure::Closed => Self::Closed,
            failure if failure.is_passing() => Self::Unavailable(Arc::new(failure)),
            failure => Self::Failed(Arc::new(failure)),
        }
    }
}

fn list(ids: &[Id]) -> String {
    ids.iter().map(Id::to_string).collect::<Vec<_>>().join(", ")
}
