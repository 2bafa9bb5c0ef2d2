//! Sockets that whoever started the gateway has opened for it already, such as systemd.
//!
//! They take the place of the addresses in the configuration. Never lets the operators' port be
//! reached from further away than the configuration says: what that requires was checked there.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use anyhow::{Context, bail};
use tracing::info;

use crate::address::Address;
use crate::listener::{self, Socket};

/// Those that are there.
#[derive(Debug, Default)]
pub struct PassedSockets {
    /// Where payment gateways post, in place of `listen`.
    pub public: Option<TcpListener>,
    /// Where operators ask, in place of `admin`.
    pub admin: Option<PassedAdmin>,
}

/// What operators ask through.
#[derive(Debug)]
pub enum PassedAdmin {
    /// An address.
    Network(TcpListener),
    /// A socket in the file system.
    File(UnixListener),
}

impl PassedAdmin {
    fn address(&self) -> anyhow::Result<Address> {
        let address = match self {
            Self::Network(socket) => socket.local_addr().map(Address::Ip),
            Self::File(socket) => socket.local_addr().map(|address| {
                let path = address.as_pathname().map_or_else(PathBuf::new, PathBuf::from);
                Address::Unix(path)
            }),
        };
        address.context("failed to find the address of the socket `admin`")
    }
}

impl PassedSockets {
    /// Where operators will ask, if the configuration says this.
    pub(super) fn admin_at(&self, configured: &Address) -> anyhow::Result<Address> {
        let Some(admin) = &self.admin else { return Ok(configured.clone()) };
        let address = admin.address()?;
        if configured.is_local() && !address.is_local() {
            bail!(
                "the socket `admin` that was passed to the gateway listens on {address}, which \
                 other machines can reach, but `admin` of the configuration is {configured}: write \
                 that address there, so that the gateway checks what it requires"
            );
        }
        Ok(address)
    }

    /// The sockets of both ports: those that were passed, or new ones at these addresses.
    pub(super) fn or_bound(
        self,
        listen: SocketAddr,
        admin: &Address,
    ) -> anyhow::Result<(tokio::net::TcpListener, Socket)> {
        let public = match self.public {
            Some(socket) => {
                let socket = serving(socket)?;
                let address = socket.local_addr()?;
                info!(%address, "serving on the socket `public`, in place of `listen`");
                socket
            }
            None => bound("listen", &listen, listener::bind(listen))?,
        };
        let admin = match self.admin {
            Some(passed) => {
                let address = passed.address()?;
                info!(%address, "serving on the socket `admin`, in place of `admin`");
                match (passed, address) {
                    (PassedAdmin::Network(socket), _) => serving(socket)?.into(),
                    (PassedAdmin::File(socket), Address::Unix(path)) => {
                        socket.set_nonblocking(true)?;
                        Socket::Passed(tokio::net::UnixListener::from_std(socket)?, path)
                    }
                    (PassedAdmin::File(_), Address::Ip(_)) => bail!("the socket has no path"),
                }
            }
            None => bound("admin", admin, Socket::bind(admin))?,
        };
        Ok((public, admin))
    }
}

/// A socket that was passed, as the runtime wants it.
fn serving(socket: TcpListener) -> anyhow::Result<tokio::net::TcpListener> {
    socket.set_nonblocking(true)?;
    Ok(tokio::net::TcpListener::from_std(socket)?)
}

/// What listens on the address under a key of the configuration.
fn bound<T>(
    key: &str,
    address: &impl std::fmt::Display,
    bound: std::io::Result<T>,
) -> anyhow::Result<T> {
    bound.with_context(|| format!("failed to listen on {address}, which is `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text, std::path::Path::new("")).unwrap()
    }

    /// Guards that what the configuration has to say of a remote port is not passed by.
    #[test]
    fn a_passed_socket_opens_the_admin_port_no_further_than_the_configuration() {
        let passed = |at: &str| {
            let admin = Some(PassedAdmin::Network(TcpListener::bind(at).unwrap()));
            PassedSockets { public: None, admin }
        };
        let (local, remote) = (address("127.0.0.1:8081"), address("0.0.0.0:8081"));
        let refused = passed("0.0.0.0:0").admin_at(&local).unwrap_err().to_string();
        assert!(refused.contains("which other machines can reach"), "{refused}");
        assert!(!passed("0.0.0.0:0").admin_at(&remote).unwrap().is_local());
        assert!(passed("127.0.0.1:0").admin_at(&remote).unwrap().is_local());
        assert_eq!(PassedSockets::default().admin_at(&local).unwrap(), local);
    }

    #[tokio::test]
    async fn a_socket_in_the_file_system_that_was_passed_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let sockets = PassedSockets { public: None, admin: Some(PassedAdmin::File(socket)) };
        let local = address("127.0.0.1:0");
        assert_eq!(sockets.admin_at(&local).unwrap(), Address::Unix(path.clone()));
        let (public, admin) = sockets.or_bound("127.0.0.1:0".parse().unwrap(), &local).unwrap();
        assert!(public.local_addr().unwrap().port() > 0);
        assert_eq!(admin.address().unwrap(), Address::Unix(path.clone()));
        drop(admin);
        assert!(path.exists(), "whoever made it removes it");
    }
}
