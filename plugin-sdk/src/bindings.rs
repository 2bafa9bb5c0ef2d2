//! The contract in `wit/` as Rust, generated, with nothing added.
//!
//! The crate has a copy of the contract, so that it stands alone; a test of the repository holds it
//! to the original. There are two worlds, so that a plugin that is only a provider never imports
//! what only handlers may use. They share their types. Plugin authors use these types under the
//! names of the crate root; only [`crate::export!`] reaches in here.

/// The world of a provider.
#[expect(
    missing_docs,
    reason = "generated: the contract has a comment on everything but the modules of its package"
)]
pub mod provider {
    wit_bindgen::generate!({
        path: "wit",
        world: "provider-plugin",
        pub_export_macro: true,
        export_macro_name: "export_provider",
        default_bindings_module: "hookgate_sdk::bindings::provider",
        additional_derives: [PartialEq],
        generate_unused_types: true,
    });
}

/// The world of a handler.
#[expect(
    missing_docs,
    reason = "generated: the contract has a comment on everything but the modules of its package"
)]
pub mod handler {
    wit_bindgen::generate!({
        path: "wit",
        world: "handler-plugin",
        pub_export_macro: true,
        export_macro_name: "export_handler",
        default_bindings_module: "hookgate_sdk::bindings::handler",
        additional_derives: [PartialEq],
        generate_unused_types: true,
        with: {
            "hookgate:plugin/types@0.2.0": crate::bindings::provider::hookgate::plugin::types,
            "hookgate:plugin/settings@0.2.0": crate::bindings::provider::hookgate::plugin::settings,
            "hookgate:plugin/log@0.2.0": crate::bindings::provider::hookgate::plugin::log,
        },
    });
}
