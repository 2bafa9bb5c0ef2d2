//! A request that is held back in the middle, so that a test says who is in flight.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Harness;

/// A request whose body is on its way.
#[derive(Debug)]
pub(super) struct Held(TcpStream);

impl Held {
    /// Sends the head, and waits until the gateway asks for the body: by then it has been let in.
    pub(super) async fn begin(gateway: &Harness, source: &str, headers: &str) -> Self {
        let address = gateway.public().strip_prefix("http://").expect("it is an address");
        let mut held = Self(TcpStream::connect(address).await.expect("the gateway listens"));
        let head = format!(
            "POST /in/{source} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             expect: 100-continue\r\n{headers}\r\n\r\n"
        );
        held.send(head.as_bytes()).await;
        let wanted = b"HTTP/1.1 100 Continue\r\n\r\n";
        let mut interim = vec![0; wanted.len()];
        held.0.read_exact(&mut interim).await.expect("the gateway goes on");
        assert_eq!(String::from_utf8_lossy(&interim), String::from_utf8_lossy(wanted));
        held
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the gateway reads");
    }

    /// Sends a part of a body that does not say its length.
    pub(super) async fn send_chunk(&mut self, bytes: &[u8]) {
        self.send(format!("{:x}\r\n", bytes.len()).as_bytes()).await;
        self.send(bytes).await;
        self.send(b"\r\n").await;
    }

    /// The answer's status.
    pub(super) async fn answer(self) -> u16 {
        let answer = self.whole_answer().await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no answer: {answer}"))
    }

    pub(super) async fn whole_answer(mut self) -> String {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).await.expect("the answer is whole");
        String::from_utf8(answer).expect("the answer is text")
    }
}
