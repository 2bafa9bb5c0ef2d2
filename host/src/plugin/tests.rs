//! The door with real WebAssembly behind it: the guest that misbehaves on command, and small
//! modules written by hand for what no compiler would make.

mod bounds;
mod calls;
mod folders;
mod kept;
mod loads;
mod reuse;
mod runs;
mod signed;

use std::fs;
use std::path::{Path, PathBuf};

use wit_component::StringEncoding;
use wit_parser::Resolve;

use super::*;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The guest of `tests/guest`.
fn guest() -> Vec<u8> {
    let file = repository().join("target/test-plugins/guest.wasm");
    let read = fs::read(&file);
    read.unwrap_or_else(|error| panic!("`make test` builds it: {}: {error}", file.display()))
}

fn config() -> Config {
    // Shared by all tests, so that each file is compiled once.
    let cache = repository().join("target/test-compiled");
    Config::new(Compiler::InProcess, Some(cache))
}

fn host() -> Host {
    Host::new(config()).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A core module that says of itself that it is for this world of `wit/`.
fn module_for(world: &str, wat: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(repository().join("wit")).unwrap();
    embed(&resolve, package, world, wat)
}

/// A core module for the world `handler-plugin` of another WIT text.
fn module_for_other(wit: &str, wat: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("other.wit", wit).unwrap();
    embed(&resolve, package, "handler-plugin", wat)
}

fn embed(resolve: &Resolve, package: wit_parser::PackageId, world: &str, wat: &str) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    let mut module = wat::parse_str(wat).unwrap();
    let encoding = StringEncoding::UTF8;
    wit_component::embed_component_metadata(&mut module, resolve, world, encoding, false).unwrap();
    module
}

/// A handler by hand, whose `describe` has this body. At 8 lies the description of a handler `h`,
/// version `1`, of all types.
fn handler_by_hand(imports: &str, describe: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 4)
            (data (i32.const 8) "\40\00\00\00\01\00\00\00\41\00\00\00\01\00\00\00\48\00\00\00\01\00\00\00")
            (data (i32.const 64) "h1*")
            (data (i32.const 72) "\42\00\00\00\01\00\00\00")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
            (func (export "hookgate:plugin/handler@0.2.0#describe") (result i32) {describe})
            (func (export "hookgate:plugin/handler@0.2.0#check") (result i32) (unreachable))
            (func (export "hookgate:plugin/handler@0.2.0#handle") (param i32) (result i32)
                (unreachable))
        )"#
    )
}

/// A folder for one test.
struct Plugins {
    folder: tempfile::TempDir,
}

impl Plugins {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn put(&self, file: &str, bytes: &[u8]) {
        fs::write(self.folder.path().join(file), bytes).unwrap();
    }
}
