//! What is asked and told at the operators' port: one request a connection, and the whole answer.
//!
//! Never reuses a connection: what it costs to open one is little beside what is measured.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, ensure};

/// The status and the body of the answer to a GET.
pub(crate) fn ask(of: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    send(of, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
}

/// The status and the body of the answer to a POST of JSON.
pub(crate) fn post(of: SocketAddr, path: &str, json: &str) -> anyhow::Result<(u16, String)> {
    let length = json.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{json}"
    );
    send(of, &request)
}

fn send(to: SocketAddr, request: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(to)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    read(&answer)
}

/// The body of the answer to a GET; an error if its status is not 200.
pub(crate) fn get(of: SocketAddr, path: &str) -> anyhow::Result<String> {
    let (status, body) = ask(of, path)?;
    ensure!(status == 200, "{path} was answered with {status}: {body}");
    Ok(body)
}

fn read(answer: &str) -> anyhow::Result<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no whole head")?;
    let status = head.split(' ').nth(1).context("the answer has no status")?;
    Ok((status.parse()?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\n{}\r\n\r\n";
        assert_eq!(read(answer).unwrap(), (503, "{}\r\n\r\n".to_owned()));
        for cut in ["", "HTTP/1.1 200 OK\r\n", "HTTP\r\n\r\n"] {
            assert!(read(cut).is_err(), "{cut}");
        }
    }
}
