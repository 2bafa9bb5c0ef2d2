//! What the program says on standard error or standard output, read as it comes.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The log of a running program; its pipe is never full.
pub(crate) struct Log {
    lines: watch::Receiver<Vec<String>>,
    /// Parts of lines that are no surprise to the test.
    expected: Vec<String>,
    reading: JoinSet<()>,
}

impl Log {
    pub(crate) fn of(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let (sender, lines) = watch::channel(Vec::new());
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let mut text = BufReader::new(pipe).lines();
            while let Some(line) = text.next_line().await.expect("the log is text") {
                sender.send_modify(|lines| lines.push(line));
            }
        });
        Self { lines, expected: Vec::new(), reading }
    }

    /// Waits for a line with this in it.
    pub(crate) async fn says(&mut self, part: &str) -> String {
        self.may_say(part);
        let said = self.find(|line| line.contains(part).then(|| line.to_owned())).await;
        said.unwrap_or_else(|| panic!("nothing says `{part}` in\n{}", self.text()))
    }

    /// An error with this in it is no surprise.
    pub(crate) fn may_say(&mut self, part: &str) {
        self.expected.push(part.to_owned());
    }

    /// Waits for the line that has these fields, and gives them.
    pub(crate) async fn fields<const N: usize>(&mut self, names: [&str; N]) -> [String; N] {
        let fields = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let found = names.map(|name| line["fields"][name].as_str().map(str::to_owned));
            found.iter().all(Option::is_some).then(|| found.map(Option::unwrap_or_default))
        };
        let said = self.find(fields).await;
        said.unwrap_or_else(|| panic!("the gateway does not start:\n{}", self.text()))
    }

    /// Reads to the end, and gives the errors that are a surprise.
    pub(crate) async fn errors(&mut self) -> Vec<String> {
        while self.reading.join_next().await.is_some() {}
        let lines = self.lines.borrow();
        let unexpected = lines.iter().filter(|line| {
            let expected = self.expected.iter().any(|part| line.contains(part));
            line.contains("\"ERROR\"") && !expected
        });
        unexpected.cloned().collect()
    }

    /// How many lines have this in them so far.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines(part).len()
    }

    /// The lines that have this in them so far.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        self.lines.borrow().iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// Waits for the first line that gives something; nothing if none comes.
    async fn find<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        let found = |lines: &Vec<String>| lines.iter().any(|line| look(line).is_some());
        let lines = tokio::time::timeout(PATIENCE, self.lines.wait_for(found)).await;
        lines.ok()?.ok()?.iter().find_map(|line| look(line))
    }

    /// Reads to the end, and gives all of it.
    pub(crate) async fn whole(&mut self) -> String {
        while self.reading.join_next().await.is_some() {}
        self.text()
    }

    fn text(&self) -> String {
        self.lines.borrow().join("\n")
    }
}
