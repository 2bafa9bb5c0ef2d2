//! The sockets that a service manager such as systemd has opened for the gateway.
//!
//! The one door to `listenfd`, which takes away the variables that name them: no child process sees
//! them. Never opens a socket.

use anyhow::{Context, bail};
use listenfd::ListenFd;

use crate::gateway::{PassedAdmin, PassedSockets};

/// The names of the sockets, in order, with `:` between them.
const NAMES: &str = "LISTEN_FDNAMES";

/// Those that were passed to this process: none, `public`, `admin` or both.
pub(super) fn passed() -> anyhow::Result<PassedSockets> {
    let names = std::env::var(NAMES).unwrap_or_default();
    let mut passed = ListenFd::from_env();
    let mut names = names.split(':');
    let mut sockets = PassedSockets::default();
    for number in 0..passed.len() {
        let name = names.next().unwrap_or_default();
        taken(&mut passed, number, name, &mut sockets)
            .with_context(|| format!("failed to take the socket `{name}` that was passed"))?;
    }
    Ok(sockets)
}

fn taken(
    passed: &mut ListenFd,
    number: usize,
    name: &str,
    sockets: &mut PassedSockets,
) -> anyhow::Result<()> {
    match name {
        "public" if sockets.public.is_none() => {
            sockets.public = passed.take_tcp_listener(number)?;
        }
        "admin" if sockets.admin.is_none() => {
            sockets.admin = match passed.take_tcp_listener(number) {
                Ok(socket) => socket.map(PassedAdmin::Network),
                // It may be one in the file system.
                Err(_) => passed.take_unix_listener(number)?.map(PassedAdmin::File),
            };
        }
        "public" | "admin" => {
            bail!("there are two of this name, and the gateway has one such port")
        }
        _ => bail!(
            "the gateway takes one socket named `public` and one named `admin`: write \
             FileDescriptorName=public, or =admin, into its unit"
        ),
    }
    Ok(())
}
