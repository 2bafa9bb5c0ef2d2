//! What WASI gives a plugin that imports it: nothing of the machine that it runs on.
//!
//! Handlers written by hand, because what `plugin build` makes imports no WASI. Each looks for what
//! it must not find and traps if it finds it; so its run is done as long as the gateway keeps it
//! from that. The calls of preview 1 reach the gateway as those of WASI 0.2.

use serde_json::{Value, json};

use super::crafted::{self, FINE, module_for, module_of};
use crate::harness::{Setup, reasons, stands};

/// The run of a handler on an event of the guest.
async fn handled_by(module: Vec<u8>) -> Value {
    let gateway = Setup::guest().plugin_of("crafted", module).start().await;
    gateway.handled_by("crafted", json!({ "id": "1" })).await
}

/// A handler that imports these functions of preview 1, and whose `handle` does this.
fn preview_1(imports: &[(&str, &str)], handle: &str) -> Vec<u8> {
    let import = |(name, types): &(&str, &str)| {
        format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {types}))")
    };
    let imports: String = imports.iter().map(import).collect();
    let handle = format!("{handle} {FINE}");
    module_for("handler-plugin", &crafted::handler(&imports, "(i32.const 8)", &handle))
}

/// Guards I5.
///
/// Without: plugin/call/wasi.rs: no `preopened_dir` for the context. With one of `/`, the first
/// folder is there.
#[tokio::test]
pub(super) async fn a_plugin_finds_no_files() {
    let bad_descriptor = "(i32.const 8)";
    let module = preview_1(
        &[
            ("fd_prestat_get", "(param i32 i32) (result i32)"),
            ("path_open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"),
        ],
        &format!(
            "(if (i32.ne (call $fd_prestat_get (i32.const 3) (i32.const 512)) {bad_descriptor})
                (then (unreachable)))
             (i32.store (i32.const 600) (i32.const 0x00637465))
             (if (i32.ne {bad_descriptor}
                    (call $path_open (i32.const 3) (i32.const 0) (i32.const 600) (i32.const 3)
                        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 700)))
                (then (unreachable)))"
        ),
    );
    assert_eq!(stands(&handled_by(module).await), ("done", 1));
}

/// Guards I4 and I5.
///
/// Without: plugin/call/wasi.rs: no `inherit_env` and no `args` for the context.
#[tokio::test]
pub(super) async fn a_plugin_finds_no_environment_and_no_arguments() {
    let module = preview_1(
        &[
            ("environ_sizes_get", "(param i32 i32) (result i32)"),
            ("args_sizes_get", "(param i32 i32) (result i32)"),
        ],
        "(i32.store (i32.const 512) (i32.const 1))
         (if (call $environ_sizes_get (i32.const 512) (i32.const 516)) (then (unreachable)))
         (if (i32.load (i32.const 512)) (then (unreachable)))
         (i32.store (i32.const 512) (i32.const 1))
         (if (call $args_sizes_get (i32.const 512) (i32.const 516)) (then (unreachable)))
         (if (i32.load (i32.const 512)) (then (unreachable)))",
    );
    assert_eq!(stands(&handled_by(module).await), ("done", 1));
}

/// The time of the run, in nanoseconds, and a count of the readings: nothing tells how long
/// anything takes.
///
/// Without: plugin/call/wasi.rs: `wall_clock` and `monotonic_clock`, without which the host's are
/// there.
#[tokio::test]
pub(super) async fn a_plugin_finds_no_clock_but_the_time_of_its_run() {
    let reading = |clock: u32, expected: u64| {
        format!(
            "(if (call $clock_time_get (i32.const {clock}) (i64.const 1) (i32.const 512))
                (then (unreachable)))
             (if (i64.ne (i64.load (i32.const 512)) (i64.const {expected}))
                (then (unreachable)))"
        )
    };
    let now = crate::harness::NOW.0 * 1_000_000;
    let readings = [reading(0, now), reading(1, 0), reading(0, now), reading(1, 1_000)];
    let module =
        preview_1(&[("clock_time_get", "(param i32 i64 i32) (result i32)")], &readings.concat());
    assert_eq!(stands(&handled_by(module).await), ("done", 1));
}

/// Guards I7: while the host waits for a guest, no deadline would end it.
///
/// Without: plugin/call/wasi.rs: `poll` of the linker, in whose place the host's would wait.
#[tokio::test]
pub(super) async fn a_plugin_can_not_wait_for_the_clock() {
    // A subscription to the monotonic clock, in 2^40 ns.
    let module = preview_1(
        &[("poll_oneoff", "(param i32 i32 i32 i32) (result i32)")],
        "(i32.store (i32.const 528) (i32.const 1))
         (i64.store (i32.const 536) (i64.const 0x10000000000))
         (drop (call $poll_oneoff (i32.const 512) (i32.const 600) (i32.const 1) (i32.const 700)))",
    );
    let run = handled_by(module).await;
    assert_eq!(stands(&run), ("pending", 1));
    assert!(reasons(&run["tries"])[0].contains("a plugin may not sleep"), "{run}");
}

/// What of the sockets of WASI the handler below imports.
const SOCKETS: &str = "package wasi:sockets@0.2.0;
    interface network {
        resource network;
        enum error-code {
            unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout,
            concurrency-conflict, not-in-progress, would-block, invalid-state, new-socket-limit,
            address-not-bindable, address-in-use, remote-unreachable, connection-refused,
            connection-reset, connection-aborted, datagram-too-large, name-unresolvable,
            temporary-resolver-failure, permanent-resolver-failure,
        }
        enum ip-address-family { ipv4, ipv6 }
    }
    interface instance-network {
        use network.{network};
        instance-network: func() -> network;
    }
    interface tcp { resource tcp-socket; }
    interface tcp-create-socket {
        use network.{error-code, ip-address-family};
        use tcp.{tcp-socket};
        create-tcp-socket: func(address-family: ip-address-family)
            -> result<tcp-socket, error-code>;
    }
    interface udp { resource udp-socket; }
    interface udp-create-socket {
        use network.{error-code, ip-address-family};
        use udp.{udp-socket};
        create-udp-socket: func(address-family: ip-address-family)
            -> result<udp-socket, error-code>;
    }
    interface ip-name-lookup {
        use network.{network, error-code};
        resource resolve-address-stream;
        resolve-addresses: func(network: borrow<network>, name: string)
            -> result<resolve-address-stream, error-code>;
    }";

/// What it imports and exports.
const WORLD: &str = "package hookgate:hostile;
    world hostile {
        import wasi:sockets/instance-network@0.2.0;
        import wasi:sockets/tcp-create-socket@0.2.0;
        import wasi:sockets/udp-create-socket@0.2.0;
        import wasi:sockets/ip-name-lookup@0.2.0;
        export hookgate:plugin/handler@0.2.0;
    }";

/// Guards I5.
///
/// Without: plugin/call/wasi.rs: `allow_tcp(false)`, `allow_udp(false)` or
/// `allow_ip_name_lookup(false)`. A name that is an address needs no name server.
#[tokio::test]
pub(super) async fn a_plugin_finds_no_network() {
    let imports = r#"
        (import "wasi:sockets/instance-network@0.2.0" "instance-network"
            (func $network (result i32)))
        (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket"
            (func $tcp (param i32 i32)))
        (import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket"
            (func $udp (param i32 i32)))
        (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses"
            (func $resolve (param i32 i32 i32 i32)))"#;
    // A result begins with 0 if it is well, and with 1 if it is an error.
    let refused = "(if (i32.ne (i32.load8_u (i32.const 512)) (i32.const 1)) (then (unreachable)))";
    let handle = format!(
        r#"(i32.store8 (i32.const 512) (i32.const 0))
           (call $tcp (i32.const 0) (i32.const 512)) {refused}
           (i32.store8 (i32.const 512) (i32.const 0))
           (call $udp (i32.const 0) (i32.const 512)) {refused}
           (i64.store (i32.const 600) (i64.const 0x2e302e302e373231))
           (i32.store8 (i32.const 608) (i32.const 49))
           (i32.store8 (i32.const 512) (i32.const 0))
           (call $resolve (call $network) (i32.const 600) (i32.const 9) (i32.const 512)) {refused}
           {FINE}"#
    );
    let wat = crafted::handler(imports, "(i32.const 8)", &handle);
    let run = handled_by(module_of(&[SOCKETS, WORLD], &wat)).await;
    assert_eq!(stands(&run), ("done", 1), "{run:#}");
}
