//! What a configuration says that the gateway's own events depend on.

use super::*;

/// Else a source could bring what looks like an event of the gateway's own.
#[test]
fn no_source_and_no_handler_has_the_name_of_the_gateway_in_events() {
    let own = "7:1: [sources.hookgate] needs another name";
    check_refused("[sources.stripe]", "[sources.hookgate]", own);
    let own = "18:1: [handlers.hookgate] needs another name";
    check_refused("[handlers.dunning]", "[handlers.hookgate]", own);
}
