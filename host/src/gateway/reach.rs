//! Who can reach the admin port, and what has to be there before others than this machine can.
//!
//! Decides at a start only: the address does not change while the gateway runs, and a token that is
//! revoked leaves the port closed. Never opens the port, and never changes a store.

use std::path::Path;

use anyhow::bail;

use crate::address::Address;
use crate::admin::{Access, FileToken};
use crate::event::Timestamp;
use crate::store;

/// The same as [`check`] as far as it can be told before the store in this folder is opened: to
/// open one of an older format is to upgrade it, and a start that is refused must not do that.
pub(super) fn check_before(
    address: &Address,
    (tokens, now): (&[FileToken], Timestamp),
    folder: &Path,
) -> anyhow::Result<()> {
    let is_good = |token: &FileToken| token.expires_at.is_none_or(|at| at > now);
    if address.is_local() || tokens.iter().any(is_good) || store::may_have_tokens(folder) {
        return Ok(());
    }
    refuse(address)
}

/// An error says why the admin port is not opened at this address.
pub(super) fn check(address: &Address, access: &Access) -> anyhow::Result<()> {
    if address.is_local() || access.has_token() {
        return Ok(());
    }
    refuse(address)
}

fn refuse(address: &Address) -> anyhow::Result<()> {
    bail!(
        "`admin` is {address}, which other machines can reach, and there is no token: everybody \
         could read and replay all events. Make a token with `hookgate token new` while `admin` \
         is a loopback address, or while no gateway runs with `hookgate token reset`, or write \
         one into `[tokens.NAME]` of the configuration"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::store::Store;
    use crate::token::{Scopes, TokenHash};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn token(expires_at: Option<Timestamp>) -> FileToken {
        FileToken {
            name: "ops".parse().unwrap(),
            hashes: vec![TokenHash::of("a token that an operator has written into a file")],
            scopes: Scopes::ADMIN,
            expires_at,
            tenant: None,
        }
    }

    #[tokio::test]
    async fn what_the_files_tell_refuses_a_start_before_a_store_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let address = |text: &str| Address::parse(text, folder.path()).unwrap();
        let (remote, local) = (address("0.0.0.0:8081"), address("127.0.0.1:8081"));
        let check = |address: &Address, tokens: &[FileToken]| {
            check_before(address, (tokens, NOW), folder.path())
        };
        assert!(check(&local, &[]).is_ok());
        assert!(check(&remote, &[]).is_err());
        assert!(check(&remote, &[token(Some(NOW))]).is_err(), "it has expired");
        assert!(check(&remote, &[token(None)]).is_ok());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing is made");

        let store = Store::open(&store::Config::at(folder.path()), Clock::manual(NOW)).unwrap();
        store.close().await.unwrap();
        assert!(check(&remote, &[]).is_ok(), "its tokens are known once it is open");
    }
}
