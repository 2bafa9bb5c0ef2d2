//! Files that come, change and go.

use std::os::unix::fs::symlink;
use std::time::Instant;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::route::Pattern;

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
        let changes = self.folder.rescan(&self.host).unwrap();
        for (stem, change) in &changes {
            match change {
                Reloaded::Loaded(plugin) => self.registry.insert(plugin),
                Reloaded::Removed => self.registry.remove(&name(stem)),
                Reloaded::Unchanged | Reloaded::Kept(_) => (),
            }
        }
        changes
    }

    /// What became of the only file when it was looked at so long from now, or because somebody
    /// asked.
    fn after(&mut self, seconds: u64, failed: bool) -> Reloaded {
        let wish = Wish { failed, ..Wish::default() };
        let now = Instant::now() + Duration::from_secs(seconds);
        let mut look = self.folder.look(&self.host, &wish, now).unwrap();
        assert_eq!((look.files.len(), look.jobs.len()), (1, 0), "{look:?}");
        look.files.remove(0).1
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

    /// The names of all handlers that an event may go to, each with its types.
    fn handlers(&self) -> Vec<String> {
        self.registry.choose_handlers(|name, types| {
            let types: Vec<_> = types.iter().map(ToString::to_string).collect();
            Some(format!("{name} {}", types.join(" ")))
        })
    }
}

/// A handler by hand of this version, one character.
pub(super) fn version(version: &str) -> Vec<u8> {
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
    assert_eq!(watched.handlers(), ["chat *"]);
    assert_eq!(kept.handler().unwrap().version, "1", "whoever holds the old one keeps it");
    assert!(matches!(watched.only(), Reloaded::Unchanged));
    assert!(matches!(watched.only(), Reloaded::Unchanged));

    fs::remove_file(watched.plugins.path().join("chat.wasm")).unwrap();
    assert!(matches!(watched.only(), Reloaded::Removed));
    assert!(watched.registry.list().is_empty() && watched.handlers().is_empty());
    assert!(watched.rescan().is_empty());
}

/// Take `missing` out of `Loaded::of`, and no event waits for a handler that is gone; take its
/// filter out, and one that is there gets each event twice.
#[test]
fn events_go_to_a_handler_that_is_missing_by_what_it_said_last() {
    let mut watched = Watched::new();
    let mut said = Remembered::new();
    for (handler, types) in [("away", "payment.*"), ("chat", "x.y")] {
        let types: Vec<Pattern> = vec![types.parse().unwrap()];
        said.insert(name(handler), types.into());
    }
    watched.registry.remember(said);
    assert_eq!(watched.handlers(), ["away payment.*", "chat x.y"]);

    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();
    assert_eq!(watched.handlers(), ["away payment.*", "chat *"], "it says something else now");
    fs::remove_file(watched.plugins.path().join("chat.wasm")).unwrap();
    watched.rescan();
    assert_eq!(watched.handlers(), ["away payment.*", "chat x.y"]);

    watched.registry.remember(Remembered::new());
    assert_eq!(watched.handlers(), Vec::<String>::new());
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
    let from = "chat.part";
    let to = "chat.wasm";
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
fn what_is_to_be_loaded_again_is_although_it_has_not_changed() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();
    watched.rescan();
    assert!(matches!(watched.only(), Reloaded::Unchanged));

    let wish = Wish { again: ["chat".to_owned()].into(), ..Wish::default() };
    let look = watched.folder.look(&watched.host, &wish, Instant::now()).unwrap();
    assert!(matches!(look.files[..], [(_, Reloaded::Loaded(_))]), "{look:?}");
}

#[test]
fn what_is_no_regular_file_is_refused_by_name_and_once() {
    let mut watched = Watched::new();
    mknodat(CWD, watched.plugins.path().join("pipe.wasm"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let refused = watched.only();
    assert!(
        matches!(refused, Reloaded::Kept(LoadError::NotRegular("a named pipe"))),
        "{refused:?}"
    );
    assert!(matches!(watched.only(), Reloaded::Unchanged));
    fs::remove_file(watched.plugins.path().join("pipe.wasm")).unwrap();
    watched.rescan();

    fs::create_dir(watched.plugins.path().join("folder.wasm")).unwrap();
    let refused = watched.only();
    assert!(matches!(refused, Reloaded::Kept(LoadError::NotRegular("a directory"))), "{refused:?}");
}

#[test]
fn what_fails_and_may_pass_is_tried_again_after_a_pause_or_when_somebody_asks() {
    let mut watched = Watched::new();
    let file = watched.plugins.path().join("spin.wasm");
    // It never says what it is.
    fs::write(
        &file,
        module_for("handler-plugin", &handler_by_hand("", "(loop (br 0)) (unreachable)")),
    )
    .unwrap();
    let failed = |reloaded| matches!(reloaded, Reloaded::Kept(LoadError::Describe { .. }));

    assert!(failed(watched.only()));
    assert!(matches!(watched.after(0, false), Reloaded::Unchanged));
    assert!(failed(watched.after(6, false)));
    assert!(matches!(watched.after(6 + 2, false), Reloaded::Unchanged), "the pause grows");
    assert!(failed(watched.after(6 + 2, true)), "somebody asks");
}

#[test]
fn a_file_that_has_to_be_compiled_is_handed_out_and_an_older_one_is_not_believed() {
    let mut watched = Watched::new();
    let cache = tempfile::tempdir().unwrap();
    let config = Config::new(Compiler::InProcess, Some(cache.path().to_owned()));
    let host = Host::new(config).unwrap();
    let look = |watched: &mut Watched| {
        watched.folder.look(&host, &Wish::default(), Instant::now()).unwrap()
    };
    watched.plugins.put("chat.wasm", &version("1"));
    let mut first = look(&mut watched);
    assert!(look(&mut watched).jobs.is_empty(), "it is being loaded");
    watched.plugins.put("chat.wasm", &version("2"));
    let mut second = look(&mut watched);

    let first = first.jobs.remove(0);
    let second = second.jobs.remove(0);
    let loaded = second.load(&host);
    let became = watched.folder.finish(&second, loaded, Instant::now());
    assert!(matches!(became, Some((_, Reloaded::Loaded(_)))), "{became:?}");
    let loaded = first.load(&host);
    assert!(watched.folder.finish(&first, loaded, Instant::now()).is_none());
}

#[test]
fn a_directory_that_cannot_be_read_changes_nothing() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.rescan();
    let away = Plugins::new();
    fs::rename(watched.plugins.path(), away.path().join("gone")).unwrap();
    assert!(watched.folder.rescan(&watched.host).is_err());
    assert!(watched.version("chat").is_some());
}

/// Take the end of the next version out of `insert`, and between two swaps the old one is back.
#[test]
fn a_next_version_that_takes_the_place_of_the_live_one_ends_in_the_same_swap() {
    let mut watched = Watched::new();
    watched.plugins.put("chat.wasm", &version("1"));
    watched.plugins.put("chat@next.wasm", &version("2"));
    let loaded = watched.folder.rescan(&watched.host).unwrap();
    let [(live, Reloaded::Loaded(old)), (next, Reloaded::Loaded(new))] = &loaded[..] else {
        panic!("{loaded:?}");
    };
    assert_eq!((live.as_str(), next.as_str()), ("chat", "chat@next"));
    assert_eq!(old.name(), new.name(), "both are versions of one handler");
    let registry = &watched.registry;
    registry.insert(old);
    registry.insert_next(new);
    let digests = || {
        let (live, next) = registry.versions(&name("chat")).unwrap();
        (live.digest().to_owned(), next.map(|next| next.digest().to_owned()))
    };
    let (one, two) = (old.digest().to_owned(), new.digest().to_owned());
    assert_eq!(digests(), (one.clone(), Some(two.clone())));
    assert_eq!(registry.list().len(), 1, "only the live version is routed to");
    registry.insert(old);
    assert_eq!(digests(), (one, Some(two.clone())), "the same once more");

    registry.insert(new);
    assert_eq!(digests(), (two, None));
}
