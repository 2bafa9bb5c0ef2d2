//! Measures `claim` natively, so that `make bench` can compare the sandbox with it.
//!
//! It reads an HTTP request from standard input. Its arguments are the number of calls before the
//! measurement and the number of measured calls; it writes the nanoseconds of each, one a line.
//! Every call gets a new request, as in the sandbox. It never verifies anything.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Instant;

use hookgate_sdk::{Provider, Request};
use hookgate_stripe::Stripe;

fn main() -> io::Result<()> {
    let mut counts = std::env::args().skip(1).map(|count| count.parse::<usize>());
    let (Some(Ok(before)), Some(Ok(count))) = (counts.next(), counts.next()) else {
        return Err(io::Error::other("give two numbers: calls before, and calls to measure"));
    };
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    let mut received = Request::post("/in/stripe", body);
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        received.set_header(name, value);
    }

    let mut out = io::BufWriter::new(io::stdout().lock());
    for call in 0..before + count {
        let began = Instant::now();
        let request = black_box(&received).clone();
        let claims = black_box(Stripe::claim(&request));
        drop((request, claims.map_err(|refusal| io::Error::other(refusal.reason))?));
        let took = began.elapsed();
        if call >= before {
            writeln!(out, "{}", took.as_nanos())?;
        }
    }
    out.flush()
}
