//! `hookgate provider list`: which providers there are, how each signs, and what it sends.
//!
//! Reads plugin files, as they are built or as a configuration names them. With `--markdown` it is
//! the table in `plugins/README.md`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Subcommand;
use http::Method;
use serde_json::{Value, json};

use crate::config::Config;
use crate::plugin::{About, Host};
use crate::provider::{Answer, Piece, ProviderInfo};
use crate::setting::{Setting, SettingKind};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List each provider with its signature scheme, the answer that it gets, and its samples
    List {
        /// The folder with the plugins
        #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
        plugins: PathBuf,
        /// A configuration file, to list the plugins of its folder instead
        #[arg(long, value_name = "FILE", conflicts_with = "plugins")]
        config: Option<PathBuf>,
        /// Print a Markdown table
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
        /// Print a line of JSON for each provider
        #[arg(long)]
        json: bool,
    },
}

/// A provider, as its file says.
struct Listed {
    name: String,
    info: ProviderInfo,
    about: About,
}

pub(super) fn run(command: Command) -> anyhow::Result<()> {
    let Command::List { plugins, config, markdown, json } = command;
    let folder = match config {
        Some(file) => Config::plugins_folder(&file)?,
        None => plugins,
    };
    let listed = list(&super::offline_host()?, &folder)?;
    if listed.is_empty() {
        bail!("found no provider plugin in {}", folder.display());
    }
    match (markdown, json) {
        (true, _) => say!("{}", table(&listed).trim_end()),
        (false, true) => listed.iter().try_for_each(|it| say!("{}", document(it))),
        (false, false) => listed.iter().try_for_each(describe),
    }
}

/// A provider for programs.
fn document(provider: &Listed) -> Value {
    let Listed { name, info, about } = provider;
    let methods = |methods: &[Method]| methods.iter().map(Method::to_string).collect::<Vec<_>>();
    json!({
        "name": name,
        "version": info.version,
        "scheme": info.scheme,
        "proof": info.worths(),
        "settings": info.settings.iter().map(super::plugin::setting_document).collect::<Vec<_>>(),
        "example": about.example,
        "confirmed_by": about.confirmed,
        "confidence": about.confidence,
        "types": info.types,
        "answer": answer(info),
        "event_methods": methods(&info.methods),
        "challenge_methods": methods(&info.handshakes),
        "keys_at": info.key_places.iter().map(|place| place.url.as_str()).collect::<Vec<_>>(),
        "samples": about.samples.keys().collect::<Vec<_>>(),
    })
}

/// The providers of a folder, by name.
fn list(host: &Host, folder: &Path) -> anyhow::Result<Vec<Listed>> {
    let entries = folder.read_dir();
    let entries = entries.with_context(|| {
        let folder = folder.display();
        format!("failed to read the folder {folder} (choose another with --plugins or --config)")
    })?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    paths.sort();
    let mut listed = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "wasm")) {
        let (plugin, about) = super::plugin::load_with_about(host, path)?;
        if let Some(info) = plugin.provider() {
            listed.push(Listed { name: plugin.name().to_string(), info: info.clone(), about });
        }
    }
    Ok(listed)
}

fn describe(provider: &Listed) -> anyhow::Result<()> {
    let Listed { name, info, about } = provider;
    say!("{name} {}", info.version)?;
    say!("  scheme    {}", info.scheme)?;
    say!("  proof     {}", info.worths())?;
    for setting in &info.settings {
        say!("  setting   {}", super::plugin::about_setting(setting))?;
    }
    if !about.example.is_empty() {
        say!("  example   {}", Value::Object(about.example.clone()))?;
    }
    if !about.confirmed.is_empty() {
        say!("  confirmed {}", about.confirmed)?;
    }
    if !about.confidence.is_empty() {
        say!("  sure      {}", about.confidence)?;
    }
    say!("  events    {}", info.types.join(", "))?;
    say!("  answer    {}", answer(info))?;
    if !info.methods.is_empty() {
        say!("  events by {}", names(&info.methods))?;
    }
    if !info.handshakes.is_empty() {
        say!("  challenge {}", names(&info.handshakes))?;
    }
    for place in &info.key_places {
        say!("  keys at   {}", place.url)?;
    }
    let samples: Vec<_> = about.samples.keys().map(String::as_str).collect();
    say!("  samples   {}", samples.join(", "))
}

fn table(listed: &[Listed]) -> String {
    let mut table = String::from(
        "| provider | signature scheme | proof | settings (`config`) | events | answer | challenge \
         by | confirmed by | confidence |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for Listed { name, info, about } in listed {
        let types = info.types.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
        let cells = [
            format!("[{name}]({name})"),
            info.scheme.clone(),
            info.worths(),
            settings(&info.settings, &beside(info)),
            types.join(" "),
            answer(info),
            names(&info.handshakes),
            about.confirmed.clone(),
            about.confidence.clone(),
        ];
        table += &format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
    }
    table
}

/// What the `config` of a source may hold, and what the source needs beside that.
fn settings(declared: &[Setting], beside: &[&str]) -> String {
    let setting = |Setting { name, kind, required, .. }: &Setting| {
        let choice = match kind {
            SettingKind::Choice(texts) => format!(" (`{}`)", texts.join("`, `")),
            _ => String::new(),
        };
        let required = if *required { ": **required**" } else { "" };
        format!("`{name}`{choice}{required}")
    };
    let mut settings: Vec<String> = declared.iter().map(setting).collect();
    if !beside.is_empty() {
        settings.push(format!("outside of `config`: {}", beside.join(", ")));
    }
    settings.join("; ")
}

/// What a source needs beside its `config`: hosts of keys; no secret, where the plugin pins roots.
fn beside(info: &ProviderInfo) -> Vec<&'static str> {
    let hosts = (!info.key_places.is_empty()).then_some("`keys_from`");
    let secrets = (!info.roots.is_empty()).then_some("`secrets = []`");
    hosts.into_iter().chain(secrets).collect()
}

fn answer(info: &ProviderInfo) -> String {
    match &info.reply {
        None => "200, the receipt's id".to_owned(),
        Some(Answer { status, body, .. }) if body.is_empty() => status.to_string(),
        Some(Answer { status, body, .. }) => {
            let bytes = |piece: &Piece| match piece {
                Piece::Bytes(bytes) => bytes.clone(),
                // The contract allows no other before there is a request.
                Piece::Body | Piece::Secret(_) | Piece::Value(_) => Vec::new(),
            };
            let body = body.iter().flat_map(bytes).collect::<Vec<u8>>();
            format!("{status} `{}`", String::from_utf8_lossy(&body).trim())
        }
    }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_listed_as_the_plugin_declares_them() {
        let setting = |name: &str, kind, required| Setting {
            name: name.to_owned(),
            kind,
            required,
            default: None,
            example: Value::Null,
            help: "for tests".to_owned(),
        };
        let choice = SettingKind::Choice(vec!["live".to_owned(), "test".to_owned()]);
        let declared = [setting("id", SettingKind::Text, true), setting("mode", choice, false)];
        assert_eq!(settings(&declared, &[]), "`id`: **required**; `mode` (`live`, `test`)");
        let beside = ["`keys_from`", "`secrets = []`"];
        assert_eq!(settings(&[], &beside), "outside of `config`: `keys_from`, `secrets = []`");
    }
}
