//! Where a port is: an address of the network, or a socket in the file system.
//!
//! A value; nothing here listens or looks whether anybody does.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Before the path of a socket in the file system.
const UNIX: &str = "unix:";
/// Most bytes of such a path: what systems have room for, without the zero behind it.
const PATH_BYTES_MAX: usize = 103;

/// Where a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address of the network, and a port there.
    Ip(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

impl Address {
    /// Reads `127.0.0.1:8081` or `unix:/run/hookgate/admin.sock`, whose path counts from this
    /// folder.
    pub(crate) fn parse(text: &str, folder: &Path) -> Option<Self> {
        let Some(path) = text.strip_prefix(UNIX) else { return text.parse().ok().map(Self::Ip) };
        let path = folder.join(path);
        let bytes = path.as_os_str().len();
        let is_good = !text[UNIX.len()..].is_empty() && bytes <= PATH_BYTES_MAX;
        (is_good && !text.contains('\0')).then_some(Self::Unix(path))
    }

    /// Whether only this machine reaches it.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_network_or_a_path() {
        let parse = |text: &str| Address::parse(text, Path::new("/etc/hookgate"));
        for (text, shown, is_local) in [
            ("127.0.0.1:8081", "127.0.0.1:8081", true),
            ("[::1]:8081", "[::1]:8081", true),
            ("10.0.0.1:8081", "10.0.0.1:8081", false),
            ("unix:/run/admin.sock", "unix:/run/admin.sock", true),
            ("unix:admin.sock", "unix:/etc/hookgate/admin.sock", true),
        ] {
            let address = parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.is_local()), (shown, is_local));
        }
        let long = format!("unix:/{}", "x".repeat(PATH_BYTES_MAX));
        for wrong in ["", "localhost:8081", "unix:", "unix:a\0b", &long] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
