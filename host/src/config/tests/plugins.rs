//! What a configuration says of plugins: where they are, and what single ones may use.

use std::num::NonZeroU32;

use super::*;
use crate::canary::Canary;
use crate::plugin::PluginRules;

/// The example with these tables in the place of the path.
fn with(tables: &str) -> String {
    WHOLE.replace("plugins = \"plugins\"\n", "") + tables
}

/// The same with this table of a plugin.
fn with_rules(rules: &str) -> String {
    with(&format!("[plugins]\nfolder = \"plugins\"\n[plugins.slow]\n{rules}\n"))
}

/// Guards I9 too: a file that an older Hookgate has read is read as before.
#[test]
fn the_folder_of_plugins_is_a_path_or_a_table_and_says_what_is_wrong_at_its_place() {
    let path = parse(WHOLE).unwrap();
    let table = parse(&with("[plugins]\nfolder = \"elsewhere\"\n")).unwrap();
    assert_eq!(path.plugins, Path::new("/etc/hookgate/plugins"));
    assert_eq!(table.plugins, Path::new("/etc/hookgate/elsewhere"));
    assert!(path.plugin_rules.is_empty() && table.plugin_rules.is_empty());

    let path = "plugins = \"plugins\"";
    check_refused(path, "plugins = 5", "5:11: `plugins` must be a path, not a whole number");
    check_refused(path, "plugins = {}", ":5:11: [plugins] has no `folder`");
    check_wrong(&with("[plugins]\nfolder = 5\n"), "24:10: `folder` must be a path, not a whole");
    let of_that_name = "[plugins]\n[plugins.folder]\nmemory = \"8MiB\"\n";
    check_wrong(&with(of_that_name), "`folder` must be a path: it is a key of [plugins] itself");
}

#[test]
fn a_plugin_may_have_bounds_of_its_own() {
    let rules = |text: &str| parse(&with_rules(text)).unwrap().plugin_rules["slow"].clone();
    assert_eq!(rules(""), PluginRules::default());
    let all = rules(
        "memory = \"64MiB\"\n\
         deadlines = { claims = \"50ms\", parse = \"3s\", handle = \"2s\" }\n\
         log_lines = 0\n\
         effects = 128\n\
         state_bytes = 4096\n\
         concurrency = 4\n\
         reuse = 100\n\
         canary = { share = \"5%\" }\n\
         retry_dead = true\n",
    );
    let expected = PluginRules {
        memory: Some(64 << 20),
        claims: Some(Duration::from_millis(50)),
        parse: Some(Duration::from_secs(3)),
        handle: Some(Duration::from_secs(2)),
        log_lines: Some(0),
        effects: Some(128),
        state_bytes: Some(4096),
        concurrency: Some(4),
        reuse: NonZeroU32::new(100),
        canary: Some(Canary::Share("5%".parse().unwrap())),
        retry_dead: true,
    };
    assert_eq!(all, expected);
    let by_label = rules("canary = { label = \"account\", value = \"acct_1\" }");
    let (name, value) = ("account".to_owned(), "acct_1".to_owned());
    assert_eq!(by_label.canary, Some(Canary::Label { name, value }));
}

#[test]
fn what_is_wrong_with_the_bounds_of_a_plugin_is_said_where_it_stands() {
    for (rules, expected) in [
        ("memory = \"64MB\"", "26:10: `memory` must be a size such as \"64MiB\""),
        ("memory = 64", "`memory` must be a size such as \"64MiB\", not a whole number"),
        ("memory = \"512KiB\"", "`memory` must be between 1MiB and 1GiB"),
        ("memory = \"99999999999999999999GiB\"", "`memory` must be a size such as \"64MiB\""),
        ("deadlines = \"1s\"", "`deadlines` must be a table, not text"),
        (
            "deadlines = { claim = \"1s\" }",
            "unknown key `claim`: the keys of `deadlines` are claims, parse, handle",
        ),
        ("deadlines = { handle = \"2m\" }", "`handle` must be between 1ms and 1m"),
        ("log_lines = 1001", "`log_lines` must be between 0 and 1000"),
        ("effects = 1025", "`effects` must be between 0 and 1024"),
        ("state_bytes = 1", "`state_bytes` must be between 1024 and"),
        ("concurrency = 0", "`concurrency` must be between 1 and 4096"),
        ("reuse = 1", "`reuse` must be between 2 and 100000"),
        ("canary = { share = \"60%\" }", "`share` must be a percentage such as \"5%\""),
        ("canary = { share = 5 }", "`share` must be a percentage"),
        ("canary = {}", "`canary` must have either `share`, or `label` and `value`"),
        ("canary = { label = \"account\" }", "`canary` must have either `share`"),
        ("retry_dead = \"yes\"", "`retry_dead` must be true or false, not text"),
        ("colour = 1", "unknown key `colour`: the keys of [plugins.slow] are memory, deadlines,"),
    ] {
        check_wrong(&with_rules(rules), expected);
    }
    let no_name = "[plugins]\nfolder = \"plugins\"\n[plugins.\"My Plugin\"]\n";
    check_wrong(&with(no_name), "is not a name");
}

#[test]
fn a_handler_s_bytes_of_state_are_said_by_its_plugin_or_by_itself_and_not_by_both() {
    let table = with("[plugins]\nfolder = \"plugins\"\n[plugins.dunning]\nstate_bytes = 4096\n");
    let config = parse(&table).unwrap();
    assert_eq!(config.handlers["dunning"].quota, Quota { bytes: 4096, ..Quota::default() });

    let handler = "[handlers.dunning]\n";
    let both = table.replace(handler, &format!("{handler}state_bytes = 8192\n"));
    check_wrong(&both, "`state_bytes` must not stand beside `state_bytes` of [plugins]");
}

#[test]
fn a_plugin_with_too_little_memory_for_a_body_is_worth_a_look() {
    let little = parse(&with_rules("memory = \"6MiB\"")).unwrap().warnings;
    let expected = "`memory` is less than the 7340032 bytes that a provider needs for a body";
    assert!(little.len() == 1 && little[0].contains(expected), "{little:?}");
    assert_eq!(parse(&with_rules("memory = \"7MiB\"")).unwrap().warnings, Vec::<String>::new());
}

/// A rule may come before its plugin: it is never an error, and a reload says nothing.
#[test]
fn rules_of_a_plugin_that_is_not_there_are_worth_a_look_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let (file, plugins) = (folder.path().join("hookgate.toml"), folder.path().join("plugins"));
    std::fs::create_dir(&plugins).unwrap();
    std::fs::write(&file, with_rules("log_lines = 5")).unwrap();

    let warned = Config::load_to_start(&file).unwrap().warnings;
    let again = Config::load(&file).unwrap().warnings;
    std::fs::write(plugins.join("slow.wasm"), "").unwrap();
    let there = Config::load_to_start(&file).unwrap().warnings;

    let expected = "[plugins.slow] is about a plugin that the plugins folder does not have";
    assert!(warned.len() == 1 && warned[0].contains(expected), "{warned:?}");
    assert_eq!((again, there), (Vec::new(), Vec::new()));
    assert_eq!(Config::plugins_folder(&file).unwrap(), plugins);
    let sending = Config::sending(&file, &"stripe".parse().unwrap()).unwrap();
    assert_eq!(sending.plugins, plugins);
}
