//! The rest of a request's body that nobody reads any more, read all the same for a while.
//!
//! A sender that can't go on sending may never read why it was refused: its connection breaks. So
//! whoever answers drops the body where it will, and the rest comes here, behind the answer. Never
//! keeps anything of it, and never has a sender begin that waits to be asked for it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Admin;
use crate::lock::lock;
use crate::plugin::FILE_BYTES_MAX;

/// Most bytes that are read of one body: as many as the largest may have, and 8 MiB more.
const BYTES_MAX: usize = FILE_BYTES_MAX + (8 << 20);
/// For how long they are read: as long as the largest may take.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Reads what is left of bodies, until the gateway stops.
#[derive(Debug)]
pub(crate) struct Unread {
    reading: Mutex<JoinSet<()>>,
    /// Cancelled when the gateway stops.
    stop: CancellationToken,
}

impl Unread {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { reading: Mutex::default(), stop }
    }

    /// This body, whose rest is read once it is dropped. Until somebody reads it, its sender may
    /// wait to be asked for it.
    fn behind(self: &Arc<Self>, body: Body, waits: bool) -> Body {
        Body::new(Watched { body, is_coming: !waits, has_ended: false, unread: Arc::clone(self) })
    }

    fn read(&self, body: Body) {
        // Bodies that are dropped with the runtime come to nobody.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut body = Limited::new(body, BYTES_MAX);
        let stop = self.stop.clone();
        let reading = async move {
            let rest = async { while let Some(Ok(_)) = body.frame().await {} };
            tokio::select! {
                () = rest => (),
                () = tokio::time::sleep(TIME_MAX) => (),
                () = stop.cancelled() => (),
            }
        };
        let mut tasks = lock(&self.reading);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(reading, &runtime);
    }
}

/// Has the rest of each body read that is not read when its request is answered.
pub(super) async fn read_behind(
    State(admin): State<Arc<Admin>>,
    request: Request,
    next: Next,
) -> Response {
    let waits = request.headers().contains_key(header::EXPECT);
    next.run(request.map(|body| admin.unread.behind(body, waits))).await
}

/// A body that is watched to its end.
struct Watched {
    body: Body,
    /// Whether its sender sends it, or was asked for it.
    is_coming: bool,
    has_ended: bool,
    unread: Arc<Unread>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_coming = true;
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.has_ended = matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if self.is_coming && !self.has_ended && !self.body.is_end_stream() {
            self.unread.read(std::mem::take(&mut self.body));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::listener::arriving;

    const MIB: usize = 1 << 20;
    /// Longer than anything takes that is not stuck.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// A body that nobody has read, whose sender may wait to be asked for it.
    fn dropped(unread: &Arc<Unread>, waits: bool) -> mpsc::Sender<Bytes> {
        let (sender, body) = arriving(1);
        drop(unread.behind(body, waits));
        sender
    }

    async fn is_over(sender: &mpsc::Sender<Bytes>) {
        let closed = tokio::time::timeout(PATIENCE, sender.closed()).await;
        closed.expect("nobody reads any more");
    }

    /// Without `Limited` it is read for as long as somebody sends it.
    #[tokio::test]
    async fn no_more_is_read_than_the_largest_body_and_8_mib() {
        let unread = Arc::new(Unread::new(CancellationToken::new()));
        let sender = dropped(&unread, false);
        let piece = Bytes::from(vec![0; MIB]);
        for _ in 0..BYTES_MAX / MIB {
            sender.send(piece.clone()).await.expect("it is read");
        }
        drop(sender.send(piece).await);
        is_over(&sender).await;
    }

    /// Without `stop` it is read for a minute.
    #[tokio::test]
    async fn a_stop_waits_for_none_of_them() {
        let unread = Arc::new(Unread::new(CancellationToken::new()));
        let sender = dropped(&unread, false);
        sender.send(Bytes::from_static(b"a")).await.expect("it is read");
        unread.stop.cancel();
        is_over(&sender).await;
    }

    /// Without `is_coming` the sender is asked for a body that nobody wants.
    #[tokio::test]
    async fn who_waits_to_be_asked_for_a_body_is_not_asked_and_who_was_is_read() {
        let unread = Arc::new(Unread::new(CancellationToken::new()));
        assert!(dropped(&unread, true).is_closed());

        let (sender, body) = arriving(1);
        let mut body = unread.behind(body, true);
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        body.frame().await.unwrap().unwrap();
        drop(body);
        for _ in 0..9 {
            sender.send(Bytes::from_static(b"b")).await.expect("it is read");
        }
    }

    /// Without `has_ended` each body that was read is read once more.
    #[tokio::test]
    async fn a_body_that_was_read_is_over() {
        let unread = Arc::new(Unread::new(CancellationToken::new()));
        let (sender, body) = arriving(1);
        let body = unread.behind(body, false);
        sender.send(Bytes::from_static(b"a")).await.unwrap();
        drop(sender);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "a");
        assert!(lock(&unread.reading).is_empty());
    }
}
