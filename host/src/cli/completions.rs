//! `hookgate completions`: what a shell reads to complete commands and options.
//!
//! Made from the same definitions as the help. Never writes a file.

use clap::{Args, Command};
use clap_complete::{Shell, generate};

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

/// Prints the completions of a command for a shell.
pub(super) fn print(args: &Completions, command: Command) -> anyhow::Result<()> {
    say!("{}", text(args.shell, command).trim_end())
}

fn text(shell: Shell, mut command: Command) -> String {
    let name = command.get_name().to_owned();
    let mut written = Vec::new();
    generate(shell, &mut command, name, &mut written);
    String::from_utf8_lossy(&written).into_owned()
}

/// The completions of a command for every shell that there is, for the test of all commands.
#[cfg(test)]
pub(super) fn of_all(command: &Command) -> Vec<String> {
    use clap::ValueEnum;

    Shell::value_variants().iter().map(|shell| text(*shell, command.clone())).collect()
}
