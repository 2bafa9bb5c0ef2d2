//! How an origin is reached: an address that answers, TLS where it must be, and a version of HTTP.
//!
//! Connects to addresses that were checked and to nothing else. Never resolves a name, and sends
//! nothing of a request.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::Host;

use super::carrier::Carrier;
use super::connection::Connection;
use super::error::{EgressError, io_reason, tls_reason};
use super::http2::Http2;
use super::origin::{Origin, Peer};
use super::trace::Trace;
use crate::failure::Phase;

/// Where a host has several addresses, the next is tried as well after this time.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);

/// The names of versions, as TLS has them.
pub(super) const HTTP_2: &[u8] = b"h2";
pub(super) const HTTP_1: &[u8] = b"http/1.1";

/// Connects to the first of the addresses that answers, agrees on TLS where it must, and thereby on
/// the version of HTTP.
pub(super) async fn open(
    origin: &Arc<Origin>,
    addresses: &[IpAddr],
    tls: &Arc<ClientConfig>,
    trace: &mut Trace,
) -> Result<Carrier, EgressError> {
    let peer = |address| Peer { origin: Arc::clone(origin), address };
    trace.enter(Phase::Connect);
    // Until one of them is reached.
    trace.peer = addresses.first().map(|address| SocketAddr::new(*address, origin.port));
    let reached = reach(addresses, origin.port).await;
    let (stream, address) = reached.map_err(|(address, error)| {
        trace.peer = address.or(trace.peer);
        let reason = io_reason(&error);
        EgressError::Connect { peer: peer(address), reason }
    })?;
    trace.peer = Some(address);
    let peer = peer(Some(address));
    if !origin.is_secure {
        return Ok(Carrier::Http1(Connection::over(stream, peer).await?));
    }
    trace.enter(Phase::Tls);
    let name = match &origin.host {
        Host::Domain(name) => ServerName::try_from(name.clone()).ok(),
        Host::Ipv4(_) | Host::Ipv6(_) => origin.address().map(ServerName::from),
    };
    let Some(name) = name else {
        let reason = "a certificate can't name this host".to_owned();
        return Err(EgressError::Tls { peer, reason });
    };
    let stream = match TlsConnector::from(Arc::clone(tls)).connect(name, stream).await {
        Ok(stream) => Box::new(stream),
        Err(error) => return Err(EgressError::Tls { peer, reason: tls_reason(&error) }),
    };
    if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
        return Ok(Carrier::Http2(Http2::over(stream, peer).await?));
    }
    Ok(Carrier::Http1(Connection::over(stream, peer).await?))
}

/// The first of the addresses that can be connected to. Each next is tried when the one before has
/// failed or takes long.
async fn reach(
    addresses: &[IpAddr],
    port: u16,
) -> Result<(TcpStream, SocketAddr), (Option<SocketAddr>, std::io::Error)> {
    let mut left = addresses.iter().map(|address| SocketAddr::new(*address, port));
    let mut dials = JoinSet::new();
    let mut failed = (None, std::io::Error::from(std::io::ErrorKind::AddrNotAvailable));
    loop {
        let next = left.next();
        let is_last = next.is_none();
        if let Some(address) = next {
            dials.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            dialed = dials.join_next() => match dialed {
                Some(Ok((address, Ok(stream)))) => {
                    // Only a hint: without it an answer may come a little later.
                    drop(stream.set_nodelay(true));
                    return Ok((stream, address));
                }
                Some(Ok((address, Err(error)))) => failed = (Some(address), error),
                Some(Err(_)) => (),
                None => return Err(failed),
            },
            () = tokio::time::sleep(NEXT_ADDRESS), if !is_last => (),
        }
    }
}
