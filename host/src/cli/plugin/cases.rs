//! `hookgate plugin test --cases`: runs of a handler, each with what must come out of it.
//!
//! They go through the real sandbox, at the time and on the state that the case names. A line each,
//! and below one that fails what differs; any that fails is an error. Never changes a file unless
//! the author asks for it.

mod document;
mod file;
mod produced;
mod run;
mod shown;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::{Map, Value};

use self::file::{Case, CaseFile};
use self::produced::Produced;
use crate::cli::vectors::Printed;
use crate::plugin::{Host, Plugin};

/// The ending of a case's file.
const ENDING: &str = "toml";

/// What becomes of a case from which something else comes out than it expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// It fails.
    Fail,
    /// It is rewritten, and expects that from now on.
    Rewrite,
}

/// What became of a case.
enum Judged {
    Passed,
    Rewritten,
    Failed(Vec<String>),
}

/// Runs every case in a folder, those without settings with these, and gives the number of those
/// that passed or were rewritten.
pub(super) async fn run(
    host: &Host,
    plugin: &Arc<Plugin>,
    folder: &Path,
    settings: &Map<String, Value>,
    otherwise: Otherwise,
    printed: Printed,
) -> anyhow::Result<usize> {
    if plugin.handler().is_none() {
        bail!("plugin {} is not a handler", plugin.name());
    }
    let settings: Arc<str> = Value::Object(settings.clone()).to_string().into();
    let (mut passed, mut rewritten, mut failed) = (0_usize, 0_usize, 0_usize);
    for path in files(folder)? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match judge(host, plugin, &settings, &path, otherwise).await {
            Ok((about, Judged::Passed)) => {
                passed += 1;
                printed.tell("ok", &name, &about, &[])?;
            }
            Ok((about, Judged::Rewritten)) => {
                rewritten += 1;
                printed.tell("wrote", &name, &about, &[])?;
            }
            Ok((about, Judged::Failed(difference))) => {
                failed += 1;
                printed.tell("WRONG", &name, &about, &difference)?;
            }
            Err(reason) => {
                failed += 1;
                printed.tell("WRONG", &name, &format!(": {reason}"), &[])?;
            }
        }
    }
    if printed.has_sum(failed) {
        let rewritten = Some(rewritten).filter(|number| *number > 0);
        let rewritten = rewritten.map(|number| format!(", {number} rewritten")).unwrap_or_default();
        say!("{}: {passed} passed, {failed} failed{rewritten}", plugin.name())?;
    }
    if failed > 0 {
        bail!("cases that failed: {failed}");
    }
    Ok(passed + rewritten)
}

/// The cases in a folder, by their names.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("failed to read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in folder.read_dir().with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let is_hidden =
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|ending| ending == ENDING) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("the folder {} has no case: no file *.{ENDING}", folder.display());
    }
    files.sort();
    Ok(files)
}

/// Runs a case, and gives what it is about with what became of it; an error is why it can't be
/// told.
async fn judge(
    host: &Host,
    plugin: &Arc<Plugin>,
    settings: &Arc<str>,
    path: &Path,
    otherwise: Otherwise,
) -> Result<(String, Judged), String> {
    let file = CaseFile::read(path).map_err(|error| error.to_string())?;
    let about = match file.case.about.as_str() {
        "" => String::new(),
        about => format!(": {about}"),
    };
    let done = run::run(host, plugin, settings, &file.case).await?;
    let got = |case: &Case| Produced::of(&done, &case.expect, &case.state, case.tenant.as_ref());
    let both = |case: &Case| {
        (shown::lines(&case.expect, &case.state), shown::lines(&got(case), &case.state))
    };
    let (expected, seen) = both(&file.case);
    if expected == seen {
        return Ok((about, Judged::Passed));
    }
    if otherwise == Otherwise::Fail {
        return Ok((about, Judged::Failed(shown::difference(&expected, &seen))));
    }
    let rewritten = file.expecting(&got(&file.case)).map_err(|error| error.to_string())?;
    let (expected, seen) = both(&rewritten.case);
    if expected != seen {
        return Err("what came out can't be written as a case".to_owned());
    }
    rewritten.write().map_err(|error| error.to_string())?;
    Ok((about, Judged::Rewritten))
}
