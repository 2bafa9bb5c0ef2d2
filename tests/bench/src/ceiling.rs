//! The ceiling: an axum server that reads the body, answers 200 and does nothing else.
//!
//! What no gateway on this machine and this HTTP stack could be faster than. In a process of its
//! own, with the gateway's runtime; never measured in another run than what is compared with it.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

/// The argument that makes this program the ceiling.
pub(crate) const ARGUMENT: &str = "serve-ceiling";

/// The running server. Killed when dropped.
pub(crate) struct Ceiling {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Ceiling {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
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

/// Serves until killed.
pub(crate) fn serve() -> anyhow::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
        let listener = listener.tap_io(|stream| {
            // Without it the figure would only be lower.
            stream.set_nodelay(true).ok();
        });
        let app = Router::new().route("/in/{source}", post(async |_: Bytes| ()));
        axum::serve(listener, app).await.context("failed to serve")
    })
}
