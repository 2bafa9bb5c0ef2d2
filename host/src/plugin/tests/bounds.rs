//! What the operator bounds of one plugin, and of no other.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::calls::{Guest, doors, event, lines, request, settings, told};
use super::*;

/// Two plugins of one file, of which only the first has these rules.
fn guests(rules: PluginRules) -> (Guest, Guest) {
    let bounded = Guest::new();
    let other = bounded.host.load(name("other"), &guest()).unwrap();
    bounded.host.set_rules(&Arc::new([(name("guest"), rules)].into()));
    let host = bounded.host.clone();
    (bounded, Guest { host, plugin: other })
}

fn three_lines() -> PluginRules {
    PluginRules { log_lines: Some(3), ..PluginRules::default() }
}

/// Without the look-up in `Host::bounds` both plugins have the same.
#[tokio::test]
async fn a_plugins_own_memory_lines_and_effects_are_its_limits_and_no_other_s() {
    let (memory, effects) = (Some(8 << 20), Some(2));
    let (bounded, other) = guests(PluginRules { memory, effects, ..three_lines() });

    let memory = async |guest: &Guest| match guest
        .parse(json!({ "do": "hoard", "at": "parse" }))
        .await
        .ended
        .unwrap_err()
    {
        CallError::Memory { limit } => limit,
        error => panic!("{error}"),
    };
    assert_eq!((memory(&bounded).await, memory(&other).await), (8 << 20, 32 << 20));

    let log = async |guest: &Guest| {
        let written = lines(guest.handle(json!({ "do": "log", "lines": 60 })).await);
        (written.len(), written.last().unwrap().clone())
    };
    let dropped =
        |lines, most| format!("the gateway dropped {lines} more lines: a call may write {most}");
    assert_eq!(log(&bounded).await, (4, dropped(57, 3)));
    assert_eq!(log(&other).await, (51, dropped(10, 50)));

    let send = json!({ "do": "send", "endpoint": "crm", "times": 3 });
    let refused = bounded.handle(send.clone()).await.ended.unwrap().unwrap_err();
    let reason = refused.reason().unwrap();
    assert!(reason.contains("a run has at most 2 effects"), "{reason}");
    assert_eq!(other.handle(send).await.ended.unwrap().unwrap().len(), 3);
}

/// Without the deadlines in `Bounds::of` both plugins have the same time.
#[tokio::test]
async fn a_plugins_own_deadlines_are_those_of_its_calls_and_of_no_other_s() {
    let times = [50, 60, 70].map(Duration::from_millis);
    let [claims, parse, handle] = times.map(Some);
    let (bounded, other) = guests(PluginRules { claims, parse, handle, ..PluginRules::default() });
    let limit = |error: CallError| match error {
        CallError::Deadline { limit } => limit,
        error => panic!("{error}"),
    };
    let spin = |at: &str| json!({ "do": "spin", "at": at });
    for (guest, expected) in [(&bounded, times), (&other, [Duration::from_millis(200); 3])] {
        let claimed = guest.claims(spin("claim")).await.unwrap_err();
        let parsed = guest.parse(spin("parse")).await.ended.unwrap_err();
        let handled = guest.handle(spin("handle")).await.ended.unwrap_err();
        assert_eq!([claimed, parsed, handled].map(limit), expected);
    }
}

/// Without `self.0.rules.store` the first rules would count for ever.
#[tokio::test]
async fn other_rules_are_for_the_next_call() {
    let (bounded, _) = guests(three_lines());
    let flood = || bounded.handle(json!({ "do": "log", "lines": 60 }));

    assert_eq!(lines(flood().await).len(), 4);
    bounded.host.set_rules(&Arc::default());
    assert_eq!(lines(flood().await).len(), 51);
}

/// A file whose memory is more than its plugin may have is refused before it runs.
#[test]
fn a_file_is_loaded_by_the_memory_of_its_plugin() {
    let host = host();
    let rules = PluginRules { memory: Some(1 << 17), ..PluginRules::default() };
    host.set_rules(&Arc::new([(name("small"), rules)].into()));
    // Four pages, which are 256 KiB.
    let module = module_for("handler-plugin", &handler_by_hand("", "(i32.const 8)"));

    let refused = host.load(name("small"), &module).unwrap_err();
    assert!(matches!(refused, LoadError::Memory { limit: 0x2_0000, .. }), "{refused}");
    assert!(host.load(name("usual"), &module).is_ok());
}

/// On the thread that asks it is the same call, within the same bounds.
#[test]
fn a_call_on_ones_own_thread_has_its_bounds_and_says_what_it_took() {
    let (bounded, other) = guests(three_lines());
    let call = move || {
        let (source, settings, host) = (name("shop"), settings(), &bounded.host);
        let leaks = request(&json!({ "leak": 3 }));
        let (parsed, spent) = host.here(&other.plugin).parse(&settings, &source, &leaks);
        assert_eq!(parsed.ended.unwrap().unwrap().len(), 1);
        assert!((3 << 20..8 << 20).contains(&spent.memory), "{spent:?}");
        assert!(!spent.time.is_zero());

        let flood = event(&json!({ "do": "log", "lines": 60 }));
        let run = told("run_1");
        let (grant, doors) = (Arc::default(), doors(Arc::new(|_: &str| Ok(None))));
        let handled = host.here(&bounded.plugin).handle(&settings, &flood, &run, &grant, doors);
        assert_eq!(lines(handled.0).len(), 4);
    };
    guest_thread("here").spawn(call).unwrap().join().unwrap();
}

/// Without `patient` the first of these is cut off: a thread that yields to all others waits for
/// longer than it may compute. Without `is_over` in `Sandbox::bound` the last spins for a minute.
#[test]
fn a_call_alone_may_wait_for_longer_than_its_deadline_and_not_compute_for_as_long() {
    let guest = Guest::new();
    let handle = Duration::from_millis(100);
    guest.host.set_deadlines(Deadlines { handle, ..Deadlines::default() });
    let call = move || {
        let handled = |host: &Host, command: Value| {
            let run = told("run_1");
            // Another thread computes for three deadlines meanwhile, and this one waits for it.
            let doors = doors(Arc::new(move |_: &str| {
                let until = Instant::now() + 3 * handle;
                let other = std::thread::spawn(move || while Instant::now() < until {});
                other.join().map(|()| None).map_err(|_| "it panicked".to_owned())
            }));
            let event = event(&command);
            host.alone(&guest.plugin).handle(&settings(), &event, &run, &Arc::default(), doors)
        };
        let (waited, _) = handled(&guest.host, json!({ "do": "state" }));
        assert_eq!(waited.ended.unwrap().unwrap().effects.len(), 1);
        let spun = handled(&guest.host, json!({ "do": "spin" })).0.ended;
        assert!(matches!(spun, Err(CallError::Deadline { limit }) if limit == handle), "{spun:?}");

        let minute = Duration::from_secs(60);
        guest.host.set_deadlines(Deadlines { handle: minute, ..Deadlines::default() });
        let over = guest.host.until(&Arc::new(AtomicBool::new(true)));
        let (cut_off, spent) = handled(&over, json!({ "do": "spin" }));
        assert!(cut_off.ended.is_err() && spent.time < minute, "{cut_off:?}");
    };
    guest_thread("alone").spawn(call).unwrap().join().unwrap();
}
