//! How one connection is served: from its first byte, over what it agrees on, to its end.
//!
//! What a peer may take, in time and in bytes, is bounded at each step. Whether there is room for
//! the connection at all is decided elsewhere. Never looks at a request.

use std::sync::Arc;

use tokio::time::sleep;
use tracing::debug;

use super::announcement;
use super::connection::Connection;
use super::exchange::Service;
use super::front::Front;
use super::socket::Wire;
use super::stream::Stream;
use super::tls::Tls;
use super::{http1, http2};
use crate::metrics::HungUp;

/// What it takes to serve a connection.
#[derive(Clone)]
pub(super) struct Serving {
    pub(super) service: Service,
    pub(super) front: Arc<Front>,
}

impl Serving {
    /// Serves one connection, and says why if the gateway hung up.
    pub(super) async fn serve(
        mut self,
        stream: Wire,
        connection: Arc<Connection>,
    ) -> Option<HungUp> {
        // Each time that anything comes over the connection, somebody looks whether it is to end:
        // not all in one place.
        self.service.cancel = self.service.cancel.child_token();
        if let Err(error) = stream.set_nodelay() {
            debug!(%error, "failed to set TCP_NODELAY on a connection");
        }
        let peer = connection.peer().ip();
        let mut stream = Stream::new(stream, Arc::clone(&connection), self.service.limits.stall);
        if self.front.is_announced(peer)
            && let Err(hung_up) = self.announced(&mut stream, &connection).await
        {
            return hung_up;
        }
        match self.front.tls() {
            None => http1::serve(stream, self.service, connection).await,
            // By itself, as it has much to keep.
            Some(tls) => Box::pin(self.secured(&tls, stream, connection)).await,
        }
    }

    /// Reads whom the peer speaks for, or says why the gateway hung up if it did.
    async fn announced(
        &self,
        stream: &mut Stream,
        connection: &Connection,
    ) -> Result<(), Option<HungUp>> {
        let read = tokio::select! {
            read = announcement::read(stream) => read,
            () = sleep(self.service.limits.head) => return Err(Some(HungUp::Silent)),
            () = self.service.cancel.cancelled() => return Err(None),
        };
        match read {
            Ok(Some(client)) => {
                connection.speaks_for(client);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                debug!(%error, "a proxy did not say whom it speaks for");
                Err(connection.has_heard().then_some(HungUp::Unannounced))
            }
        }
    }

    async fn secured(
        self,
        tls: &Tls,
        stream: Stream,
        connection: Arc<Connection>,
    ) -> Option<HungUp> {
        let agreed = tokio::select! {
            agreed = tls.accept(stream) => agreed,
            () = sleep(self.service.limits.handshake) => return Some(HungUp::Silent),
            () = self.service.cancel.cancelled() => return None,
        };
        let stream = match agreed {
            Ok(stream) => stream,
            Err(error) => {
                debug!(%error, "a peer and the gateway did not agree on TLS");
                // Who only looks whether the port is open says nothing.
                return connection.has_heard().then_some(HungUp::Tls);
            }
        };
        connection.secured();
        connection.shows(stream.get_ref().1.peer_certificates().unwrap_or_default());
        match tls.http2(&stream) {
            Some(requests) => http2::serve(stream, requests, self.service, connection).await,
            None => http1::serve(stream, self.service, connection).await,
        }
    }
}
