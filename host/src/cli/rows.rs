//! What the admin API has, as a command prints it: a list page by page, or one thing; for a person
//! or as JSON.
//!
//! Pages may be short, so asks until there are enough or no more. Never sorts what it gets.

use clap::Args;
use serde_json::Value;
use url::Url;

use super::at::At;
use super::http;
use super::indented::indented;
use super::output::cell;

/// Rows of a page, where nothing says how many are wanted.
const PAGE: usize = 500;

/// Where one thing is shown.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Print the answer of the gateway as JSON: a list as a line for each item, all else as one
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) at: At,
}

impl One {
    /// Prints what a path has, laid out for a person or as a line.
    pub(super) async fn print(&self, path: &str) -> anyhow::Result<()> {
        let answer = self.at.get(&self.at.url(path)?).await?;
        let text = http::ok(&answer)?;
        if self.json { say!("{}", text.trim()) } else { say!("{}", indented(text)) }
    }

    /// Prints what the gateway answered, in these words or as JSON.
    pub(super) fn say(&self, answer: &Value, words: &str) -> anyhow::Result<()> {
        if self.json { say!("{answer}") } else { say!("{words}") }
    }
}

/// How much of a list is shown, and where.
#[derive(Debug, Args)]
pub(super) struct Listing {
    /// The number of rows
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print a line of JSON for each row
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) at: At,
}

impl Listing {
    /// Prints a list.
    pub(super) async fn print(
        &self,
        path: &str,
        filters: Vec<(&'static str, String)>,
        head: &str,
        line: impl FnMut(&Value) -> String,
    ) -> anyhow::Result<()> {
        let mut url = self.at.url(path)?;
        url.query_pairs_mut().extend_pairs(filters);
        if self.json {
            let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
            return each(&self.at, url, Some(limit), |row| say!("{row}")).await;
        }
        table(&self.at, url, self.limit, head, line).await
    }
}

/// The filters of these that are given, as parameters of the query.
pub(super) fn given<const N: usize>(
    filters: [(&'static str, Option<String>); N],
) -> Vec<(&'static str, String)> {
    filters.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// What stands in a cell of a table, if anything does.
pub(super) fn text(row: &Value, key: &str) -> String {
    cell(row[key].as_str().unwrap_or("-"))
}

/// Prints a list of the admin API as a table.
async fn table(
    at: &At,
    url: Url,
    limit: u32,
    head: &str,
    mut line: impl FnMut(&Value) -> String,
) -> anyhow::Result<()> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut has_begun = false;
    pages(at, url, Some(limit), |rows| {
        // Only now it is certain that there is a list.
        if !std::mem::replace(&mut has_begun, true) {
            say!("{head}")?;
        }
        rows.iter().try_for_each(|row| say!("{}", line(row)))
    })
    .await
}

/// Visits the rows of a list: all of them, or the first ones up to a limit.
pub(super) async fn each(
    at: &At,
    url: Url,
    limit: Option<usize>,
    mut see: impl FnMut(&Value) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    pages(at, url, limit, |rows| rows.iter().try_for_each(&mut see)).await
}

/// Sees a list page by page.
async fn pages(
    at: &At,
    mut url: Url,
    limit: Option<usize>,
    mut see: impl FnMut(&[Value]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let filter: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut left = limit.unwrap_or(usize::MAX);
    let most = limit.map_or(PAGE, |limit| limit.min(100));
    let mut cursor: Option<String> = None;
    while left > 0 {
        url.query_pairs_mut().clear().extend_pairs(&filter);
        url.query_pairs_mut().append_pair("limit", &left.min(most).to_string());
        if let Some(cursor) = &cursor {
            url.query_pairs_mut().append_pair("cursor", cursor);
        }
        let page = http::json(&at.get(&url).await?)?;
        let rows = page["items"].as_array().map_or(&[][..], Vec::as_slice);
        see(rows)?;
        left = left.saturating_sub(rows.len());
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    Ok(())
}
