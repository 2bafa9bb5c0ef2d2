//! The ceilings: servers that do the least of what is measured, and what figures are compared with.
//!
//! One answers, which is the ceiling of accepting; the other relays, which is that of delivering.
//! Each is in a process of its own, with the gateway's runtime and HTTP stack. Never measured in
//! another run than what is compared with it.

mod answering;
mod relaying;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

pub(crate) use answering::answer;
pub(crate) use relaying::relay;

/// The argument that makes this program one that answers.
const ANSWERING: &str = "serve-ceiling";
/// The one that makes it a relay, before the address of the endpoint.
const RELAYING: &str = "serve-relay";

/// A running server. Killed when dropped.
pub(crate) struct Ceiling {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Ceiling {
    /// One that reads a request and answers it.
    pub(crate) fn answering() -> anyhow::Result<Self> {
        Self::start(&[ANSWERING])
    }

    /// One that posts what it gets to an endpoint, and answers when that has answered.
    pub(crate) fn relaying(endpoint: SocketAddr) -> anyhow::Result<Self> {
        Self::start(&[RELAYING, &endpoint.to_string()])
    }

    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the ceiling")?;
        let stdout = child.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().context("the ceiling did not say where it listens")?;
        Ok(Self { child, address })
    }
}

impl Drop for Ceiling {
    fn drop(&mut self) {
        // It may have ended by itself, and then there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Says where it listens, and serves until killed.
fn serve(app: Router) -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let listener = listener.tap_io(|stream| {
            // Without it the figure would only be lower.
            stream.set_nodelay(true).ok();
        });
        axum::serve(listener, app).await.context("failed to serve")
    })
}
