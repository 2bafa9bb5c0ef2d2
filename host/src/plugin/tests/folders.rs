//! Files that come, change and go.

use std::os::unix::fs::symlink;

use super::*;

struct Watched {
    plugins: Plugins,
    folder: Folder,
    host: Host,
    registry: Registry,
}

impl Watched {
    fn new() -> Self {
        let plugins = Plugins::new();
        let folder = Folder::new(plugins.path());
        Self { plugins, folder, host: host(), registry: Registry::default() }
    }

    /// What became of the files, by stem.
    fn rescan(&mut self) -> Vec<(String, Reloaded)> {
        self.folder.rescan(&self.host, &self.registry, &|_| Ok(())).unwrap()
    }

    /// What became of the only file.
    fn only(&mut self) -> Reloaded {
        let mut results = self.rescan();
        assert_eq!(results.len(), 1, "{results:?}");
        results.remove(0).1
    }

    fn version(&self, plugin: &str) -> Option<String> {
        let plugin = self.registry.get(&name(plugin))?;
        plugin.handler().map(|info| info.version.clone())
    }
}

/// A handler by hand of this version, one character.
fn version(version: &str) -> Vec<u8> {
    let wat = handler_by_hand("", "(i32.const 8)").replace("h1*", &format!("h{version}*"));
    module_for("handler-plugin", &wat)
}

#[test]
fn a_plugin_comes_changes_and_goes() {
    let mut watched = Watched::new();
    assert!(watched.rescan().is_empty());

    watched.plugins.put("chat.wasm", &version("1"));
    assert!(matches!(watched.only(), Reloaded::Loaded(_)));

    // At once, and of the same size.
    watched.plugins.put("chat.wasm", &version("2"));
    let kept = watched.registry.get(&name("chat")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Loaded(_)));
    assert_eq!(watched.version("chat").as_deref(), Some("2"));
    assert_eq!(kept.handler().unwrap().version, "1", "whoever holds the old one keeps it");
    assert!(matches!(watched.only(), Reloaded::Unchanged));
    assert!(matches!(watched.only(), Reloaded::Unchanged));

    fs::remove_file(watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Removed));
    assert!(watched.registry.list().is_empty());
    assert!(watched.rescan().is_empty());
}

#[test]
fn a_bad_file_changes_nothing_and_is_tried_once() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();

    let half = &guest()[..10_000];
    watched.plugins.put("chat.wasm", half);
    assert!(matches!(watched.only(), Reloaded::Kept(LoadError::Invalid { .. })));
    assert_eq!(watched.version("chat").as_deref(), Some("1"));

    // The same content in another file.
    watched.plugins.put("chat.part", half);
    let (from, to) = ("chat.part", "chat.wasm");
    fs::rename(watched.plugins.path().join(from), watched.plugins.path().join(to)).unwrap();
    assert!(matches!(watched.only(), Reloaded::Unchanged));

    watched.plugins.put("chat.wasm", &version("2"));
    assert!(matches!(watched.only(), Reloaded::Loaded(_)));
    assert_eq!(watched.version("chat").as_deref(), Some("2"));
}

#[test]
fn what_is_no_plugin_file_is_not_looked_at() {
    let mut watched = Watched::new();
    for file in [".chat.wasm", "chat.wasm.tmp", "chat.wat", "README"] {
        watched.plugins.put(file, &version("1"));
    }
    assert!(watched.rescan().is_empty());
}

#[test]
fn a_file_that_cannot_name_a_plugin_is_said_so() {
    let mut watched = Watched::new();
    watched.plugins.put("My Plugin.wasm", &version("1"));
    assert!(matches!(watched.only(), Reloaded::Kept(LoadError::Name(_))));
}

#[test]
fn a_link_may_not_lead_out() {
    let mut watched = Watched::new();
    let elsewhere = Plugins::new();
    elsewhere.put("chat.wasm", &version("1"));
    symlink(elsewhere.path().join("chat.wasm"), watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Kept(LoadError::Outside)));
    assert!(matches!(watched.only(), Reloaded::Unchanged), "it is said once");

    fs::remove_file(watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Removed));
    watched.plugins.put("chat-1.plugin", &version("1"));
    symlink("chat-1.plugin", watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(watched.rescan().iter().any(|(_, reloaded)| matches!(reloaded, Reloaded::Loaded(_))));
}

#[test]
fn what_is_to_be_looked_at_again_and_is_gone_takes_its_plugin_along() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();
    watched.plugins.put("chat.wasm", b"not a plugin");
    assert!(matches!(watched.only(), Reloaded::Kept(_)));

    watched.folder.forget_refused();
    fs::remove_file(watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Removed));
    assert!(watched.registry.list().is_empty());
}

#[test]
fn a_directory_that_cannot_be_read_changes_nothing() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();
    let away = Plugins::new();
    fs::rename(watched.plugins.path(), away.path().join("gone")).unwrap();
    assert!(watched.folder.rescan(&watched.host, &watched.registry, &|_| Ok(())).is_err());
    assert!(watched.version("chat").is_some());
}
