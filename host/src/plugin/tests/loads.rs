//! What is loaded, and what is refused in which words.

use super::*;

#[track_caller]
fn refused(file: &[u8]) -> LoadError {
    host().load(name("test"), file).unwrap_err()
}

#[track_caller]
fn component(wat: &str) -> LoadError {
    refused(&wat::parse_str(wat).unwrap())
}

/// A component with a handler that has nothing in it.
fn handler_with(body: &str) -> String {
    let handler = r#"(instance $none) (export "hookgate:plugin/handler@0.2.0" (instance $none))"#;
    format!("(component {body} {handler})")
}

#[test]
fn the_guest_is_a_provider_and_a_handler() {
    let plugin = host().load(name("guest"), &guest()).unwrap();
    assert_eq!(plugin.kind(), Kind::Module);
    assert_eq!(plugin.provider().unwrap().name, "guest");
    let types = ["*", "guest.emitted"].map(|it| it.parse().unwrap());
    assert_eq!(plugin.handler().unwrap().types, types);
    assert_eq!(plugin.digest().len(), 64);
    assert!(plugin.imports().iter().all(|name| name.starts_with("hookgate:plugin/")));
    assert!(plugin.exports().contains(&"hookgate:plugin/provider@0.2.0".to_owned()));
}

#[test]
fn a_handler_by_hand_is_loaded_too() {
    let module = module_for("handler-plugin", &handler_by_hand("", "(i32.const 8)"));
    let plugin = host().load(name("test"), &module).unwrap();
    assert_eq!(plugin.handler().unwrap().version, "1");
    assert!(plugin.provider().is_none());
}

#[test]
fn half_a_file_is_refused_wherever_it_was_cut() {
    let guest = guest();
    let host = host();
    for part in 1..=16 {
        let cut = guest.len() * part / 17;
        let error = host.load(name("guest"), &guest[..cut]).unwrap_err();
        assert!(matches!(error, LoadError::Invalid { .. } | LoadError::NoSdk), "{cut}: {error}");
    }
    assert!(matches!(refused(&guest[..7]), LoadError::NotWasm));
}

#[test]
fn only_webassembly_is_taken() {
    assert!(matches!(refused(b"\x7fELF\x02\x01\x01"), LoadError::NativeCode));
    let engine = engine::on_demand().unwrap();
    let native = engine.precompile_component(b"\0asm\x0d\0\x01\0").unwrap();
    assert!(matches!(refused(&native), LoadError::NativeCode));
    assert!(matches!(refused(b"  (component)"), LoadError::Text));
    assert!(matches!(refused(b"#!/bin/sh"), LoadError::NotWasm));
    assert!(matches!(refused(b""), LoadError::NotWasm));
    assert!(matches!(refused(&vec![0; FILE_BYTES_MAX + 1]), LoadError::Size));
}

#[test]
fn a_module_without_the_sdk_is_refused() {
    assert!(matches!(component("(module)"), LoadError::NoSdk));
    let command = module_for("handler-plugin", r#"(module (func (export "_start")))"#);
    assert!(matches!(refused(&command), LoadError::Command));
    let half = r#"(module (func (export "hookgate:plugin/handler@0.2.0#describe")))"#;
    assert!(matches!(refused(&module_for("handler-plugin", half)), LoadError::Encode(_)));
    // As a crate that has a plugin and does not export it.
    let forgotten = refused(&module_for("handler-plugin", "(module)"));
    assert!(forgotten.to_string().contains("`hookgate_sdk::export!`"), "{forgotten}");
}

#[test]
fn another_version_is_refused_with_both() {
    let import = component(r#"(component (import "hookgate:plugin/log@0.1.0" (instance)))"#);
    assert_eq!(
        import.to_string(),
        "the plugin is built for hookgate:plugin@0.1.0, and this gateway supports \
         hookgate:plugin@0.2.0: build the plugin again with the SDK of this gateway's version"
    );
    let export = component(
        r#"(component (instance $none) (export "hookgate:plugin/handler@1.0.0" (instance $none)))"#,
    );
    assert!(matches!(export, LoadError::Version { found } if found == "1.0.0"));
}

#[test]
fn what_no_plugin_is_given_is_named() {
    #[track_caller]
    fn check(import: &str, advice: &str) {
        let wat = format!(r#"(component (import "{import}" (instance)))"#);
        let error = component(&wat);
        assert!(matches!(&error, LoadError::Import { name, .. } if name == import), "{error}");
        assert!(error.to_string().contains(advice), "{error}");
    }
    check("acme:kv/store@1.0.0", "which the gateway does not provide");
    check("hookgate:plugin/secrets@0.2.0", "which the gateway does not provide");
    check("wasi:http/types@0.2.10", "disableFeatures: ['http', 'fetch-event']");
    check("wasi:nn/tensor@0.2.0", "of WASI the gateway provides cli, clocks,");
    check("wasi:cli/run@0.3.0", "build for WASI 0.2");
}

#[test]
fn names_are_looked_at_before_anything_is_validated() {
    // Of another contract, and with code that is not valid.
    let wat = r#"(component (import "hookgate:plugin/log@7.0.0" (instance))
        (core module (func (result i32))))"#;
    assert!(matches!(component(wat), LoadError::Version { found } if found == "7.0.0"));
}

#[test]
fn asynchronous_types_are_refused_with_what_to_do() {
    let error = component(&handler_with("(core func $cancel (canon task.cancel))"));
    assert!(matches!(error, LoadError::Async { .. }), "{error}");
    assert!(error.to_string().contains("--backend-qjs-disable-async"), "{error}");
}

#[test]
fn as_many_core_instances_as_an_interpreter_needs_are_there() {
    let many = "(core instance (instantiate $m))".repeat(48);
    let error = component(&handler_with(&format!("(core module $m) {many}")));
    assert!(matches!(error, LoadError::Shape { .. }), "{error}");
}

#[test]
fn no_reason_says_the_same_twice() {
    let many = "(core instance (instantiate $m))".repeat(500);
    let error = component(&handler_with(&format!("(core module $m) {many}"))).to_string();
    assert_eq!(error.matches("500 core module instances").count(), 1, "{error}");
    let shout = r#"(import "hookgate:plugin/log@0.2.0" (instance (export "shout" (func))))"#;
    let error = component(&handler_with(shout)).to_string();
    assert_eq!(error.matches("matching implementation").count(), 1, "{error}");
}

#[test]
fn an_import_that_does_not_fit_is_refused() {
    let shout = r#"(import "hookgate:plugin/log@0.2.0" (instance (export "shout" (func))))"#;
    assert!(matches!(component(&handler_with(shout)), LoadError::Link(_)));
    let module = r#"(import "hookgate:plugin/log@0.2.0" (core module $m))
        (core instance (instantiate $m))"#;
    let error = component(&handler_with(module));
    assert!(matches!(error, LoadError::ImportsModules), "{error}");
}

#[test]
fn what_exports_nothing_is_no_plugin() {
    assert!(matches!(component("(component)"), LoadError::NothingExported));
}

#[test]
fn what_exports_other_types_is_refused() {
    let missing = r#"(component
        (instance $none) (export "hookgate:plugin/handler@0.2.0" (instance $none)))"#;
    assert!(matches!(component(missing), LoadError::Shape { role: Role::Handler, .. }));
    let other = "package hookgate:plugin@0.2.0;
        interface handler { describe: func() -> string; check: func(); handle: func(); }
        world handler-plugin { export handler; }";
    let wat = r#"(module
        (memory (export "memory") 1)
        (func (export "hookgate:plugin/handler@0.2.0#describe") (result i32) (i32.const 8))
        (func (export "hookgate:plugin/handler@0.2.0#check"))
        (func (export "hookgate:plugin/handler@0.2.0#handle")))"#;
    let error = refused(&module_for_other(other, wat));
    assert!(matches!(error, LoadError::Shape { role: Role::Handler, .. }), "{error}");
}

#[test]
fn a_plugin_that_starts_too_large_is_refused() {
    let large = "(core module $m (memory 1024)) (core instance (instantiate $m))";
    let error = component(&handler_with(large));
    assert!(matches!(error, LoadError::Memory { bytes: 0x400_0000, .. }), "{error}");
    let many = "(core instance (instantiate $m))".repeat(5);
    let many = component(&handler_with(&format!("(core module $m (memory 1)) {many}")));
    assert!(matches!(many, LoadError::Memory { memories: 5, .. }), "{many}");
}

#[test]
fn a_proposal_that_is_off_is_refused_by_the_compiler() {
    let error = component(&handler_with("(core module $m (memory 1 1 shared))"));
    assert!(matches!(error, LoadError::Compile(CompileError::Refused(_))), "{error}");
}

#[test]
fn a_plugin_that_cannot_describe_itself_is_refused() {
    #[track_caller]
    fn check(imports: &str, describe: &str) -> CallError {
        let wat = handler_by_hand(imports, describe);
        match refused(&module_for("handler-plugin", &wat)) {
            LoadError::Describe { role: Role::Handler, error } => error,
            other => panic!("{other}"),
        }
    }
    assert!(matches!(check("", "(unreachable)"), CallError::Trap { .. }));
    assert!(matches!(check("", "(loop (br 0)) (unreachable)"), CallError::Deadline { .. }));
    let start = "(func $spin (loop (br 0))) (start $spin)";
    assert!(matches!(check(start, "(i32.const 8)"), CallError::Deadline { .. }));
}

#[test]
fn a_plugin_that_describes_itself_wrongly_is_refused() {
    let nameless = "(i32.store (i32.const 12) (i32.const 0)) (i32.const 8)";
    let error = refused(&module_for("handler-plugin", &handler_by_hand("", nameless)));
    assert_eq!(
        error.to_string(),
        "the handler's description breaks the contract: `handler-info.name` has 0 bytes, not 1 to \
         64"
    );
}

/// What a guest for WASI preview 1 finds.
fn with_wasi(import: &str, describe: &str) -> Result<std::sync::Arc<Plugin>, LoadError> {
    let import = format!(r#"(import "wasi_snapshot_preview1" {import})"#);
    let module = module_for("handler-plugin", &handler_by_hand(&import, describe));
    host().load(name("test"), &module)
}

#[test]
fn wasi_is_there_and_grants_nothing() {
    let plugin = with_wasi(
        r#""environ_sizes_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $preopen (param i32 i32) (result i32))"#,
        "(if (call $environ (i32.const 256) (i32.const 260)) (then (unreachable)))
         (if (i32.load (i32.const 256)) (then (unreachable)))
         (if (call $args (i32.const 256) (i32.const 260)) (then (unreachable)))
         (if (i32.load (i32.const 256)) (then (unreachable)))
         (if (i32.ne (call $preopen (i32.const 3) (i32.const 256)) (i32.const 8))
             (then (unreachable)))
         (i32.const 8)",
    )
    .unwrap();
    assert_eq!(plugin.kind(), Kind::ModuleWithWasi);
    assert!(plugin.imports().iter().any(|name| name.starts_with("wasi:")));
}

#[test]
fn a_guest_with_wasi_cannot_wait() {
    // A subscription to the monotonic clock, in 2^40 ns.
    let error = with_wasi(
        r#""poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32))"#,
        "(i32.store (i32.const 528) (i32.const 1))
         (i64.store (i32.const 536) (i64.const 0x10000000000))
         (drop (call $poll (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))
         (i32.const 8)",
    )
    .unwrap_err();
    assert!(error.to_string().contains("a plugin may not sleep"), "{error}");
}

#[test]
fn a_plugin_that_traps_while_it_describes_itself_is_quoted() {
    // It prints "oh no!" on its standard error, in two pieces and without an end of the line.
    let error = with_wasi(
        r#""fd_write" (func $write (param i32 i32 i32 i32) (result i32))"#,
        "(i64.store (i32.const 512) (i64.const 0x00000a216f6e2068))
         (i32.store8 (i32.const 511) (i32.const 111))
         (i32.store (i32.const 528) (i32.const 511))
         (i32.store (i32.const 532) (i32.const 3))
         (i32.store (i32.const 536) (i32.const 514))
         (i32.store (i32.const 540) (i32.const 3))
         (drop (call $write (i32.const 2) (i32.const 528) (i32.const 1) (i32.const 700)))
         (drop (call $write (i32.const 2) (i32.const 536) (i32.const 1) (i32.const 700)))
         (unreachable)",
    )
    .unwrap_err();
    let words = "the handler failed to describe itself: the plugin trapped: `oh no!` on its \
                 standard error";
    assert!(error.to_string().starts_with(words), "{error}");
}

#[test]
fn the_clocks_of_wasi_are_not_the_hosts() {
    // Without a call's own time the wall clock shows 1970; the other counts its readings, and a
    // timer that is not due by this count never is.
    with_wasi(
        r#""clock_time_get" (func $clock (param i32 i64 i32) (result i32))"#,
        "(if (call $clock (i32.const 0) (i64.const 1) (i32.const 512)) (then (unreachable)))
         (if (i64.ne (i64.load (i32.const 512)) (i64.const 0)) (then (unreachable)))
         (if (call $clock (i32.const 1) (i64.const 1) (i32.const 520)) (then (unreachable)))
         (if (i64.ne (i64.load (i32.const 520)) (i64.const 0)) (then (unreachable)))
         (if (call $clock (i32.const 1) (i64.const 1) (i32.const 528)) (then (unreachable)))
         (if (i64.ne (i64.load (i32.const 528)) (i64.const 1000)) (then (unreachable)))
         (i32.const 8)",
    )
    .unwrap();
}
