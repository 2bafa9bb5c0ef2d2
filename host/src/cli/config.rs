//! `hookgate config`: the configuration as it counts, and the schema of its file.
//!
//! Never shows a secret, and needs none: what is wrong with a file is for `hookgate check`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::ConfigFile;
use super::output::{Ink, parts};
use crate::config::{Config, Origin, Setting};

/// Where the origin of a setting stands, if there is room.
const COLUMN: usize = 60;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show each setting with its value, and whether the file, the environment or the default says
    /// it; without secrets
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// Print a line of JSON for each setting
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON schema of the configuration file, for editors
    Schema,
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show { file, json } => show(file, *json),
        Command::Schema => say!("{}", serde_json::to_string_pretty(&Config::schema())?),
    }
}

fn show(file: &ConfigFile, is_json: bool) -> anyhow::Result<()> {
    let path = file.config.display().to_string();
    for setting in Config::settings(&file.config)? {
        if is_json {
            let mut document = serde_json::to_value(&setting)?;
            if setting.origin != Origin::Default {
                document["origin"]["file"] = json!(path);
            }
            say!("{document}")?;
            continue;
        }
        let (said, origin) = line(&setting, &path);
        let ink = if setting.origin == Origin::Default { Ink::Dim } else { Ink::Plain };
        parts(&[(ink, &said), (Ink::Dim, &origin)])?;
    }
    Ok(())
}

/// The setting as the file would have it, and where it is from.
fn line(Setting { key, value, origin }: &Setting, path: &str) -> (String, String) {
    let said = format!("{key} = {}", written(value));
    let origin = match origin {
        Origin::Default => "default".to_owned(),
        Origin::File { line } => format!("{path}:{line}"),
        Origin::Environment { line, variables } => {
            format!("{path}:{line}, environment {}", variables.join(", "))
        }
    };
    (format!("{said:<COLUMN$}"), format!("  # {origin}"))
}

/// A value as TOML has it.
fn written(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| format!("{key} = {}", written(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_line_as_in_the_file_with_its_origin_behind_it() {
        let of = |value: Value, origin| {
            let setting = Setting { key: "a.b".to_owned(), value, origin };
            let (said, origin) = line(&setting, "h.toml");
            format!("{}{origin}", said.trim_end())
        };
        assert_eq!(of(json!("30d"), Origin::Default), "a.b = \"30d\"  # default");
        let environment = Origin::Environment { line: 8, variables: vec!["KEY".to_owned()] };
        assert_eq!(
            of(json!([{ "env": "KEY" }, {}]), environment),
            "a.b = [{ env = \"KEY\" }, {}]  # h.toml:8, environment KEY"
        );
        assert_eq!(of(json!(7), Origin::File { line: 3 }), "a.b = 7  # h.toml:3");
    }
}
