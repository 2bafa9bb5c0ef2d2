//! Plugins that never return, beside a provider and a handler that work.
//!
//! Two handlers spin on every event of their type, and a provider spins in its claims and in its
//! parses. What is measured is how many events go all the way through the others meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Trouble;
use super::trouble::Aside;
use crate::gateway::{Workplace, stripe};
use crate::load::{Closed, closed};
use crate::payload::Batch;
use crate::receiver::Receiver;
use crate::scenario::count;
use crate::supply::Supply;

/// Connections of those who behave.
const CONNECTIONS: usize = 16;
/// Payloads for every second: more than go through.
const PAYLOADS_A_SECOND: usize = 40_000;
/// Between two requests of each kind that make a plugin spin.
const PAUSE: Duration = Duration::from_millis(50);

/// Events a second that a handler has seen and that were delivered.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let receiver = Receiver::start()?;
    let tables = format!(
        "{}[sources.events]\nplugin = \"cloudevents\"\nverify = \"none\"\n\
         [sources.spinner]\nplugin = \"spinner\"\nverify = \"none\"\n\
         [endpoints.crm]\nurl = \"http://{}/\"\nevents = [\"customer.payment_failed_notice\"]\n\
         secrets = [{{ value = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\" }}]\n\
         body = \"cloudevents\"\n[handlers.dunning]\nendpoints = [\"crm\"]\n",
        stripe("stripe"),
        receiver.address
    );
    let plugins = [
        ("stripe", "stripe"),
        ("dunning", "dunning"),
        ("cloudevents", "cloudevents"),
        ("spinner", "spinner"),
        ("spinner-two", "spinner"),
    ];
    let gateway = workplace.start_configured(&plugins, &tables)?;
    let spinning = match trouble {
        Trouble::Absent => None,
        Trouble::Present => Some(Aside::run(spin(gateway.public))?),
    };
    let supply = Supply::once(&Arc::new(Batch::write(count(PAYLOADS_A_SECOND, time))));
    let load = |time| Closed { to: gateway.public, connections: CONNECTIONS, time };
    closed(load(time / 6), &supply)?;
    let (before, began) = (receiver.arrivals.count(), Instant::now());
    closed(load(time * 5 / 6), &supply)?;
    let delivered = receiver.arrivals.count() - before;
    let rate = delivered as f64 / began.elapsed().as_secs_f64();
    drop(spinning);
    // What is left of the backlog stays in the store.
    drop(gateway);
    Ok(rate)
}

/// Keeps every plugin that spins busy until it is dropped.
async fn spin(to: SocketAddr) {
    let event = "{\"specversion\":\"1.0\",\"id\":\"spin\",\"source\":\"/bench\",\
                 \"type\":\"bench.spin\",\"data\":{}}";
    let kinds = [
        ("events", "application/cloudevents+json", event),
        ("spinner", "text/plain", "claim"),
        ("spinner", "text/plain", "parse"),
    ];
    let sending = kinds.map(|(source, media, body)| async move {
        let mut next = tokio::time::interval(PAUSE);
        loop {
            next.tick().await;
            // Whether it is accepted does not matter: it keeps coming.
            drop(post(to, source, media, body).await);
        }
    });
    let [events, claims, parses] = sending;
    tokio::join!(events, claims, parses);
}

async fn post(to: SocketAddr, source: &str, media: &str, body: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    let request = format!(
        "POST /in/{source} HTTP/1.1\r\nhost: localhost\r\nx-token: bench\r\n\
         content-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}
