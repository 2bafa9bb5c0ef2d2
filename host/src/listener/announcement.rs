//! The header by which a proxy says whom it speaks for, in front of everything else: the PROXY
//! protocol, version 2.
//!
//! Reads it and not a byte behind it. Whether a peer may speak for others is not known here. Never
//! answers anything.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What it begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, of a connection of the proxy's own and of one that it passes on.
const OWN: u8 = 0x20;
const PASSED_ON: u8 = 0x21;
/// TCP over IPv4 and over IPv6.
const TCP_4: u8 = 0x11;
const TCP_6: u8 = 0x21;
/// Most bytes behind the first sixteen: addresses, and what a proxy may add to them.
const BYTES_MAX: usize = 4096;

/// Reads the header, and gives who is spoken for; nobody if the proxy speaks for itself, or for
/// somebody without an address.
pub(super) async fn read<S>(stream: &mut S) -> io::Result<Option<SocketAddr>>
where
    S: AsyncRead + Unpin,
{
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let [signature @ .., command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if signature != SIGNATURE || ![OWN, PASSED_ON].contains(&command) || length > BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    let address = match family {
        _ if command == OWN => return Ok(None),
        TCP_4 => rest.first_chunk().map(|it: &[u8; 12]| {
            let [a, b, c, d, _, _, _, _, high, low, ..] = *it;
            (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), [high, low])
        }),
        TCP_6 => rest.first_chunk().map(|it: &[u8; 36]| {
            let mut address = [0; 16];
            address.copy_from_slice(&it[..16]);
            (IpAddr::V6(Ipv6Addr::from(address)), [it[32], it[33]])
        }),
        _ => return Ok(None),
    };
    let (address, port) = address.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some(SocketAddr::new(address, u16::from_be_bytes(port))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header, with as many bytes behind it as it says.
    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    async fn read_all(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
        let mut left = bytes;
        let read = read(&mut left).await;
        (read, left.len())
    }

    #[tokio::test]
    async fn whom_a_proxy_speaks_for_is_read_and_nothing_behind_it() {
        let four = [203, 0, 113, 9, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        (six[15], six[32], six[33]) = (7, 0x12, 0x67);
        let with_more = [&four[..], &[0x04, 0, 1, 0]].concat();
        for (family, rest, expected) in [
            (TCP_4, &four[..], "203.0.113.9:4711"),
            (TCP_4, &with_more[..], "203.0.113.9:4711"),
            (TCP_6, &six[..], "[2001:db8::7]:4711"),
        ] {
            let bytes = [header(PASSED_ON, family, rest), b"GET /".to_vec()].concat();
            let (read, left) = read_all(&bytes).await;
            assert_eq!((read.unwrap().unwrap().to_string(), left), (expected.to_owned(), 5));
        }
    }

    #[tokio::test]
    async fn a_proxy_that_asks_for_itself_speaks_for_nobody() {
        for bytes in [header(OWN, 0, &[]), header(OWN, TCP_4, &[1; 12]), header(PASSED_ON, 0, &[])]
        {
            let (read, left) = read_all(&bytes).await;
            assert_eq!((read.unwrap(), left), (None, 0));
        }
    }

    #[tokio::test]
    async fn what_is_no_such_header_is_refused() {
        let whole = header(PASSED_ON, TCP_4, &[1; 12]);
        let cut = (0..whole.len()).map(|at| whole[..at].to_vec());
        let others = [
            b"GET / HTTP/1.1\r\nhost: here\r\n\r\n".to_vec(),
            b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n".to_vec(),
            header(0x22, TCP_4, &[1; 12]),
            header(0x11, TCP_4, &[1; 12]),
            header(PASSED_ON, TCP_4, &[1; 11]),
            header(PASSED_ON, TCP_6, &[1; 12]),
            header(PASSED_ON, TCP_4, &[1; BYTES_MAX + 1]),
        ];
        for bytes in cut.chain(others) {
            assert!(read_all(&bytes).await.0.is_err(), "{bytes:?}");
        }
    }
}
