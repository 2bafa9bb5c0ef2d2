//! How many may ask at a time, so that `/healthz`, `/readyz` and `/metrics` always find a
//! connection.
//!
//! Everything else has half of the port's connections, and what may wait for long has a quarter of
//! those and a time. Streams of events have an eighth of all, and tenants half of that. A stop
//! waits for none of it. Never judges a request.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::LengthLimitError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Admin;
use super::problem::{Kind, Problem};

/// How long a request may wait for something to happen.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);
/// Largest body, in bytes.
const BODY_BYTES_MAX: usize = 2 << 20;

/// The share of the port's connections on which events may be streamed.
const STREAMS: usize = 8;

/// What those who wait are told when the gateway stops.
pub(super) const STOPPING: &str = "the gateway is stopping";

/// The turn of one who listens to events, for as long as it lives.
#[derive(Debug)]
pub(super) struct Listening {
    _turn: OwnedSemaphorePermit,
    _of_tenants: Option<OwnedSemaphorePermit>,
}

/// The turns of the operators' port.
#[derive(Debug)]
pub(crate) struct Turns {
    asking: Semaphore,
    waiting: Semaphore,
    streams: Arc<Semaphore>,
    /// Those of them that are for tokens with a tenant, all of these together.
    of_tenants: Arc<Semaphore>,
    wait_max: Duration,
    /// Cancelled when the gateway stops.
    stop: CancellationToken,
}

impl Turns {
    /// Those of a port that takes so many connections, until `stop` is cancelled.
    pub(crate) fn new(connections: usize, stop: CancellationToken) -> Self {
        let asking = (connections / 2).max(1);
        let waiting = (asking / 4).max(1);
        let streams = (connections / STREAMS).max(1);
        Self {
            asking: Semaphore::new(asking),
            waiting: Semaphore::new(waiting),
            streams: Arc::new(Semaphore::new(streams)),
            of_tenants: Arc::new(Semaphore::new((streams / 2).max(1))),
            wait_max: WAIT_MAX,
            stop,
        }
    }

    /// Waits for what may take long. After a minute the answer is that it is `not_yet`, with 503;
    /// where as many wait as may, and when the gateway stops, it says that.
    pub(super) async fn wait<T>(
        &self,
        what: impl Future<Output = T>,
        not_yet: &str,
    ) -> Result<T, Problem> {
        let many = "too many requests are waiting; ask again later";
        let turn = self.waiting.try_acquire();
        let _turn = turn.map_err(|_| Problem::new(Kind::Busy, many))?;
        tokio::select! {
            waited = what => Ok(waited),
            () = tokio::time::sleep(self.wait_max) => Err(Problem::new(Kind::NotYet, not_yet)),
            () = self.stop.cancelled() => Err(Problem::new(Kind::Stopping, STOPPING)),
        }
    }

    /// A turn of one who listens to events, for a token with a tenant or without one. The former
    /// leave half of the turns to the operator.
    pub(super) fn stream(&self, has_tenant: bool) -> Result<Listening, Problem> {
        let many = "too many streams of events are open; ask again later";
        let acquire = |of: &Arc<Semaphore>| {
            let turn = Arc::clone(of).try_acquire_owned();
            turn.map_err(|_| Problem::new(Kind::Busy, many))
        };
        let of_tenants = has_tenant.then(|| acquire(&self.of_tenants)).transpose()?;
        Ok(Listening { _turn: acquire(&self.streams)?, _of_tenants: of_tenants })
    }

    /// Resolves when the gateway stops.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        self.stop.clone().cancelled_owned()
    }

    /// The whole body of a request.
    pub(super) async fn read(&self, body: Body) -> Result<Bytes, Problem> {
        let problem = |kind, reason: &str| Err(Problem::new(kind, reason));
        tokio::select! {
            read = axum::body::to_bytes(body, BODY_BYTES_MAX) => read.or_else(|error| {
                if error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
                    let reason = format!("the body has more than {BODY_BYTES_MAX} bytes");
                    return problem(Kind::BodyTooLarge, &reason);
                }
                problem(Kind::MalformedBody, "the connection ended within the body")
            }),
            () = tokio::time::sleep(BODY_TIME_MAX) => {
                problem(Kind::BodyTimeout, "the body did not arrive within 10 s")
            }
            () = self.stop.cancelled() => problem(Kind::Stopping, STOPPING),
        }
    }
}

/// Lets a request through if not too many are being answered.
pub(super) async fn in_turn(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_turn) = admin.turns.asking.try_acquire() else {
        let busy = "the gateway is answering too many requests; ask again later";
        return Problem::new(Kind::Busy, busy).into_response();
    };
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_wait_has_an_end_and_so_have_those_who_wait() {
        let mut turns = Turns::new(8, CancellationToken::new());
        turns.wait_max = Duration::from_millis(20);
        assert!(turns.wait(pending::<()>(), "not yet").await.is_err());

        turns.wait_max = Duration::from_secs(60);
        let waiting = turns.wait(pending::<()>(), "not yet");
        tokio::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("it never happens"),
            () = ready(()) => (),
        }
        assert!(turns.wait(ready(()), "not yet").await.is_err(), "one of eight may wait");
    }

    #[test]
    fn as_many_listen_to_events_as_may_and_the_next_when_one_has_left() {
        let turns = Turns::new(16, CancellationToken::new());
        let listening = [turns.stream(false), turns.stream(false)].map(Result::unwrap);
        assert_eq!(turns.stream(false).unwrap_err().kind(), Kind::Busy);
        drop(listening);
        assert!(turns.stream(false).is_ok());
    }

    /// Guards that no tenant keeps the operator from listening.
    #[test]
    fn tenants_leave_half_of_the_streams_to_the_operator() {
        let turns = Turns::new(32, CancellationToken::new());
        let of_tenants = [turns.stream(true), turns.stream(true)].map(Result::unwrap);
        assert_eq!(turns.stream(true).unwrap_err().kind(), Kind::Busy);
        assert!(turns.stream(false).is_ok());
        drop(of_tenants);
        assert!(turns.stream(true).is_ok());
    }
}
