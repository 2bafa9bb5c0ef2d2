//! Plugin files that are hostile before anybody calls them: huge, cut, made for others, or larger
//! than an instance may be.
//!
//! Each is refused with its reason, the plugin beside it serves, and the file that was there before
//! runs on. Files that cost the compiler time or its life are `loading`'s.

use hookgate::plugin::FILE_BYTES_MAX;

use super::crafted::{self, FINE, module_for};
use crate::harness::{Setup, payment, stands, text};

/// What a file can be, and the test of it. One whose test does not exist does not compile.
const _: &[(&str, fn())] = &[
    ("a huge module", a_file_that_is_too_large_is_refused_unread),
    ("a compile bomb", crate::loading::a_slow_compilation_holds_up_nothing_else),
    (
        "one over which the compiler crashes",
        crate::loading::a_file_that_kills_the_compiling_process_is_refused_and_all_else_runs_on,
    ),
    ("a pipe", crate::loading::what_is_no_file_hangs_neither_start_nor_reload_nor_stop),
    ("of another version of the contract", a_file_for_another_contract_is_refused_by_its_version),
    ("without an export", a_file_that_lacks_an_export_is_refused),
    ("with more memory than it may have", a_file_that_starts_too_large_is_refused),
    ("with too many memories", a_file_that_starts_too_large_is_refused),
    ("with too many tables", a_file_with_more_tables_or_instances_than_one_may_have_is_refused),
    ("with too many instances", a_file_with_more_tables_or_instances_than_one_may_have_is_refused),
    ("whose tables grow", a_plugin_gets_no_more_table_elements_than_an_instance_may_have),
    ("that reads files", super::wasi::a_plugin_finds_no_files),
    ("that reads the environment", super::wasi::a_plugin_finds_no_environment_and_no_arguments),
    ("that reads the clock", super::wasi::a_plugin_finds_no_clock_but_the_time_of_its_run),
    ("that waits for the clock", super::wasi::a_plugin_can_not_wait_for_the_clock),
    ("that opens sockets", super::wasi::a_plugin_finds_no_network),
];

/// Why this file does not run as a plugin beside one that does, and goes on to.
async fn refused(file: Vec<u8>) -> String {
    let gateway = Setup::stripe().plugin_of("crafted", file).start().await;
    gateway.stripe(&payment("evt_1", "pi_1", "payment_failed")).await.accepted();
    text(&gateway.plugin("crafted").await["refused"])
}

/// The same for a component with a handler that has nothing in it but this.
async fn refused_with(body: &str) -> String {
    let handler = r#"(instance $none) (export "hookgate:plugin/handler@0.2.0" (instance $none))"#;
    refused(wat::parse_str(format!("(component {body} {handler})")).unwrap()).await
}

/// Guards I7 and I12.
///
/// Without: regular_file.rs and plugin/load/wasm.rs: `FILE_BYTES_MAX`, of which both are asked.
#[tokio::test]
async fn a_file_that_is_too_large_is_refused_unread() {
    let reason = refused(vec![0; FILE_BYTES_MAX + 1]).await;
    assert_eq!(reason, "the file has more than 33554432 bytes");
}

/// Guards I9.
///
/// Without: plugin/load/interfaces.rs: `check_version`.
#[tokio::test]
async fn a_file_for_another_contract_is_refused_by_its_version() {
    let import = r#"(component (import "hookgate:plugin/log@0.1.0" (instance)))"#;
    let reason = refused(wat::parse_str(import).unwrap()).await;
    let words = "the plugin is built for hookgate:plugin@0.1.0, and this gateway supports \
                 hookgate:plugin@0.2.0";
    assert!(reason.starts_with(words), "{reason}");
}

/// Guards I9.
///
/// Without: plugin/load/wasm.rs: the encoder, and for a component plugin/call/function.rs:
/// `Handler::find`.
#[tokio::test]
async fn a_file_that_lacks_an_export_is_refused() {
    let whole = crafted::handler("", "(i32.const 8)", FINE);
    let half = whole.replace("hookgate:plugin/handler@0.2.0#handle", "something-else");
    let reason = refused(module_for("handler-plugin", &half)).await;
    assert!(reason.starts_with("failed to turn the module into a component: "), "{reason}");

    let reason = refused_with("").await;
    assert!(reason.starts_with("the plugin's handler does not match the contract: "), "{reason}");
}

/// Guards I7.
///
/// Without: plugin/load.rs: `check_resources`.
#[tokio::test]
async fn a_file_that_starts_too_large_is_refused() {
    let words = "the plugin starts with ";
    let large = "(core module $m (memory 1024)) (core instance (instantiate $m))";
    let reason = refused_with(large).await;
    assert!(reason.starts_with(words) && reason.contains("67108864 bytes"), "{reason}");

    let many = "(core instance (instantiate $m))".repeat(5);
    let reason = refused_with(&format!("(core module $m (memory 1)) {many}")).await;
    assert!(reason.starts_with(words) && reason.contains("in 5 memories"), "{reason}");
}

/// Guards I7.
///
/// Without: plugin/engine.rs: `max_tables_per_component` and `max_core_instances_per_component`.
#[tokio::test]
async fn a_file_with_more_tables_or_instances_than_one_may_have_is_refused() {
    let tables = "(table 1 funcref)".repeat(4);
    let instances = |count| "(core instance (instantiate $m))".repeat(count);
    let reason = refused_with(&format!("(core module $m {tables}) {}", instances(5))).await;
    assert!(reason.contains("20 tables"), "{reason}");

    let reason = refused_with(&format!("(core module $m) {}", instances(65))).await;
    assert!(reason.contains("65 core module instances"), "{reason}");
}

/// Guards I7: tables are memory too, and no limit of memory counts them.
///
/// Without: plugin/call/memory.rs: `elements_left`.
#[tokio::test]
async fn a_plugin_gets_no_more_table_elements_than_an_instance_may_have() {
    let grows = |table: &str, elements: u32, to: i32| {
        format!(
            "(if (i32.ne (table.grow ${table} (ref.null func) (i32.const {elements}))
                    (i32.const {to}))
                (then (unreachable)))"
        )
    };
    let tables = "(table $a 0 funcref) (table $b 0 funcref) (table $c 0 funcref)";
    // One table has 20,000 elements at most, and all together twice that.
    let handle = [
        grows("a", 20_001, -1),
        grows("a", 20_000, 0),
        grows("b", 19_000, 0),
        grows("c", 19_000, -1),
        FINE.to_owned(),
    ];
    let wat = crafted::handler(tables, "(i32.const 8)", &handle.concat());
    let module = module_for("handler-plugin", &wat);
    let gateway = Setup::guest().plugin_of("crafted", module).start().await;

    let run = gateway.handled_by("crafted", serde_json::json!({ "id": "1" })).await;

    assert_eq!(stands(&run), ("done", 1), "{run:#}");
}
