//! What a port listens on, and what connects to it: over the network, or in the file system.
//!
//! A socket in the file system is for the gateway's own user: nobody else may open it. What a
//! gateway that was killed has left there is replaced; anything else is not. Never reads a byte.

use std::fs;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::Mode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixSocket, UnixStream};

use super::{BACKLOG, bind};
use crate::address::Address;

/// Who connects to a socket in the file system is on this machine, and has no port.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What a port listens on.
#[derive(Debug)]
pub(crate) enum Socket {
    Network(TcpListener),
    File(UnixListener, OwnFile),
    /// In the file system too, made and kept by whoever started the gateway, who decides who may
    /// open it.
    Passed(UnixListener, PathBuf),
}

/// The file of a socket, which goes with it.
#[derive(Debug)]
pub(crate) struct OwnFile {
    path: PathBuf,
    /// Its device and its number there.
    is: (u64, u64),
}

impl From<TcpListener> for Socket {
    fn from(socket: TcpListener) -> Self {
        Self::Network(socket)
    }
}

impl Socket {
    /// Listens there.
    ///
    /// # Errors
    ///
    /// Somebody listens there already, or nobody can.
    pub(crate) fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Ip(address) => Ok(Self::Network(bind(*address)?)),
            Address::Unix(path) => {
                clear(path)?;
                let socket = UnixSocket::new_stream()?;
                // On Linux the file begins so. Elsewhere it is closed before anybody can connect.
                rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).ok();
                socket.bind(path)?;
                let file = OwnFile::of(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                Ok(Self::File(socket.listen(BACKLOG)?, file))
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<Address> {
        match self {
            Self::Network(socket) => socket.local_addr().map(Address::Ip),
            Self::File(_, file) => Ok(Address::Unix(file.path.clone())),
            Self::Passed(_, path) => Ok(Address::Unix(path.clone())),
        }
    }

    /// The next connection, and who it is from.
    pub(super) async fn accept(&self) -> io::Result<(Wire, SocketAddr)> {
        match self {
            Self::Network(socket) => {
                let (stream, peer) = socket.accept().await?;
                Ok((Wire::Network(stream), peer))
            }
            Self::File(socket, _) | Self::Passed(socket, _) => {
                let (stream, _) = socket.accept().await?;
                Ok((Wire::File(stream), LOCAL))
            }
        }
    }
}

/// Makes room for a socket at this path: one on which nobody listens any more is removed.
fn clear(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("there is something else than a socket at this path"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// The device of a file and its number there.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

impl OwnFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), is: identity(path)? })
    }
}

impl Drop for OwnFile {
    fn drop(&mut self) {
        // Not the socket of a gateway that came after this one.
        let is_own = identity(&self.path).is_ok_and(|found| found == self.is);
        if is_own && let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "failed to remove the file of a socket");
        }
    }
}

/// A connection, over whatever it is.
#[derive(Debug)]
pub(super) enum Wire {
    Network(TcpStream),
    File(UnixStream),
}

impl Wire {
    /// Has what is written leave at once.
    pub(super) fn set_nodelay(&self) -> io::Result<()> {
        match self {
            Self::Network(stream) => stream.set_nodelay(true),
            Self::File(_) => Ok(()),
        }
    }

    /// Discards what the peer has not read when this is dropped.
    pub(super) fn set_zero_linger(&self) -> io::Result<()> {
        match self {
            Self::Network(stream) => stream.set_zero_linger(),
            Self::File(_) => Ok(()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::File(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::File(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::File(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Network(stream) => stream.is_write_vectored(),
            Self::File(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_flush(cx),
            Self::File(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Network(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::File(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(path: &Path) -> io::Result<Socket> {
        Socket::bind(&Address::Unix(path.to_owned()))
    }

    #[tokio::test]
    async fn a_socket_in_the_file_system_is_for_its_owner_and_goes_with_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let socket = bound(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(socket.address().unwrap(), Address::Unix(path.clone()));

        let taken = bound(&path).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse, "a gateway listens there");
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        // As a gateway that is killed leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = bound(&path).unwrap();
        // Another one has taken its place: that one is not removed.
        fs::remove_file(&path).unwrap();
        let other = bound(&path).unwrap();
        drop(socket);
        assert!(path.exists());
        drop(other);

        fs::write(&path, "a file of somebody").unwrap();
        let refused = bound(&path).unwrap_err().to_string();
        assert_eq!(refused, "there is something else than a socket at this path");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody");
    }
}
