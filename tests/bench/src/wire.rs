//! One connection to a server, kept open, with no more HTTP than a generator needs.
//!
//! It writes a finished request and reads one answer, so that both cores are left to who is
//! measured. It never looks at an answer's body.

use std::net::SocketAddr;

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No head of an answer is longer.
const ANSWER_BYTES_MAX: usize = 8 * 1024;
/// No answer has more headers.
const HEADERS_MAX: usize = 16;

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 200, as new.
    Accepted,
    /// 200, as known.
    Duplicate,
}

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await.context("failed to connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES_MAX] })
    }

    /// Sends a whole request and waits for its answer; anything but 200 is an error.
    pub(crate) async fn post(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await.context("failed to send a request")?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server hung up instead of answering");
            filled += read;
            if let Some((answer, length)) = read_answer(&self.buffer[..filled])?
                && filled >= length
            {
                return Ok(answer);
            }
        }
    }
}

/// The answer and its whole length, once its head is there.
fn read_answer(bytes: &[u8]) -> anyhow::Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let header = |name: &str| {
        let found = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.and_then(|header| std::str::from_utf8(header.value).ok())
    };
    ensure!(response.code == Some(200), "answered {:?}", response.code);
    let body: usize = header("content-length").unwrap_or("0").parse()?;
    let known = header("hookgate-duplicate").is_some();
    let answer = if known { Answer::Duplicate } else { Answer::Accepted };
    Ok(Some((answer, head + body)))
}
