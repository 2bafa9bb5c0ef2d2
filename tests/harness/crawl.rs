//! What links of the dashboard lead to: the pages, one of each kind, and the files.
//!
//! Goes where a person could go by clicking on links alone, and holds each of them to lead
//! somewhere. Never sends a form.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Page, Person};

/// More kinds of pages than there are; links that lead on and on would be found by it.
const PAGES_MAX: usize = 96;

/// What links lead to.
#[derive(Debug, Default)]
pub(crate) struct Crawl {
    /// Paths and pages, by what a page of this kind is called.
    pub(crate) pages: BTreeMap<String, (String, Page)>,
    /// What a browser loads or saves, by its path.
    pub(crate) files: BTreeMap<String, Page>,
}

impl Person<'_> {
    /// Opens these pages, and from there one page of each kind.
    pub(crate) async fn crawl(&self, from: &[&str]) -> Crawl {
        let mut left: VecDeque<String> = from.iter().map(|path| (*path).to_owned()).collect();
        let (mut crawl, mut seen) = (Crawl::default(), BTreeSet::new());
        let mut opened = BTreeSet::new();
        while let Some(path) = left.pop_front() {
            let kind = kind(&path);
            let is_new = seen.insert(kind.clone());
            let is_wanted = is_new || from.contains(&&*path);
            if !is_wanted || !opened.insert(path.clone()) {
                continue;
            }
            let page = self.open(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            if !page.is_html() {
                crawl.files.insert(path, page);
                continue;
            }
            let links = page.links().into_iter();
            let links = links.filter_map(|link| link.split('#').next().map(str::to_owned));
            left.extend(links.filter(|link| link.starts_with('/') && !link.starts_with("/v1/")));
            let name = if is_new { kind } else { format!("{kind}-{}", crawl.pages.len()) };
            crawl.pages.insert(name, (path, page));
            assert!(crawl.pages.len() <= PAGES_MAX, "on and on: {:?}", crawl.pages.keys());
        }
        crawl
    }
}

impl Page {
    /// Whether a browser shows it, and does not save it.
    fn is_html(&self) -> bool {
        let says = |header: &str, part: &str| {
            let value = self.headers.get(header).and_then(|value| value.to_str().ok());
            value.is_some_and(|value| value.contains(part))
        };
        says("content-type", "text/html") && !says("content-disposition", "attachment")
    }
}

/// What a page at this path is called: the same for pages of one kind.
fn kind(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts = path.split('/').filter(|part| !part.is_empty());
    let mut words: Vec<&str> = parts.map(|part| if is_id(part) { "id" } else { part }).collect();
    if words.is_empty() {
        words.push("overview");
    }
    let asked: BTreeSet<&str> = query.split('&').filter_map(|it| it.split('=').next()).collect();
    words.extend(asked.into_iter().filter(|name| !name.is_empty()));
    words.join("-")
}

fn is_id(part: &str) -> bool {
    let kinds = ["evt", "rcp", "run", "dlv", "ep", "rpl", "rhs"];
    part.split_once('_').is_some_and(|(kind, _)| kinds.contains(&kind))
}
