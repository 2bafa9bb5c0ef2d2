//! `hookgate man`: the manual, a page for each command.
//!
//! Made from the same definitions as the help. Never looks at what the machine has already.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man;

#[derive(Debug, Args)]
pub(super) struct Manual {
    /// Write a page for each command into this folder, which is made if it is not there; without
    /// it, the page of `hookgate` itself goes to standard output
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Prints or writes the manual of a command.
pub(super) fn print(args: &Manual, command: Command) -> anyhow::Result<()> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).context("failed to make the page")?;
        return say!("{}", String::from_utf8_lossy(&page).trim_end());
    };
    let failed = || format!("failed to write the manual to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(failed)?;
    clap_mangen::generate_to(command, folder).with_context(failed)
}
