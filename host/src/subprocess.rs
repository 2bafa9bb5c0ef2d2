//! A child process that is waited for, and not for ever.
//!
//! Compiling and building happen in one. Its input is given at once, what it says is kept up to a
//! limit, and when its time is over it is killed.

use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How much of what a child says is kept: the last of it.
const SAID_BYTES_MAX: usize = 16 << 10;

/// A child that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    /// The end of its standard error.
    pub(crate) said: String,
}

/// Why a child did not end by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChildError {
    #[error("the process took too long")]
    TooLong,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs a command with this input, for at most `limit`.
pub(crate) fn run(
    command: &mut Command,
    input: &[u8],
    limit: Duration,
) -> Result<Ended, ChildError> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");

    let (sender, receiver) = mpsc::channel();
    let said = thread::scope(|scope| {
        // A child that reads no further says why by how it ends.
        let give = move || stdin.write_all(input).is_ok();
        // Standard error closes with the child: its end is noticed without asking again and again.
        let hear = move || sender.send(read_end(stderr)).is_ok();
        let given = thread::Builder::new().spawn_scoped(scope, give).map(drop);
        let heard = given.and_then(|()| thread::Builder::new().spawn_scoped(scope, hear).map(drop));
        if let Err(error) = heard {
            child.kill()?;
            return Err(error.into());
        }
        match receiver.recv_timeout(limit) {
            Ok(said) => Ok(said?),
            Err(_) => {
                child.kill()?;
                Err(ChildError::TooLong)
            }
        }
    });
    let status = child.wait()?;
    Ok(Ended { status, said: said? })
}

fn read_end(mut stderr: impl Read) -> io::Result<String> {
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stderr.read(&mut chunk)? {
            0 => return Ok(String::from_utf8_lossy(&said).trim().to_owned()),
            length => said.extend_from_slice(&chunk[..length]),
        }
        let over = said.len().saturating_sub(SAID_BYTES_MAX);
        said.drain(..over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_a_child_reads_and_says_arrives() {
        let ended = run(&mut shell("cat >&2; exit 3"), b"words", Duration::from_secs(60)).unwrap();
        assert_eq!((ended.status.code(), ended.said.as_str()), (Some(3), "words"));
    }

    #[test]
    fn a_child_that_takes_too_long_is_killed() {
        // It replaces the shell, so that nothing is left that could hold the pipe open.
        let ended = run(&mut shell("exec sleep 600"), b"", Duration::from_millis(10));
        assert!(matches!(ended, Err(ChildError::TooLong)));
    }
}
