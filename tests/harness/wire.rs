//! One connection to a gateway, kept open, with no more HTTP than a sender needs.
//!
//! A client with a pool opens another whenever it likes; who counts on being connected has to know
//! that it is still by this one. Never connects again.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// An open connection.
pub(crate) struct Wire<S = TcpStream>(S);

/// How a request was answered.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    /// In lower case.
    head: String,
    pub(crate) body: String,
}

impl Wire {
    /// Connects to the address in a URL.
    pub(crate) async fn open(url: &str) -> io::Result<Self> {
        let address = url.strip_prefix("http://").expect("it is the URL of a port");
        Ok(Self(TcpStream::connect(address).await?))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Over what is open already.
    pub(crate) fn over(stream: S) -> Self {
        Self(stream)
    }

    /// Posts to a path, and reads the whole answer.
    pub(crate) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> io::Result<Heard> {
        let length = body.len();
        let headers: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: here\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        );
        self.exchange(&request).await
    }

    /// Gets what is at a path of the operators' port, and reads the whole answer.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<Heard> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await
    }

    async fn exchange(&mut self, request: &str) -> io::Result<Heard> {
        self.0.write_all(request.as_bytes()).await?;
        let mut heard = Vec::with_capacity(1024);
        loop {
            if self.0.read_buf(&mut heard).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(heard) = Heard::whole(&heard) {
                return Ok(heard);
            }
        }
    }
}

impl Heard {
    /// An answer, once all of it is there.
    fn whole(bytes: &[u8]) -> Option<Self> {
        let (head, body) = std::str::from_utf8(bytes).ok()?.split_once("\r\n\r\n")?;
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1)?.parse::<u16>().ok()?;
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
        let is_whole = body.len() == length.parse::<usize>().ok()?;
        is_whole.then(|| Self { status, head, body: body.to_owned() })
    }

    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line.starts_with(&format!("{header}: ")))
    }
}
