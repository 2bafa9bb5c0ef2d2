//! Who can reach the admin port, and what has to be there before others than this machine can.
//!
//! Decides at a start only: the address does not change while the gateway runs, and a token that is
//! revoked leaves the port closed. Never opens anything.

use anyhow::bail;

use crate::address::Address;
use crate::admin::Access;

/// An error says why the admin port is not opened at this address.
pub(super) fn check(address: &Address, access: &Access) -> anyhow::Result<()> {
    if address.is_local() || access.has_token() {
        return Ok(());
    }
    bail!(
        "`admin` is {address}, which other machines can reach, and there is no token: everybody \
         could read and replay all events. Make a token with `hookgate token new` while `admin` \
         is a loopback address, or while no gateway runs with `hookgate token reset`, or write \
         one into `[tokens.NAME]` of the configuration"
    )
}
