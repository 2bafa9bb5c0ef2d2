//! A configuration in outline, laid out: facts, groups of them, and tables of what has names.
//!
//! Goes by the shape of the JSON alone, so that a setting that the outline gains is shown too; each
//! is called as in the file, where it is changed. Never more than 100 rows of a table.

use serde_json::{Map, Value};

use crate::dashboard::figure;
use crate::dashboard::markup::{self, Markup};

/// Most bytes of a value that are shown.
const TEXT_BYTES_MAX: usize = 256;
/// Most rows of a table.
const ROWS_MAX: usize = 100;

/// A setting.
pub(super) struct Fact {
    pub(super) name: String,
    pub(super) value: Markup,
}

/// Settings that stand together, such as those of `[retention]`.
pub(super) struct Group {
    pub(super) title: String,
    pub(super) facts: Vec<Fact>,
}

/// What has names, such as the sources, with the settings of each in a row.
pub(super) struct Listing {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// How many more there are.
    pub(super) left: Option<String>,
}

pub(super) struct Row {
    pub(super) name: Markup,
    pub(super) cells: Vec<Markup>,
}

/// All of it.
#[derive(Default)]
pub(super) struct LaidOut {
    pub(super) facts: Vec<Fact>,
    pub(super) groups: Vec<Group>,
    pub(super) listings: Vec<Listing>,
}

impl LaidOut {
    /// That of a JSON object; of anything else there is nothing.
    pub(super) fn of(text: &str) -> Self {
        let all: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let mut laid_out = Self::default();
        for (name, value) in &all {
            match value {
                Value::Object(inner) if inner.is_empty() => (),
                Value::Object(inner) if inner.values().all(Value::is_object) => {
                    laid_out.listings.push(listing(name, inner));
                }
                Value::Object(inner) => {
                    let facts = inner.iter().map(fact).collect();
                    laid_out.groups.push(Group { title: title(name), facts });
                }
                _ => laid_out.facts.push(fact((name, value))),
            }
        }
        laid_out
    }
}

fn listing(name: &str, inner: &Map<String, Value>) -> Listing {
    let members = || inner.values().filter_map(Value::as_object);
    let mut columns: Vec<String> = Vec::new();
    for key in members().flat_map(Map::keys) {
        if !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    let row = |(name, value): (&String, &Value)| Row {
        name: markup::long(name, TEXT_BYTES_MAX),
        cells: columns.iter().map(|column| shown(column, &value[column.as_str()])).collect(),
    };
    let rows = inner.iter().take(ROWS_MAX).map(row).collect();
    let left = inner.len().saturating_sub(ROWS_MAX) as u64;
    let left = (left > 0).then(|| figure::counted(left, "more", "more"));
    Listing { title: title(name), columns, rows, left }
}

fn fact((name, value): (&String, &Value)) -> Fact {
    Fact { name: name.clone(), value: shown(name, value) }
}

/// A value as people read it.
fn shown(name: &str, value: &Value) -> Markup {
    markup::long(&said(name, value), TEXT_BYTES_MAX)
}

fn said(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_u64() {
            Some(bytes) if name.ends_with("bytes") => figure::bytes(bytes),
            Some(number) => figure::number(number),
            None => number.to_string(),
        },
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| said(name, item)).collect();
            items.join(", ")
        }
        Value::Object(_) => value.to_string(),
    }
}

/// What a table of the configuration is called.
fn title(name: &str) -> String {
    let title = match name {
        "sources" => "Sources",
        "endpoints" => "Endpoints of the configuration",
        "handlers" => "Handlers",
        "plugins" => "What single plugins may use",
        "tokens" => "Tokens of the configuration",
        "retention" => "Retention",
        "limits" => "Limits",
        other => other,
    };
    title.to_owned()
}

#[cfg(test)]
mod tests {
    use askama::filters::Safe;

    use super::*;

    fn text(Safe(shown): &Markup) -> &str {
        shown.trim_start_matches("<bdi>").trim_end_matches("</bdi>")
    }

    #[test]
    fn what_has_names_is_a_table_and_all_else_stands_with_its_name() {
        let outline = r#"{"listen":"127.0.0.1:8080","admin_hosts":[],
            "retention":{"size_bytes":20480,"dead":"30days"},"tokens":{},
            "sources":{"a":{"secrets":1},"b":{"verified":false}}}"#;
        let LaidOut { facts, groups, listings } = LaidOut::of(outline);
        let facts: Vec<_> = facts.iter().map(|it| (&*it.name, text(&it.value))).collect();
        assert_eq!(facts, [("admin_hosts", "-"), ("listen", "127.0.0.1:8080")]);
        let values: Vec<_> = groups[0].facts.iter().map(|it| text(&it.value)).collect();
        assert_eq!((&*groups[0].title, values), ("Retention", vec!["30days", "20 KiB"]));
        let cells = |row: &Row| row.cells.iter().map(text).map(str::to_owned).collect::<Vec<_>>();
        let rows: Vec<_> = listings[0].rows.iter().map(cells).collect();
        assert_eq!(listings[0].columns, ["secrets", "verified"]);
        assert_eq!(rows, [["1", "-"], ["-", "no"]]);
        assert_eq!((groups.len(), listings.len()), (1, 1), "what is empty is left out");
    }

    /// Guards the bound of a table: a configuration may have ten thousand endpoints.
    #[test]
    fn a_table_that_is_long_says_how_much_is_left_out() {
        let names = (0..ROWS_MAX + 7).map(|number| format!("\"e{number}\":{{\"url\":\"x\"}}"));
        let outline = format!("{{\"endpoints\":{{{}}}}}", names.collect::<Vec<_>>().join(","));
        let LaidOut { listings, .. } = LaidOut::of(&outline);
        assert_eq!(listings[0].rows.len(), ROWS_MAX);
        assert_eq!(listings[0].left.as_deref(), Some("7 more"));
        assert!(LaidOut::of("[").listings.is_empty());
    }
}
