//! What holds for every command, by a walk through all of them as clap knows them.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use super::{Cli, completions};

/// The commands without `--json`, and why they need none.
const PRINT_NO_JSON: [(&str, &str); 12] = [
    ("serve", "it prints nothing; --log json is for its log"),
    ("demo", "a show for people"),
    ("openapi", "it prints a JSON document"),
    ("config schema", "it prints a JSON document"),
    ("completions", "what it prints is for a shell"),
    ("man", "what it prints is for `man`"),
    ("compile-plugin", "the gateway starts it, and it prints nothing"),
    ("mcp", "the protocol on its output is JSON"),
    ("endpoint export", "it prints the TOML that `endpoint import` reads; `endpoint list --json`"),
    ("store export", "each line that it prints is a JSON document"),
    ("dead export", "each line that it prints is a JSON document"),
    ("audit export", "each line that it prints is a JSON document"),
];

/// Every command that does something, with its name as a person types it.
fn leaves(of: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    for command in of.get_subcommands().filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name()).trim_start().to_owned();
        if command.has_subcommands() {
            leaves(command, &name, found);
        } else {
            found.push((name, command.clone()));
        }
    }
}

fn all() -> Vec<(String, Command)> {
    let mut found = Vec::new();
    leaves(&Cli::command(), "", &mut found);
    assert!(found.len() > 40, "the walk finds the commands");
    found
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_and_option_says_what_it_is_for() {
    for (name, command) in all() {
        assert!(command.get_about().is_some(), "`{name}` has no help");
        for argument in command.get_arguments().filter(|_| !command.is_hide_set()) {
            let said = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!said.is_empty(), "`{name}` does not say what {} is", argument.get_id());
        }
    }
}

#[test]
fn every_command_has_json_or_a_reason_why_not() {
    let without: BTreeSet<&str> = PRINT_NO_JSON.iter().map(|(name, _)| *name).collect();
    let (mut known, mut missing) = (BTreeSet::new(), Vec::new());
    for (name, command) in all() {
        known.insert(name.clone());
        let has_json = command.get_arguments().any(|argument| argument.get_long() == Some("json"));
        if has_json == without.contains(name.as_str()) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "neither --json nor a reason, or both: {missing:?}");
    let gone: Vec<_> = without.iter().filter(|name| !known.contains(**name)).collect();
    assert!(gone.is_empty(), "no such commands: {gone:?}");
}

#[test]
fn every_command_has_a_page_of_the_manual_and_completions() {
    let folder = tempfile::tempdir().unwrap();
    clap_mangen::generate_to(Cli::command(), folder.path()).unwrap();
    let shells = completions::of_all(&Cli::command());
    assert!(shells.len() >= 3, "bash, zsh and fish at least");
    for (name, command) in all().into_iter().filter(|(_, command)| !command.is_hide_set()) {
        let page = folder.path().join(format!("hookgate-{}.1", name.replace(' ', "-")));
        assert!(page.is_file(), "`{name}` has no page {}", page.display());
        let last = command.get_name();
        for shell in &shells {
            assert!(shell.contains(last), "a shell completes no `{name}`");
        }
    }
}
