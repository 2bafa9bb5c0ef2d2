//! Compilers that fail, and what they leave in the cache.

use std::fs;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;
use crate::plugin::engine;
use crate::subprocess;

/// A handler without functions: the compiler takes it.
fn wasm() -> Vec<u8> {
    let export = "hookgate:plugin/handler@";
    let version = crate::plugin::contract::bindings::VERSION;
    wat::parse_str(format!(
        r#"(component (instance $none) (export "{export}{version}" (instance $none)))"#
    ))
    .unwrap()
}

fn entries(folder: &Path, end: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == end)).collect()
}

#[test]
fn what_was_compiled_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine::on_demand().unwrap();
    let cache = || Some(folder.path().to_owned());
    let compile = Compile::new(Compiler::InProcess, cache()).unwrap();
    assert!(!compile.knows(&engine, &wasm()));
    compile.file(&engine, &wasm()).unwrap();

    let none = Compiler::Child(PathBuf::from("/nowhere"));
    let compile = Compile::new(none, cache()).unwrap();
    assert!(compile.knows(&engine, &wasm()));
    compile.file(&engine, &wasm()).unwrap();
    assert_eq!(entries(folder.path(), "cwasm").len(), 1);
}

#[test]
fn code_that_is_no_good_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine::on_demand().unwrap();
    let compile = Compile::new(Compiler::InProcess, Some(folder.path().to_owned())).unwrap();
    let code = Cache::open(folder.path().to_owned(), None).unwrap().code(&engine, &wasm());
    fs::write(&code, b"not code").unwrap();
    compile.file(&engine, &wasm()).unwrap();
    let whole = fs::read(&code).unwrap();
    // Every bit counts, and so does the name.
    for at in (0..whole.len()).step_by(whole.len() / 16) {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        fs::write(&code, &broken).unwrap();
        assert!(!Cache::is_whole(&code));
        compile.file(&engine, &wasm()).unwrap();
        assert_eq!(fs::read(&code).unwrap(), whole);
    }
    let other = code.with_file_name("other.cwasm");
    fs::copy(&code, &other).unwrap();
    fs::copy(code.with_extension("sha256"), other.with_extension("sha256")).unwrap();
    assert!(Cache::is_whole(&code) && !Cache::is_whole(&other));
}

#[test]
fn what_is_no_file_where_code_is_kept_is_replaced_or_left_and_the_plugin_loads() {
    let engine = engine::on_demand().unwrap();
    for (end, is_folder) in [("cwasm", false), ("cwasm", true), ("sha256", false), ("sha256", true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let cache = || folder.path().to_owned();
        let compile = Compile::new(Compiler::InProcess, Some(cache())).unwrap();
        let place = Cache::open(cache(), None).unwrap().code(&engine, &wasm()).with_extension(end);
        compile.file(&engine, &wasm()).unwrap();
        fs::remove_file(&place).unwrap();
        if is_folder {
            fs::create_dir(&place).unwrap();
        } else {
            mknodat(CWD, &place, FileType::Fifo, Mode::RWXU, 0).unwrap();
        }

        assert!(!compile.knows(&engine, &wasm()), "{end}");
        compile.file(&engine, &wasm()).unwrap();
        assert_eq!(compile.knows(&engine, &wasm()), !is_folder, "{end}");
        assert_eq!(place.is_dir(), is_folder, "{end}");
    }
}

#[test]
fn a_child_that_fails_at_something_else_is_heard_and_the_file_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let compiler = Compiler::Child(PathBuf::from("/bin/false"));
    let compile = Compile::new(compiler, Some(folder.path().to_owned())).unwrap();
    let engine = engine::on_demand().unwrap();
    for _ in 0..2 {
        let error = compile.file(&engine, &wasm()).unwrap_err();
        assert!(matches!(error, LoadError::Compile(CompileError::Child { .. })), "{error}");
        assert!(!compile.knows(&engine, &wasm()));
    }
}

#[test]
fn a_file_that_kills_the_child_is_not_tried_again() {
    check_broken("kill -ABRT $$", "SIGABRT");
}

#[test]
fn a_file_that_makes_the_compiler_panic_is_not_tried_again() {
    // As the child ends then.
    check_broken("exit 4", "");
}

#[test]
fn a_child_that_is_ended_from_outside_says_nothing_of_its_file() {
    for signal in ["KILL", "TERM", "XCPU"] {
        let folder = tempfile::tempdir().unwrap();
        let program = crashing(folder.path(), &format!("kill -{signal} $$"));
        let cache = folder.path().join("cache");
        let compile = Compile::new(Compiler::Child(program), Some(cache)).unwrap();
        let engine = engine::on_demand().unwrap();
        for _ in 0..2 {
            let error = compile.file(&engine, &wasm()).unwrap_err();
            assert!(matches!(error, LoadError::Compile(_)), "{signal}: {error}");
            assert!(!compile.knows(&engine, &wasm()), "{signal}: the file is tried again");
        }
    }
}

#[test]
fn a_crash_of_which_no_note_can_be_kept_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let compiler = Compiler::Child(crashing(folder.path(), "exit 4"));
    let cache = folder.path().join("cache");
    let compile = Compile::new(compiler, Some(cache.clone())).unwrap();
    let engine = engine::on_demand().unwrap();
    compile.file(&engine, &wasm()).unwrap_err();
    // In the place of the note is a folder, which no file replaces.
    let note = entries(&cache, "broke").pop().expect("there is a note");
    fs::remove_file(&note).unwrap();
    fs::create_dir(&note).unwrap();

    for _ in 0..2 {
        let error = compile.file(&engine, &wasm()).unwrap_err();
        assert!(matches!(error, LoadError::Broke { .. }), "{error}");
        assert!(!compile.knows(&engine, &wasm()));
    }
}

/// What a child says before it crashes.
const SAID: &str = "thread 'x' has overflowed its stack";

/// In place of a compiler a program that ends like this, and writes down that it ran.
fn crashing(folder: &Path, end: &str) -> PathBuf {
    let program = folder.join("compiler");
    let script =
        format!("#!/bin/sh\necho >> '{}.ran'\necho \"{SAID}\" >&2\n{end}\n", program.display());
    // Another process writes it: a child that another test starts in the meantime would hold a file
    // that this one still has open, and a file that somebody may write can't be run.
    let mut writing = Command::new("/bin/sh");
    writing.args(["-c", "cat > \"$0\" && chmod 700 \"$0\""]).arg(&program);
    let written = subprocess::run(&mut writing, script.as_bytes(), Duration::from_secs(20));
    assert!(written.unwrap().status.success());
    program
}

/// A child that ends like this is made once, and said to have ended `how`.
#[track_caller]
fn check_broken(end: &str, how: &str) {
    let folder = tempfile::tempdir().unwrap();
    let program = crashing(folder.path(), end);
    let engine = engine::on_demand().unwrap();
    for _start in 0..2 {
        let compiler = Compiler::Child(program.clone());
        let cache = folder.path().join("cache");
        let compile = Compile::new(compiler, Some(cache)).unwrap();
        for _ in 0..2 {
            let error = compile.file(&engine, &wasm()).unwrap_err().to_string();
            assert!(error.contains(SAID) && error.contains(how), "{error}");
        }
    }
    let ran = fs::read_to_string(folder.path().join("compiler.ran")).unwrap();
    assert_eq!(ran.lines().count(), 1);
}
