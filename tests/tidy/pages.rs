//! The pages of the dashboard: nothing in a template that its content policy would block, or that
//! would let what came from outside be markup.
//!
//! Looks at the templates as they are written; what a browser makes of them others test.

use super::{repository, sources};

/// What no template has, and why.
const BLOCKED: [(&str, &str); 7] = [
    ("style=", "a style stands in host/dashboard/app.css"),
    ("<style", "a style stands in host/dashboard/app.css"),
    (" onclick", "what happens on a click stands in host/dashboard/app.js"),
    ("javascript:", "a link leads to a page"),
    ("|safe", "only a type of the gateway's own is markup"),
    ("| safe", "only a type of the gateway's own is markup"),
    ("|escape", "everything is escaped once"),
];

fn templates() -> Vec<(String, String)> {
    let folder = std::fs::read_dir(repository().join("host/templates")).unwrap();
    // Beside the pages lie the templates of plugins, in folders.
    let paths = folder.map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let found: Vec<_> = paths.map(read).collect();
    assert!(found.len() > 5, "there are templates");
    found
}

#[test]
fn no_template_has_what_its_content_policy_blocks() {
    for (name, text) in templates() {
        for (blocked, why) in BLOCKED {
            assert!(!text.contains(blocked), "{name} has `{blocked}`: {why}");
        }
        let scripts = text.matches("<script").count();
        assert_eq!(scripts, text.matches("<script src=").count(), "{name} has a script inside");
    }
}

/// A form without it is refused; one that signs in has no session yet.
#[test]
fn each_form_that_changes_something_has_what_goes_with_its_session() {
    for (name, text) in templates() {
        for form in text.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            let changes = form.contains("method=\"post\"") && !form.contains("action=\"/sign-in\"");
            let has_it = form.contains("name=\"form\" value=\"{{ frame.form }}\"");
            assert!(!changes || has_it, "{name} has a form that is refused:\n{form}");
        }
    }
}

/// Markup is made in few places, so that somebody can read all of them.
#[test]
fn only_a_few_files_make_markup() {
    let makers = ["markup", "chart", "highlight", "tests"];
    for (path, text) in sources(&["host/src/dashboard"]) {
        let makes = super::code(&text).contains("Safe(");
        let may = makers.iter().any(|maker| path.ends_with(&format!("dashboard/{maker}.rs")));
        assert!(!makes || may, "{path} makes markup: leave it to {makers:?} and the templates");
    }
}
