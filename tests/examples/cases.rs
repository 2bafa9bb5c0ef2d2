//! Cases, as `hookgate plugin test` holds a handler against them.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Ran, test};
use crate::harness::plugin_file;

/// A payment that fails for the third time, as it begins; the expectation is for the test to add.
const THIRD: &str = "# The count is in the state.\nabout = \"the third failure\"\n\
                     state = { failures = \"2\" }\n\n[event]\ntype = \"payment.failed\"\n\
                     subject = \"pi_1\"\n";

/// What it must expect.
const EXPECTED: &str = "\n[expect]\nstate = { failures = \"3\" }\n\n[[expect.emit]]\n\
                        type = \"customer.payment_failed_notice\"\nsubject = \"pi_1\"\n\
                        data = { event = \"evt_1\", failures = 3 }\n\n[[expect.alert]]\n\
                        severity = \"warning\"\n\
                        message = \"payment pi_1 failed 3 times in a row\"\n";

/// A folder of cases.
struct Cases(TempDir);

impl Cases {
    fn new(files: &[(&str, &str)]) -> Self {
        let cases = Self(tempfile::tempdir().expect("a temporary folder"));
        for (name, text) in files {
            std::fs::write(cases.path(name), text).expect("it can be written");
        }
        cases
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it is there")
    }

    /// `hookgate plugin test dunning.wasm --cases` with this folder.
    async fn test(&self, args: &[&str]) -> Ran {
        self.test_with("dunning", args).await
    }

    async fn test_with(&self, plugin: &str, args: &[&str]) -> Ran {
        let folder = self.0.path().to_str().expect("it is text");
        test(&plugin_file(plugin), ["--cases", folder].iter().chain(args)).await
    }
}

#[tokio::test]
async fn a_case_from_which_something_else_comes_out_shows_the_difference() {
    let other = EXPECTED.replace("failures = 3 }", "failures = 4 }").replace("warning", "info");
    let right = [THIRD, EXPECTED].concat();
    let cases = Cases::new(&[("right.toml", &right), ("wrong.toml", &[THIRD, &other].concat())]);

    let tested = cases.test(&[]).await;

    tested.failed_with("cases that failed: 1");
    let shown = "ok    right: the third failure\n\
                 WRONG wrong: the third failure\n\
                 \x20   emit customer.payment_failed_notice\n\
                 \x20 -   data.failures: 4\n\
                 \x20 - alert info: \"payment pi_1 failed 3 times in a row\"\n\
                 \x20 +   data.failures: 3\n\
                 \x20 + alert warning: \"payment pi_1 failed 3 times in a row\"\n\
                 dunning: 1 passed, 1 failed\n";
    assert_eq!(tested.out, shown);
    assert_eq!(cases.read("wrong.toml"), [THIRD, &other].concat());
}

#[tokio::test]
async fn an_update_writes_what_came_out_and_the_next_test_passes() {
    let right = [THIRD, EXPECTED].concat();
    let cases = Cases::new(&[("new.toml", THIRD), ("right.toml", &right), ("notes.md", "")]);

    let updated = cases.test(&["--update"]).await;
    let tested = cases.test(&["--update"]).await;

    let wrote = "wrote new: the third failure\n\
                 ok    right: the third failure\n\
                 dunning: 1 passed, 0 failed, 1 rewritten\n";
    assert_eq!(updated.succeeded(), wrote);
    assert_eq!(cases.read("new.toml"), right);
    assert!(tested.succeeded().ends_with("dunning: 2 passed, 0 failed\n"), "{}", tested.out);
}

#[tokio::test]
async fn a_file_that_is_no_case_fails_by_itself_and_is_named_with_its_place() {
    let cases = Cases::new(&[
        ("a.toml", &THIRD.replace("subject", "subjekt")),
        ("b.toml", &[THIRD, EXPECTED].concat()),
        ("c.toml", "[event]\ntype = \"refund.succeeded\"\n"),
        ("d.toml", &format!("settings = {{ alert_after = 0 }}\n{THIRD}")),
    ]);

    let tested = cases.test(&["--update"]).await;

    tested.failed_with("cases that failed: 3");
    let lines: Vec<&str> = tested.out.lines().collect();
    let path = cases.path("a.toml");
    let place = format!("WRONG a: {}:7:1: unknown field `subjekt`, expected ", path.display());
    assert!(lines[0].starts_with(&place), "{}", tested.out);
    assert_eq!(lines[1], "ok    b: the third failure");
    let other = "WRONG c: the gateway never runs the handler on an event of type refund.succeeded";
    assert_eq!(lines[2], other);
    assert!(lines[3].starts_with("WRONG d: the handler refuses the settings: "), "{}", lines[3]);
    assert_eq!(lines[4], "dunning: 1 passed, 3 failed");
    assert!(!cases.read("c.toml").contains("expect"), "only what ran is written");
}

/// Without `set_rules` in the command, each of these is cut off at 32 MiB.
#[tokio::test]
async fn a_plugin_is_tested_within_the_memory_that_it_will_have() {
    let hoards = "[event]\ntype = \"guest.asked\"\ndata = { do = \"hoard\" }\n";
    let cases = Cases::new(&[("a.toml", hoards)]);

    for (memory, bytes) in [("8MiB", 8 << 20), ("48MiB", 48 << 20)] {
        let tested = cases.test_with("guest", &["--memory", memory]).await;
        tested.failed_with("cases that failed: 1");
        let words = format!("WRONG a: the plugin needed more than its limit of {bytes} bytes of");
        assert!(tested.out.starts_with(&words), "{}", tested.out);
    }
    let wrong = cases.test_with("guest", &["--memory", "8MB"]).await;
    assert_eq!(wrong.code, Some(2), "{}", wrong.out);
    let words = "must be a size such as \"64MiB\", with KiB, MiB or GiB";
    assert!(wrong.err.contains(words), "{}", wrong.err);
}

#[tokio::test]
async fn a_test_of_nothing_is_an_error() {
    let none = Cases::new(&[("notes.md", "")]);
    let case = Cases::new(&[("a.toml", THIRD)]);

    none.test(&[]).await.failed_with("has no case: no file *.toml");
    case.test_with("stripe", &[]).await.failed_with("plugin stripe is not a handler");
    let nothing = test(&plugin_file("dunning"), [] as [&str; 0]).await;

    assert_eq!(nothing.code, Some(2), "{}", nothing.err);
}
