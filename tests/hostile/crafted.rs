//! Plugins written by hand, for what no compiler makes: in the text format, for a world of the
//! contract.
//!
//! At 800 lies the answer that all is well. Never says what becomes of them.

use std::path::Path;

use wit_component::metadata::Bindgen;
use wit_component::{StringEncoding, embed_component_metadata};

/// Returns that all is well.
pub(super) const FINE: &str = "(i32.const 800)";
/// Returns a description whose name has 9 MiB.
pub(super) const GIANT: &str = "(drop (memory.grow (i32.const 160)))
    (i32.store (i32.const 12) (i32.const 9437184)) (i32.const 8)";

/// Gives each piece of memory once, from the second page on: what stands between the calls of
/// preview 1 and the gateway keeps some.
const ROOM: &str = r#"(global $free (mut i32) (i32.const 65536))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                (global.get $free)
                (global.set $free (i32.and (i32.const -8)
                    (i32.add (global.get $free) (i32.add (local.get 3) (i32.const 7))))))"#;

/// A handler with these fields of a module before its own, whose functions have these bodies. At 8
/// lies its description: `h`, version `1`, for all types.
pub(super) fn handler(fields: &str, describe: &str, handle: &str) -> String {
    format!(
        r#"(module
            {fields}
            (memory (export "memory") 4)
            (data (i32.const 8) "\40\00\00\00\01\00\00\00\41\00\00\00\01\00\00\00\48\00\00\00\01\00\00\00")
            (data (i32.const 64) "h1*")
            (data (i32.const 72) "\42\00\00\00\01\00\00\00")
            {ROOM}
            (func (export "hookgate:plugin/handler@0.2.0#describe") (result i32) {describe})
            (func (export "hookgate:plugin/handler@0.2.0#check") (result i32) {FINE})
            (func (export "hookgate:plugin/handler@0.2.0#handle") (param i32) (result i32) {handle})
        )"#
    )
}

/// The same of a provider that can only describe itself. At 8 lies the beginning of that.
pub(super) fn provider(fields: &str, describe: &str) -> String {
    let request = "i32 i32 i32 i32 i32 i32 i32 i32 i64";
    format!(
        r#"(module
            {fields}
            (memory (export "memory") 4)
            (data (i32.const 8) "\40\00\00\00\01\00\00\00\41\00\00\00\01\00\00\00")
            (data (i32.const 64) "p1")
            {ROOM}
            (func (export "hookgate:plugin/provider@0.2.0#describe") (result i32) {describe})
            (func (export "hookgate:plugin/provider@0.2.0#check") (result i32) {FINE})
            (func (export "hookgate:plugin/provider@0.2.0#claim") (param {request}) (result i32)
                (unreachable))
            (func (export "hookgate:plugin/provider@0.2.0#parse") (param {request}) (result i32)
                (unreachable))
            (func (export "hookgate:plugin/provider@0.2.0#sign")
                (param {request} i64 i32 i32) (result i32) (unreachable))
        )"#
    )
}

/// The core module of this text, which says of itself that it is for this world of `wit/`.
pub(super) fn module_for(world: &str, wat: &str) -> Vec<u8> {
    module(world, &[], wat)
}

/// The same for the world `hostile` of the last of these packages, which may use those before it
/// and the contract.
pub(super) fn module_of(packages: &[&str], wat: &str) -> Vec<u8> {
    module("hostile", packages, wat)
}

fn module(world: &str, packages: &[&str], wat: &str) -> Vec<u8> {
    // The one way to the type of its `resolve` without another dependency.
    let mut resolve = Bindgen::default().resolve;
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("wit");
    let (mut package, _) = resolve.push_path(wit).unwrap();
    for text in packages {
        package = resolve.push_str("hostile.wit", text).unwrap();
    }
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    let encoding = StringEncoding::UTF8;
    embed_component_metadata(&mut module, &resolve, world, encoding, false).unwrap();
    module
}
