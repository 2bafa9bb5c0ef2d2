//! A backup of the store, sent as it is made.
//!
//! Whoever takes it gets a whole one or an answer that breaks off: what is missing then, the file
//! itself tells. Never makes two at a time, and never keeps more of one than is on its way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hyper::body::Frame;
use tracing::warn;

use super::Admin;
use super::operation::{Answer, FILE, Need, Operation, Tenants, Turn, Verb};
use super::problem::{Kind, Problem};
use super::turns::STOPPING;
use crate::causes;
use crate::store::{Backup, BackupError};
use crate::token::Scope;

pub(super) static OPERATIONS: [Operation; 1] = [Operation {
    verb: Verb::Post,
    path: "/v1/backup",
    id: "backUp",
    summary: "Sends a backup of the store with all that is answered by now, from which `hookgate \
              restore` makes a store. There is one at a time.",
    need: Need::Scope(Scope::Admin),
    tenants: Tenants::Operator,
    turn: Turn::Shared,
    parameters: &[],
    body: None,
    answers: &[Answer::text(
        "The backup. It is whole if its last part is there, which `hookgate backup` looks for.",
        FILE,
    )],
    problems: &[],
    handler: || post(back_up),
}];

async fn back_up(State(admin): State<Arc<Admin>>) -> Result<Response, Problem> {
    let begun = admin.store.backup(admin.access.now()).await?;
    let runs = || {
        Problem::new(
            Kind::Busy,
            "another backup is being made, or an erasure ends; ask again later",
        )
    };
    let backup = begun.ok_or_else(runs)?;
    let stopped = Box::pin(admin.turns.stopped());
    let headers = [(header::CONTENT_TYPE, FILE), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::new(Sent { backup, stopped })).into_response())
}

/// A backup on its way.
struct Sent {
    backup: Backup,
    /// Resolves when the gateway stops, which waits for no backup.
    stopped: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BackupError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BackupError>>> {
        let piece = match self.stopped.as_mut().poll(cx) {
            Poll::Ready(()) => Some(Err(BackupError::Taken(io::Error::other(STOPPING)))),
            Poll::Pending => ready!(self.backup.poll_next(cx)),
        };
        if let Some(Err(error)) = &piece {
            warn!("a backup of the store broke off: {}", causes::chain(error));
        }
        Poll::Ready(piece.map(|piece| piece.map(|bytes| Frame::data(bytes.into()))))
    }
}
