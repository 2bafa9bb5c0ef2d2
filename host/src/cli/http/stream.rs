//! A stream of a gateway, read as it comes: server-sent events over one answer.
//!
//! What came of a message when the connection breaks is dropped: who comes back gets it whole.
//! Never comes back by itself, and never keeps more than one message that is not whole.

use std::time::Duration;

use ::http::{Method, header};
use anyhow::{Context, bail};
use tokio::time::timeout;
use url::Url;

use super::{Answer, Reach, TIMEOUT, Unreachable, text_of};
use crate::egress;

/// A gateway that has nothing to say says that every 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Largest message, in bytes: an event with its data, and data is as large as a plugin may write.
const MESSAGE_BYTES_MAX: usize = 128 << 20;

/// What the gateway answered to somebody who wants to listen.
pub(in crate::cli) enum Opened {
    Stream(Stream),
    /// Anything but 200.
    Refused(Answer),
}

/// A stream of a gateway.
pub(in crate::cli) struct Stream {
    response: reqwest::Response,
    came: Came,
    shown: String,
}

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::cli) struct Message {
    /// Where the stream goes on behind it.
    pub(in crate::cli) id: Option<String>,
    /// What it is; a message without it only says how far the stream is.
    pub(in crate::cli) event: Option<String>,
    /// A document of JSON.
    pub(in crate::cli) data: String,
}

impl Reach {
    /// Asks for a stream, from behind the id that came last.
    pub(in crate::cli) async fn listen(
        &self,
        url: &Url,
        last: Option<&str>,
    ) -> anyhow::Result<Opened> {
        let request = self.request(Method::GET, url).header(header::ACCEPT, "text/event-stream");
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let shown = egress::shown(url);
        let connect = || Unreachable::Connect(shown.clone());
        let sent = timeout(TIMEOUT, request.send()).await.with_context(connect)?;
        let response = sent.map_err(reqwest::Error::without_url).with_context(connect)?;
        let status = response.status().as_u16();
        if status == 200 {
            return Ok(Opened::Stream(Stream { response, came: Came::default(), shown }));
        }
        let answer = || Unreachable::Answer(shown.clone());
        let body = timeout(TIMEOUT, text_of(response, &shown)).await.with_context(answer)??;
        Ok(Opened::Refused(Answer { status, duplicate: false, body }))
    }
}

impl Stream {
    /// The next message; `None` if the gateway has ended the stream. Dropped before it is ready, it
    /// loses nothing.
    pub(in crate::cli) async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        loop {
            if let Some(message) = self.came.next()? {
                return Ok(Some(message));
            }
            let silent = || {
                let seconds = SILENCE_MAX.as_secs();
                format!("{} was silent for {seconds} s", self.shown)
            };
            let chunk = timeout(SILENCE_MAX, self.response.chunk()).await.with_context(silent)?;
            let chunk = chunk
                .map_err(reqwest::Error::without_url)
                .with_context(|| format!("the connection to {} broke", self.shown))?;
            let Some(chunk) = chunk else { return Ok(None) };
            self.came.add(&chunk)?;
        }
    }
}

/// What came and was not read yet.
#[derive(Debug, Default)]
struct Came {
    bytes: Vec<u8>,
    /// Everything before this was read.
    read: usize,
    /// No message ends before this.
    searched: usize,
}

impl Came {
    fn add(&mut self, chunk: &[u8]) -> anyhow::Result<()> {
        self.bytes.drain(..self.read);
        self.searched -= self.read;
        self.read = 0;
        if self.bytes.len() + chunk.len() > MESSAGE_BYTES_MAX {
            bail!("the gateway sent a message of more than {} MiB", MESSAGE_BYTES_MAX >> 20);
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// The next message that is whole.
    fn next(&mut self) -> anyhow::Result<Option<Message>> {
        let ends = |pair: &[u8]| pair == b"\n\n";
        let Some(at) = self.bytes[self.searched..].windows(2).position(ends) else {
            // The last byte may be the first of the end.
            self.searched = self.bytes.len().saturating_sub(1).max(self.read);
            return Ok(None);
        };
        let end = self.searched + at;
        let text = std::str::from_utf8(&self.bytes[self.read..end]);
        let message = message(text.context("the gateway sent a message that is not UTF-8")?);
        (self.read, self.searched) = (end + 2, end + 2);
        Ok(Some(message))
    }
}

/// The lines of a message. What is not known, such as a comment, is passed over.
fn message(text: &str) -> Message {
    let mut message = Message::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => message.id = Some(value.to_owned()),
            "event" => message.event = Some(value.to_owned()),
            "data" => {
                if !message.data.is_empty() {
                    message.data.push('\n');
                }
                message.data.push_str(value);
            }
            _ => (),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Guards that where a connection cuts what it carries does not matter.
    #[test]
    fn a_message_is_read_whole_however_it_comes() {
        let text = "retry: 1000\n: the stream begins\nid: v1.a\n\n\
                    id: v1.b\nevent: event\ndata: {\"id\":\ndata: \"\u{e9}\"}\n\n: still here\n\n";
        let expected = [
            Message { id: Some("v1.a".to_owned()), ..Message::default() },
            Message {
                id: Some("v1.b".to_owned()),
                event: Some("event".to_owned()),
                data: "{\"id\":\n\"\u{e9}\"}".to_owned(),
            },
            Message::default(),
        ];
        for size in 1..=text.len() {
            let (mut came, mut read) = (Came::default(), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                came.add(chunk).unwrap();
                while let Some(message) = came.next().unwrap() {
                    read.push(message);
                }
            }
            assert_eq!(read, expected, "in pieces of {size} bytes");
        }
    }

    #[test]
    fn a_message_that_is_not_whole_is_none() {
        let mut came = Came::default();
        came.add(b"id: v1.a\ndata: {}\n").unwrap();
        assert_eq!(came.next().unwrap(), None);
        came.add(b"\n").unwrap();
        assert_eq!(came.next().unwrap().unwrap().id.as_deref(), Some("v1.a"));
        came.add(&[0xff, b'\n', b'\n']).unwrap();
        assert!(came.next().is_err());
    }
}
