//! The ports and folders that a configuration names, tried before a gateway depends on them.
//!
//! What is made to try is removed again. Never more than a look: a gateway that is running keeps
//! its ports and its folder.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::document::Entry;
use crate::address::Address;
use crate::ids::Name;
use crate::store;

/// How much of the world is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Nothing of it: a running gateway has all that it needs.
    Nothing,
    /// What a start would not notice by itself.
    Start,
    /// Everything that a start needs.
    All,
}

/// What a file says of the world, as far as that could be read.
pub(super) struct Named<'a> {
    pub(super) listen: Option<(Entry<'a>, SocketAddr)>,
    pub(super) admin: Option<(Entry<'a>, Address)>,
    pub(super) data: Option<(Entry<'a>, PathBuf)>,
    pub(super) plugins: Option<(Entry<'a>, PathBuf)>,
}

impl Named<'_> {
    /// Notes what is wrong with the addresses by themselves, without trying anything.
    /// `is_secured` is whether operators reach the admin port over TLS.
    pub(super) fn check_addresses(&self, is_secured: bool) {
        let Some((entry, admin)) = &self.admin else { return };
        if !admin.is_local() && !is_secured {
            entry.wrong(
                "must be a loopback address such as \"127.0.0.1:8081\", because this port has no \
                 TLS: add [tls.admin], or write behind_proxy = true if a proxy in front of it \
                 speaks TLS with operators",
            );
        }
        if let (Some((_, listen)), Address::Ip(admin)) = (&self.listen, admin)
            && overlap(*listen, *admin)
        {
            entry.wrong("must have another port than `listen`: both can't listen on one address");
        }
    }

    /// Tries the ports and the folders.
    pub(super) fn check(&self, extent: Extent) {
        if extent == Extent::Nothing {
            return;
        }
        if let Some((entry, path)) = &self.plugins
            && let Err(error) = fs::read_dir(path)
        {
            entry.wrong(&format!("must be a folder that the gateway can read: {error}"));
        }
        if extent != Extent::All {
            return;
        }
        if let Some((entry, path)) = &self.data {
            if is_in_use(path) {
                entry.warn(
                    "a gateway is running on this data folder, so `check` did not try the ports",
                );
                return;
            }
            if let Err(error) = try_folder(path) {
                entry.wrong(&format!(
                    "must be a folder that the gateway can create and write: {error}"
                ));
            }
        }
        if let Some((entry, address)) = &self.listen {
            try_port(entry, *address);
        }
        match &self.admin {
            Some((entry, Address::Ip(address))) => try_port(entry, *address),
            Some((entry, Address::Unix(path))) => try_socket(entry, path),
            None => (),
        }
    }
}

/// Whether the folder has the file of a plugin of this name.
pub(super) fn has_plugin(folder: &Path, plugin: &Name) -> bool {
    folder.join(format!("{plugin}.wasm")).exists()
}

fn try_port(entry: &Entry<'_>, address: SocketAddr) {
    match TcpListener::bind(address) {
        Ok(_) => (),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => entry.wrong(
            "is an address whose port is already in use, perhaps by a running gateway: stop that \
             program or choose another port",
        ),
        Err(error) => {
            entry.wrong(&format!("must be an address on which this machine can listen: {error}"))
        }
    }
}

/// To listen there and stop again would remove what another gateway has just made.
fn try_socket(entry: &Entry<'_>, path: &Path) {
    let folder = path.parent().unwrap_or(Path::new("/"));
    match tempfile::tempfile_in(folder) {
        Ok(_) => (),
        // systemd makes /run/hookgate at each start, and removes it at each stop.
        Err(error) if error.kind() == io::ErrorKind::NotFound => entry.warn(
            "the folder of `admin` is not there: a start needs it, and a service manager may make \
             it",
        ),
        Err(error) => {
            entry.wrong(&format!("must be in a folder that the gateway can write: {error}"))
        }
    }
}

/// Whether two sockets can't listen there at the same time. Port 0 is any that is free.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let a = one.ip().to_canonical();
    let b = other.ip().to_canonical();
    let same_port = one.port() == other.port() && one.port() != 0;
    same_port && (a == b || a.is_unspecified() || b.is_unspecified())
}

/// Whether a running gateway has the store in this folder.
fn is_in_use(folder: &Path) -> bool {
    let path = store::file_in(folder);
    // To open a named pipe is to wait for a writer.
    if !fs::metadata(&path).is_ok_and(|found| found.is_file()) {
        return false;
    }
    let Ok(file) = File::open(path) else { return false };
    let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared);
    locked == Err(Errno::WOULDBLOCK)
}

/// Makes the folder, writes a file without a name, and removes what was made.
fn try_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err())
        .collect();
    let tried = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop));
    for made in missing {
        // What was never made, or what somebody uses by now, stays as it is.
        drop(fs::remove_dir(made));
    }
    tried
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_can_not_be_used_together_are_known() {
        let overlaps =
            |one: &str, other: &str| overlap(one.parse().unwrap(), other.parse().unwrap());
        assert!(overlaps("127.0.0.1:80", "127.0.0.1:80"));
        assert!(overlaps("0.0.0.0:80", "127.0.0.1:80") && overlaps("[::]:80", "127.0.0.1:80"));
        assert!(!overlaps("127.0.0.1:80", "127.0.0.1:81") && !overlaps("10.0.0.1:80", "[::1]:80"));
        assert!(!overlaps("127.0.0.1:0", "127.0.0.1:0"));
    }

    #[test]
    fn a_folder_that_was_tried_is_gone_again() {
        let here = tempfile::tempdir().unwrap();
        try_folder(&here.path().join("a/b")).unwrap();
        assert!(!here.path().join("a").exists());
        fs::write(here.path().join("file"), "").unwrap();
        assert!(try_folder(&here.path().join("file")).is_err());
        assert!(try_folder(&here.path().join("file/below")).is_err());
        assert!(try_folder(here.path()).is_ok() && here.path().exists());
    }
}
