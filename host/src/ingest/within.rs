//! A request that comes from within the gateway, such as a sample that an operator sends.
//!
//! It is proven, judged, stored and answered as any other, with no socket between. Never let in
//! where another would not be.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http;
use bytes::Bytes;

use super::Ingest;
use super::reply::DUPLICATE;
use crate::event::Request;
use crate::ids::Name;
use crate::listener::Connection;

/// Largest answer that is read, in bytes: those of plugins are smaller.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How a request from within was answered.
#[derive(Debug)]
pub(crate) struct Within {
    pub(crate) status: u16,
    /// Whether all of its events were stored before.
    pub(crate) is_duplicate: bool,
    pub(crate) body: Bytes,
}

impl Ingest {
    /// Has a source receive a request, as one that was posted to it from this address. `None` if
    /// it can't be sent over HTTP.
    pub(crate) async fn receive_within(
        self: &Arc<Self>,
        source: &Name,
        from: SocketAddr,
        request: &Request,
    ) -> Option<Within> {
        let mut sent = http::Request::builder().method(&*request.method).uri(&*request.url);
        for (name, value) in request.headers.iter() {
            sent = sent.header(name, value);
        }
        let sent = sent.body(Body::from(request.body.clone())).ok()?;
        let connection = Connection::new(from);
        let answer = self.receive(Some(source.as_str()), &connection, sent).await;
        let (head, body) = answer.into_parts();
        Some(Within {
            status: head.status.as_u16(),
            is_duplicate: head.headers.contains_key(DUPLICATE),
            body: to_bytes(body, ANSWER_BYTES_MAX).await.unwrap_or_default(),
        })
    }
}
