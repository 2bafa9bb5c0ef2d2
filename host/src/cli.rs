//! The `hookgate` command: what can be said to it, and which part answers.
//!
//! Wiring: each subcommand is a file. An error is printed with its chain, as JSON where the command
//! prints JSON, and the exit code says what the command failed of. Never does anything itself.

#[macro_use]
mod output;

mod at;
mod audit;
mod backup;
mod check;
mod completions;
mod config;
mod cursor_file;
mod dead;
mod deed;
mod delivery;
mod demo;
mod endpoint;
mod event;
mod event_type;
mod exit;
mod filter;
mod follower;
mod hours;
mod http;
mod indented;
mod listen;
mod log;
mod man;
mod mcp;
mod pause;
mod plugin;
mod progress;
mod provider;
mod receipt;
mod replay;
mod rows;
mod secret_file;
mod send;
mod serve;
mod source;
mod status;
mod store;
mod subject;
mod token;
pub mod vectors;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::exit::Exit;
use crate::admin;
use crate::plugin::{self as plugins, Compiler, Host};

/// A self-hosted webhook gateway for payments.
#[derive(Debug, Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// The format of log lines on standard error; RUST_LOG selects the lines
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until SIGTERM or SIGINT
    Serve(ConfigFile),
    /// Check the configuration and the plugins, list what would run, and exit
    Check(check::Check),
    /// Show the configuration as it counts, or print the schema of its file
    #[command(subcommand)]
    Config(config::Command),
    /// Write, build, test, try, sign and inspect plugins, and look after canaries
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// List the installed provider plugins
    #[command(subcommand)]
    Provider(provider::Command),
    /// Show a running gateway at a glance: what comes and goes, what waits, what is wrong
    Status(status::Status),
    /// List, show and replay events of a running gateway
    #[command(subcommand)]
    Event(event::Command),
    /// List the accepted requests of a running gateway
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Make, change, list, export and import endpoints of a running gateway
    #[command(subcommand)]
    Endpoint(endpoint::Command),
    /// List, show, retry and discard deliveries of a running gateway
    #[command(subcommand)]
    Delivery(delivery::Command),
    /// List, show and export the dead letters of a running gateway
    #[command(subcommand)]
    Dead(dead::Command),
    /// Replay by a filter, at a rate, and look how far that is
    #[command(subcommand)]
    Replay(replay::Command),
    /// List and show the event types that a running gateway knows
    #[command(subcommand)]
    EventType(event_type::Command),
    /// Show what a source of a running gateway has refused
    #[command(subcommand)]
    Source(source::Command),
    /// Show what came in each hour to a running gateway: requests, events and tries
    Hours(hours::Hours),
    /// Have a running gateway erase all that is known of a subject
    #[command(subcommand)]
    Subject(subject::Command),
    /// Make, list and revoke tokens for the admin port
    #[command(subcommand)]
    Token(token::Command),
    /// List and export the audit log of a running gateway, or verify that of one that is stopped
    #[command(subcommand)]
    Audit(audit::Command),
    /// Let an assistant look at a running gateway, by tools of the Model Context Protocol over
    /// standard input and output
    Mcp(mcp::Mcp),
    /// Check, repair or export a store while no gateway runs on it
    #[command(subcommand)]
    Store(store::Command),
    /// Receive events of a gateway at a URL of this machine, signed as deliveries are
    Listen(Box<listen::Listen>),
    /// Write all that the store of a running gateway has into one file, or that of a stopped one
    Backup(backup::Backup),
    /// Make a data folder from a backup
    Restore(backup::Restore),
    /// Sign a payload as its provider would, and post it to a running gateway
    Send(send::Send),
    /// Show the whole path of events on this machine, with real plugins and real signatures
    Demo(demo::Demo),
    /// Print the OpenAPI document of the admin port
    Openapi,
    /// Print what a shell reads to complete commands and options
    Completions(completions::Completions),
    /// Print the manual page, or write a page for each command
    Man(man::Manual),
    /// Compile a plugin file from standard input; the gateway starts this in a child process
    #[command(hide = true)]
    CompilePlugin { out: PathBuf },
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "hookgate.toml")]
    config: PathBuf,
}

/// Reads the arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    let (cli, is_json) = match parsed() {
        Ok(parsed) => parsed,
        Err(said) => return usage(&said),
    };
    if let Command::CompilePlugin { out } = &cli.command {
        // No runtime and no log: this child has little memory, and its parent reads its errors.
        return crate::plugin::compile_child(out);
    }
    if !goes_on(&cli.command) {
        // `hookgate event list | head` ends with `head`, and quietly.
        sigpipe::reset();
    }
    if let Err(error) = log_to_stderr(&cli) {
        return exit_code(Err(error), is_json);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit_code(Err(error.into()), is_json),
    };
    let ended = runtime.block_on(run(cli.command));
    // Abandoned guests and blocking reads must not hold up the end.
    runtime.shutdown_background();
    exit_code(ended, is_json)
}

/// Whether a command has connections that others may close while it writes to them: the signal
/// that comes with that must not end it.
fn goes_on(command: &Command) -> bool {
    matches!(command, Command::Serve(_) | Command::Demo(_) | Command::Listen(_) | Command::Mcp(_))
}

/// Has the part that a command belongs to do it.
async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::serve(&args.config).await,
        Command::Check(args) => check::check(&args).await,
        Command::Config(command) => config::run(&command),
        Command::Plugin(command) => plugin::run(command).await,
        Command::Provider(command) => provider::run(command),
        Command::Status(args) => status::status(args).await,
        Command::Event(command) => event::run(command).await,
        Command::Receipt(command) => receipt::run(command).await,
        Command::Endpoint(command) => endpoint::run(command).await,
        Command::Delivery(command) => delivery::run(command).await,
        Command::Dead(command) => dead::run(command).await,
        Command::Replay(command) => replay::run(command).await,
        Command::EventType(command) => event_type::run(command).await,
        Command::Source(command) => source::run(command).await,
        Command::Hours(args) => hours::hours(args).await,
        Command::Subject(command) => subject::run(command).await,
        Command::Token(command) => token::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Mcp(args) => mcp::mcp(args).await,
        Command::Store(command) => store::run(command).await,
        Command::Listen(args) => listen::listen(&args).await,
        Command::Backup(args) => backup::backup(args).await,
        Command::Restore(args) => backup::restore(&args),
        Command::Send(args) => send::send(&args).await,
        Command::Demo(args) => demo::demo(&args).await,
        Command::Openapi => say!("{}", admin::document().trim_end()),
        Command::Completions(args) => completions::print(&args, Cli::command()),
        Command::Man(args) => man::print(&args, Cli::command()),
        Command::CompilePlugin { .. } => unreachable!("answered above"),
    }
}

/// What was said, and whether the answer is for a program.
fn parsed() -> Result<(Cli, bool), clap::Error> {
    let matches = Cli::command().try_get_matches()?;
    let is_json = wants_json(&matches);
    let cli = Cli::from_arg_matches(&matches);
    Ok((cli.map_err(|error| error.format(&mut Cli::command()))?, is_json))
}

/// Whether a command was given `--json`.
fn wants_json(matches: &ArgMatches) -> bool {
    let is_given =
        |matches: &ArgMatches| matches!(matches.try_get_one::<bool>("json"), Ok(Some(true)));
    match matches.subcommand() {
        Some((_, below)) => wants_json(below),
        None => is_given(matches),
    }
}

/// Prints help, the version, or what is wrong with the arguments, and gives the exit code.
fn usage(said: &clap::Error) -> ExitCode {
    sigpipe::reset();
    // What can't be read says nothing for certain: a program that asked for JSON gets it.
    let is_json = std::env::args_os().any(|argument| argument == "--json");
    if said.use_stderr() && is_json {
        let text = said.render().to_string();
        let text = text.trim().trim_start_matches("error: ");
        output::note(format_args!("{}", exit::document(text, Exit::NotDone)));
        return ExitCode::from(Exit::NotDone.code());
    }
    match output::written(said.print()) {
        Err(error) if !said.use_stderr() => exit_code(Err(error), false),
        _ => u8::try_from(said.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from),
    }
}

/// Runs plugins without a gateway: nothing is kept. A file is decoded in a process of its own here
/// too, since somebody else may have written it.
fn offline_host() -> anyhow::Result<Host> {
    let program = std::env::current_exe().context("failed to find the file of this program")?;
    Ok(Host::new(plugins::Config::new(Compiler::Child(program), None))?)
}

fn exit_code(ended: anyhow::Result<()>, is_json: bool) -> ExitCode {
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit = Exit::of(&error);
            exit::tell(&error, exit, is_json);
            ExitCode::from(exit.code())
        }
    }
}

fn log_to_stderr(cli: &Cli) -> anyhow::Result<()> {
    // A command that is not the gateway speaks for itself on standard output.
    let default = match cli.command {
        Command::Serve(_) => "info",
        Command::Demo(_) => "error",
        _ => "warn",
    };
    let filter = log::filter(default)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log::stderr)
        .with_ansi(output::has_colours(&std::io::stderr()));
    match cli.log {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
