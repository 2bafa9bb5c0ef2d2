//! The schema against what reads the file, and against every configuration that the repository has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::DeTable;

use super::*;
use crate::config::document::Flaws;
use crate::config::world::Extent;
use crate::config::{Config, Limits, file};

/// Has every table that a file may have. What is in them is not needed to know their keys, and so
/// most of it is wrong.
const EVERY: &str = r#"
limits = {}
retention = {}
egress = {}
telemetry = {}

[plugins.x]
deadlines = {}
canary = {}

[sources.x]
[endpoints.x]
credential = {}
[handlers.x]
[tokens.x]
[tls]
public = {}
admin = {}
"#;

/// How the tables that the reader reads are called there.
fn titles() -> [(&'static str, &'static Table); 15] {
    let of = |table: &'static Table, name: &str| {
        let found = table.keys.iter().find(|key| key.name == name);
        match found.expect("the table has it").form {
            Form::Table(table) | Form::Named(table) | Form::TableOrPath(table) => table,
            other => panic!("{name} is {other:?}"),
        }
    };
    let plugins = of(&FILE, "plugins");
    let plugin = plugins.others.expect("the operator names plugins");
    let tls = of(&FILE, "tls");
    [
        ("the file", &FILE),
        ("[plugins]", plugins),
        ("[plugins.x]", plugin),
        ("`deadlines`", of(plugin, "deadlines")),
        ("`canary`", of(plugin, "canary")),
        ("[sources.x]", of(&FILE, "sources")),
        ("[endpoints.x]", of(&FILE, "endpoints")),
        ("[handlers.x]", of(&FILE, "handlers")),
        ("[tokens.x]", of(&FILE, "tokens")),
        ("[tls]", tls),
        ("[tls.public]", of(tls, "public")),
        ("[limits]", of(&FILE, "limits")),
        ("[retention]", of(&FILE, "retention")),
        ("[egress]", of(&FILE, "egress")),
        ("[telemetry]", of(&FILE, "telemetry")),
    ]
}

/// Guards both lists: a key that only the reader or only the schema knows is named here.
#[test]
fn every_key_that_is_read_stands_in_the_schema_and_the_other_way_round() {
    let document = DeTable::parse(EVERY).expect("it is TOML");
    let flaws = Flaws::default();
    file::read(document.get_ref(), (EVERY, Path::new(".")), Extent::Nothing, &flaws);
    let read = flaws.known.borrow();
    for (title, table) in titles() {
        let read = read.get(title).unwrap_or_else(|| panic!("nothing reads {title}"));
        let said: BTreeSet<&str> = table.keys.iter().map(|key| key.name).collect();
        let difference: Vec<_> = read.symmetric_difference(&said).collect();
        assert!(difference.is_empty(), "{title}: {difference:?}");
    }
    let known: BTreeSet<&str> = titles().map(|(title, _)| title).into();
    let inside = ["[tls.admin]", "`credential`"];
    let others = read.keys().filter(|title| !known.contains(title.as_str()));
    let others: Vec<_> = others.filter(|title| !inside.contains(&title.as_str())).collect();
    assert!(others.is_empty(), "the schema has no table for {others:?}");
}

/// Guards the defaults of `[limits]`, by the values and by their keys.
#[test]
fn the_defaults_of_limits_written_out_are_the_defaults() {
    let lines = |pair: (&str, Value)| format!("{} = {}\n", pair.0, pair.1);
    let written: String = Limits::default().written().into_iter().map(lines).collect();
    let text = format!("{LEAST}[limits]\n{written}");
    let config = Config::parse(&text, Path::new("t.toml"), Path::new(".")).unwrap();
    assert_eq!(config.limits, Limits::default());
}

const LEAST: &str = "listen = \"127.0.0.1:1\"\nadmin = \"127.0.0.1:2\"\ndata = \"d\"\n\
                     plugins = \"p\"\n";

/// Guards the other defaults: written out they change nothing.
#[test]
fn the_other_defaults_written_out_change_nothing() {
    let written = |table: &Table| {
        let keys = table.keys.iter().filter(|key| !key.default.is_empty());
        keys.map(|key| format!("{} = {}\n", key.name, key.default)).collect::<String>()
    };
    let [.., retention, egress, telemetry] = titles().map(|(_, table)| table);
    let text = format!(
        "{}{LEAST}[retention]\n{}[egress]\n{}[telemetry]\n{}",
        written(&FILE),
        written(retention),
        written(egress),
        written(telemetry)
    );
    let parse = |text: &str| Config::parse(text, Path::new("t.toml"), Path::new(".")).unwrap();
    let (said, least) = (parse(&text), parse(LEAST));
    assert_eq!(said.retention, least.retention);
    assert_eq!(said.endpoints_max, least.endpoints_max);
    assert_eq!(said.open_metrics, least.open_metrics);
    assert_eq!(said.proxy_protocol, least.proxy_protocol);
    assert_eq!(said.egress_ca, least.egress_ca);
    assert!(said.telemetry.is_none());
    let source = |rest: &str| {
        let least = "[sources.x]\nplugin = \"x\"\nsecrets = [{ value = \"whsec_try\" }]\n";
        let mut sources = parse(&format!("{LEAST}{least}{rest}")).sources;
        sources.pop_first().expect("there is one").1
    };
    let (_, table) = titles().into_iter().find(|(title, _)| *title == "[sources.x]").unwrap();
    let (said, least) = (source(&written(table)), source(""));
    assert_eq!(said.duplicates, least.duplicates);
    assert_eq!((said.verify, &said.keys_from), (least.verify, &least.keys_from));
    assert_eq!(said.settings, least.settings);
}

/// Every file of TOML below a folder that says where to listen.
fn configurations(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            configurations(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml")
            && let Ok(text) = std::fs::read_to_string(&path)
            && text.lines().any(|line| line.starts_with("listen"))
        {
            found.insert(path, text);
        }
    }
}

#[test]
fn every_example_is_valid_by_the_schema() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it lies in one");
    let mut found = BTreeMap::new();
    for folder in ["examples", "deploy"] {
        configurations(&repository.join(folder), &mut found);
    }
    let first = std::fs::read_to_string(repository.join("hookgate.toml")).unwrap();
    found.insert("hookgate.toml".into(), first);
    let readme = std::fs::read_to_string(repository.join("README.md")).unwrap();
    let block = readme.split("```toml\n").nth(1).expect("it shows a configuration");
    found.insert("README.md".into(), block.split("```").next().unwrap().to_owned());
    let schema = document();
    for (path, text) in found {
        let value: Value = toml::from_str(&text).unwrap();
        let wrong = wrong(&schema, &value, "");
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    }
}

/// Guards the judge of these tests: it finds what an editor would mark.
#[test]
fn what_an_editor_would_mark_is_found() {
    let schema = document();
    let of = |text: &str| wrong(&schema, &toml::from_str(text).unwrap(), "");
    assert_eq!(of(LEAST), Vec::<String>::new());
    assert_eq!(of("plugins = 7\nlisten = \"\"\nadmin = \"\"\ndata = \"\""), ["/plugins"]);
    assert_eq!(of(&LEAST.replace("data = \"d\"\n", "")), ["/data"]);
    assert_eq!(of(&format!("{LEAST}date = 1")), ["/date"]);
    let source = |rest: &str| format!("{LEAST}[sources.x]\nplugin = \"x\"\n{rest}");
    assert_eq!(of(&source("verify = \"no\"")), ["/sources/x/verify"]);
    assert_eq!(of(&source("secrets = [{ env = \"A\", file = \"b\" }]")), ["/sources/x/secrets/0"]);
    assert_eq!(of(&source("rate = 0")), ["/sources/x/rate"]);
}

/// Where a value is not as this part of a JSON schema says.
fn wrong(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    if let Some(any) = schema["anyOf"].as_array() {
        let fits = any.iter().any(|one| wrong(one, value, place).is_empty());
        return if fits { Vec::new() } else { vec![place.to_owned()] };
    }
    let here = |is_wrong: bool| is_wrong.then(|| place.to_owned()).into_iter().collect::<Vec<_>>();
    match schema["type"].as_str().expect("each part has a type") {
        "string" => here(
            !value.is_string()
                || schema["enum"].as_array().is_some_and(|words| !words.contains(value)),
        ),
        "boolean" => here(!value.is_boolean()),
        "integer" => {
            let least = schema["minimum"].as_u64().unwrap_or_default();
            here(value.as_u64().is_none_or(|number| number < least))
        }
        "array" => match value.as_array() {
            None => here(true),
            Some(items) => {
                let of = |(index, item): (usize, &Value)| {
                    wrong(&schema["items"], item, &format!("{place}/{index}"))
                };
                items.iter().enumerate().flat_map(of).collect()
            }
        },
        "object" => members(schema, value, place),
        other => panic!("the schema has a {other}"),
    }
}

fn members(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![place.to_owned()] };
    let most = schema["maxProperties"].as_u64().unwrap_or(u64::MAX);
    let least = schema["minProperties"].as_u64().unwrap_or_default();
    if !(least..=most).contains(&(members.len() as u64)) {
        return vec![place.to_owned()];
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !members.contains_key(*name));
    let mut found: Vec<String> = missing.map(|name| format!("{place}/{name}")).collect();
    for (name, value) in members {
        let at = format!("{place}/{name}");
        let known = schema["properties"].get(name);
        match (known, &schema["additionalProperties"]) {
            (Some(schema), _) => found.extend(wrong(schema, value, &at)),
            (None, Value::Bool(false)) => found.push(at),
            (None, Value::Object(_)) => {
                found.extend(wrong(&schema["additionalProperties"], value, &at));
            }
            (None, _) => (),
        }
    }
    found
}
