//! A command of the program that has ended: its exit code and its words.

use tokio::process::Command;

/// What became of a command.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Runs a command of the program to its end. It logs as it does by itself.
    pub(crate) async fn of(command: &mut Command) -> Self {
        let command = command.env_remove("RUST_LOG").kill_on_drop(true);
        let ran = command.output().await.expect("the program can be started");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it speaks UTF-8");
        Self { code: ran.status.code(), out: text(ran.stdout), err: text(ran.stderr) }
    }

    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}\n{}", self.out, self.err);
        &self.out
    }

    /// Failed, of whatever cause, with these words on standard error. 2 is for what did nothing.
    #[track_caller]
    pub(crate) fn failed_with(&self, words: &str) {
        assert!(
            matches!(self.code, Some(1 | 3..=7)),
            "{:?}\n{}\n{}",
            self.code,
            self.out,
            self.err
        );
        assert!(self.err.contains(words), "no `{words}` in\n{}", self.err);
    }

    /// The line of standard output that begins so.
    #[track_caller]
    pub(crate) fn line(&self, beginning: &str) -> &str {
        let line = self.out.lines().find(|line| line.trim_start().starts_with(beginning));
        line.unwrap_or_else(|| panic!("no line begins with `{beginning}`:\n{}", self.out)).trim()
    }
}
