//! What the guest can do in any of its functions.
//!
//! Each goes on until the host ends it. Never gives an answer: that is the function's.

use std::hint::black_box;
use std::sync::atomic::Ordering;

use serde_json::Value;

use crate::behaviour::Behaviour;
use crate::bindings::hookgate::plugin::outbox::{self, Emission, Severity};
use crate::bindings::hookgate::plugin::{log, settings, state};
use crate::{CALLS, text};

/// More than any value may have that a call passes to the host.
const GIANT: usize = 9 << 20;

/// What can be done in any function.
pub(crate) fn misbehave(asked: Behaviour, command: &Value) {
    match asked {
        Behaviour::Spin => loop {
            black_box(());
        },
        Behaviour::Trap => panic!("told to"),
        // As the SDK does it.
        Behaviour::Panic => {
            std::panic::set_hook(Box::new(|panic| {
                log::write(log::Level::Error, &panic.to_string());
            }));
            panic!("told to, in two lines\nof text");
        }
        Behaviour::Recurse => drop(black_box(recurse(black_box([1; 64])))),
        Behaviour::Read => {
            drop(black_box(serde_json::from_str::<Value>(text(command, "text", "0"))))
        }
        Behaviour::Sleep => std::thread::sleep(std::time::Duration::from_secs(3600)),
        Behaviour::Hoard => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        Behaviour::Log => write_lines(command),
        Behaviour::Calls => call_for_ever(text(command, "call", "log")),
        Behaviour::Count => {
            log::write(log::Level::Info, &CALLS.load(Ordering::Relaxed).to_string());
        }
        // Where the function has an answer, or the run its effects.
        Behaviour::Alert
        | Behaviour::Attempt
        | Behaviour::Emit
        | Behaviour::Fail
        | Behaviour::Fetch
        | Behaviour::Nothing
        | Behaviour::Retry
        | Behaviour::Return
        | Behaviour::Send
        | Behaviour::State
        | Behaviour::Violate => (),
    }
}

fn write_lines(command: &Value) {
    let level = match text(command, "level", "info") {
        "debug" => log::Level::Debug,
        "warn" => log::Level::Warn,
        "error" => log::Level::Error,
        _ => log::Level::Info,
    };
    for _ in 0..command["lines"].as_u64().unwrap_or(1) {
        log::write(level, text(command, "text", "told to"));
    }
}

/// Calls one function of the host again and again, each time with something else, and never minds
/// what it says.
fn call_for_ever(function: &str) -> ! {
    let mut number = 0_u64;
    loop {
        let told = number.to_string();
        match function {
            "log" => log::write(log::Level::Info, &told),
            "settings" => drop(black_box(settings::get())),
            "get" => drop(black_box(state::get(&told))),
            "set" => drop(black_box(state::set(&told, told.as_bytes()))),
            "emit" => drop(black_box(outbox::emit(&Emission {
                type_: "guest.emitted".to_owned(),
                subject: None,
                money: None,
                labels: Vec::new(),
                data: told,
                tenant: None,
            }))),
            "send" => drop(black_box(outbox::send(&told, "text/plain", told.as_bytes()))),
            "alert" => drop(black_box(outbox::alert(Severity::Info, &told))),
            other => panic!("the host has no function `{other}`"),
        }
        number += 1;
    }
}

/// A text that no call may pass to the host.
pub(crate) fn giant() -> String {
    "x".repeat(GIANT)
}

/// Goes on until there is no stack left.
fn recurse(frame: [u64; 64]) -> u64 {
    if black_box(false) {
        return 0;
    }
    let more = black_box(frame).map(|it| it + 1);
    recurse(more) + black_box(frame)[7]
}
