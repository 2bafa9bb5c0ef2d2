//! Forged requests that are as dear to read as any, beside genuine ones to another source.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Trouble;
use super::peers::RATE;
use super::trouble::Aside;
use crate::bar::p99;
use crate::gateway::{Workplace, stripe};
use crate::load::{Schedule, open};
use crate::payload::Batch;
use crate::scenario::count;
use crate::supply::Supply;

/// Connections that send forged requests, each as soon as it was answered.
const CONNECTIONS: usize = 32;
/// As large as a body may be.
const BODY_BYTES: usize = 1 << 20;

/// From when a request should have been posted until it was answered.
pub(super) fn measure(
    workplace: &Workplace,
    trouble: Trouble,
    time: Duration,
) -> anyhow::Result<f64> {
    let tables = format!(
        "{}[sources.forged]\nplugin = \"twilio\"\nsecrets = [{{ value = \"bench_token\" }}]\n\
         config = {{ url = \"https://bench.example/in/forged\" }}\n[limits]\nparses = 0\n",
        stripe("stripe")
    );
    let plugins = [("stripe", "stripe"), ("twilio", "twilio")];
    let gateway = workplace.start_configured(&plugins, &tables)?;
    let supply = Supply::once(&Arc::new(Batch::write(count(RATE, time * 5 / 4) + 1)));
    let warm_up = supply.part(count(RATE, time / 4));
    open(gateway.public, Schedule::new(RATE, &warm_up), &warm_up)?;

    let forging = match trouble {
        Trouble::Absent => None,
        Trouble::Present => Some(Aside::run(forge(gateway.public))?),
    };
    let part = supply.part(count(RATE, time));
    let times = open(gateway.public, Schedule::new(RATE, &part), &part)?;
    drop(forging);
    gateway.stop()?;
    Ok(p99(times))
}

/// Sends on all connections until it is dropped.
async fn forge(to: SocketAddr) {
    let request = Arc::new(request());
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let request = request.clone();
        connections.spawn(async move {
            loop {
                // The gateway may hang up on such senders; they come back.
                drop(send(to, &request).await);
            }
        });
    }
    while connections.join_next().await.is_some() {}
}

/// Sends again and again over one connection.
async fn send(to: SocketAddr, request: &[u8]) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(to).await?;
    let mut answer = [0; 4096];
    loop {
        stream.write_all(request).await?;
        // An answer of the gateway is small and comes in one piece.
        if stream.read(&mut answer).await? == 0 {
            return Ok(());
        }
    }
}

/// A form of as many fields as fit, under a signature that has the right shape.
fn request() -> Vec<u8> {
    let body = "a&".repeat(BODY_BYTES / 2);
    let head = format!(
        "POST /in/forged HTTP/1.1\r\nhost: localhost\r\nx-twilio-signature: {}=\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        "A".repeat(27),
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}
