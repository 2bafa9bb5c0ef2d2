//! The host's side of `wit/`, generated.
//!
//! One world with every interface is bound, because a plugin may export either role or both; which
//! it has is asked per interface. Nothing outside of `plugin` sees these types: `convert` turns
//! them into the values that everything shares.

/// The package of the contract, and the version of it that this host speaks.
pub(in crate::plugin) const PACKAGE: &str = "hookgate:plugin";
pub(in crate::plugin) const VERSION: &str = "0.2.0";

wasmtime::component::bindgen!({
    path: "../wit",
    world: "plugin",
    imports: { default: trappable },
    ownership: Borrowing { duplicate_if_necessary: true },
    require_store_data_send: true,
});
