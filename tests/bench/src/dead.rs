//! Endpoints that take nothing: each fails in its own way, and for as long as it is there.
//!
//! Never counts what was tried.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::Context;
use axum::http::StatusCode;
use clap::ValueEnum;

use crate::receiver::Receiver;

/// How an endpoint fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Failing {
    /// It answers everything with 503
    Unavailable,
    /// Nothing listens at its port
    Refusing,
    /// It takes connections and never answers
    Silent,
}

/// An endpoint that takes nothing until it is dropped.
pub(crate) struct Dead {
    pub(crate) address: SocketAddr,
    _held: Held,
}

/// What must stay.
enum Held {
    Receiver { _receiver: Receiver },
    Listener { _listener: TcpListener },
    Nothing,
}

impl Dead {
    pub(crate) fn start(failing: Failing) -> anyhow::Result<Self> {
        if failing == Failing::Unavailable {
            let receiver = Receiver::answering(StatusCode::SERVICE_UNAVAILABLE)?;
            let address = receiver.address;
            return Ok(Self { address, _held: Held::Receiver { _receiver: receiver } });
        }
        // Nobody accepts: the system does, and holds what is sent.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr().context("failed to ask for the port")?;
        let held = match failing {
            Failing::Silent => Held::Listener { _listener: listener },
            // The port is free again, and the system gives others out first.
            Failing::Refusing | Failing::Unavailable => Held::Nothing,
        };
        Ok(Self { address, _held: held })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn each_fails_in_its_own_way() {
        let refusing = Dead::start(Failing::Refusing).unwrap();
        assert!(TcpStream::connect(refusing.address).is_err());

        let silent = Dead::start(Failing::Silent).unwrap();
        assert!(TcpStream::connect(silent.address).is_ok());

        let unavailable = Dead::start(Failing::Unavailable).unwrap();
        let mut stream = TcpStream::connect(unavailable.address).unwrap();
        let request = "POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                       content-length: 2\r\n\r\n{}";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
