//! How a page of the dashboard looks: in both schemes, wide and narrow.
//!
//! Keeps a picture of each in `target/browser/shots` for a person, and has axe-core look for what
//! keeps somebody from using it. Never clicks a button.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::driver::{Browser, View};
use crate::harness::target;

pub(super) const WIDE: View = View { width: 1280, scheme: "light" };

const VIEWS: [View; 4] = [
    WIDE,
    View { width: 1280, scheme: "dark" },
    View { width: 400, scheme: "light" },
    View { width: 400, scheme: "dark" },
];

/// Has axe-core look at the page, and gives what is serious of what it finds.
const CHECK: &str = r#"
const done = arguments[arguments.length - 1];
const grave = (it) => it.impact === "serious" || it.impact === "critical";
const shown = (it) => it.nodes.slice(0, 3).map((node) => node.html).join(" ");
const said = (it) => `${it.id}: ${it.help}: ${shown(it)}`;
axe.run(document, { resultTypes: ["violations"] }).then(
  (found) => done(found.violations.filter(grave).map(said)),
  (error) => done([`axe: ${error}`]),
);"#;

/// What checks pages; nothing where it or the browser is missing, which no CI passes over.
pub(super) fn checker() -> Option<String> {
    let axe = target().join("browser/node/node_modules/axe-core/axe.min.js");
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&folders);
    let has_browser = folders.any(|folder| folder.join("chromedriver").exists());
    let checker = std::fs::read_to_string(axe).ok().filter(|_| has_browser);
    if checker.is_none() {
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "the browser is missing: `tests/browser/setup` installs it");
        eprintln!("browser: NOT TESTED: nobody has looked at the dashboard in a browser");
    }
    checker
}

/// Looks at a page in each view, and gives what is wrong with it.
pub(super) async fn look(
    (browser, axe): (&Browser, &str),
    (name, url): (&str, &str),
) -> Vec<String> {
    let mut wrong = Vec::new();
    browser.open(url).await;
    browser.run(axe, json!([])).await;
    for view in VIEWS {
        browser.show_in(view).await;
        let place = format!("{name} at {} pixels, {}", view.width, view.scheme);
        let found = browser.wait_for(CHECK, json!([])).await;
        let found = found.as_array().into_iter().flatten().filter_map(Value::as_str);
        wrong.extend(found.map(|found| format!("{place}: {found}")));
        let is_wider = "return document.documentElement.scrollWidth > window.innerWidth";
        if browser.run(is_wider, json!([])).await == true {
            wrong.push(format!("{place}: the page is wider than its window"));
        }
        keep(view, name, &browser.picture().await);
    }
    wrong.extend(browser.errors().await.into_iter().map(|error| format!("{name}: {error}")));
    browser.show_in(WIDE).await;
    wrong
}

/// Keeps a picture where a person can look at it.
fn keep(View { width, scheme }: View, name: &str, picture: &[u8]) {
    let folder = shots().join(format!("{scheme}-{width}"));
    std::fs::create_dir_all(&folder).expect("it can be made");
    std::fs::write(folder.join(format!("{name}.png")), picture).expect("it can be written");
}

/// Where the pictures are; those of an earlier run go.
pub(super) fn shots() -> PathBuf {
    target().join("browser/shots")
}
