//! Plugins that never return, beside a provider and a handler that work.
//!
//! Two handlers spin on every event of their type, and a provider spins in its claims and in its
//! parses. What is measured is how many events go all the way through the others meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

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
/// Between two requests of each of three kinds.
const PAUSE: Duration = Duration::from_millis(50);

/// Stands in a body for the number of the request: an event that was there before makes no run.
const NUMBER: &str = "NUMBER";

/// A request that comes again and again: its source, its media type and its body.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    source: &'static str,
    media: &'static str,
    body: String,
}

impl Sent {
    /// An event of the type that the spinner handles, which tells it how to misbehave.
    pub(super) fn event(how: &str) -> Self {
        let body = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{how}-{NUMBER}\",\"source\":\"/bench\",\
             \"type\":\"bench.spin\",\"data\":{{\"do\":\"{how}\"}}}}"
        );
        Self { source: "events", media: "application/cloudevents+json", body }
    }

    /// A request to the spinner, which says in which function and how.
    pub(super) fn request(function: &str, how: &str) -> Self {
        Self { source: "spinner", media: "text/plain", body: format!("{function} {how}") }
    }
}

/// Events a second that a handler has seen and that were delivered.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let spins =
        [Sent::event("spin"), Sent::request("claim", "spin"), Sent::request("parse", "spin")];
    delivered(workplace, trouble, time, spins.into())
}

/// The same beside plugins that get these requests, if there is trouble.
pub(super) fn delivered(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
    sent: Vec<Sent>,
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
        Trouble::Present => Some(Aside::run(send(gateway.public, sent))?),
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

/// Sends all of these again and again until it is dropped, one of them every `PAUSE` for each three
/// that there are.
async fn send(to: SocketAddr, sent: Vec<Sent>) {
    let pause = PAUSE * u32::try_from(sent.len().div_ceil(3)).unwrap_or(1);
    let mut sending = JoinSet::new();
    for Sent { source, media, body } in sent {
        sending.spawn(async move {
            let mut next = tokio::time::interval(pause);
            for number in 0_u64.. {
                next.tick().await;
                let body = body.replace(NUMBER, &number.to_string());
                // Whether it is accepted does not matter: it keeps coming.
                drop(post(to, source, media, &body).await);
            }
        });
    }
    sending.join_all().await;
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
