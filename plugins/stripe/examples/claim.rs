//! What reading the claims off a request costs natively, for `make bench` to hold the sandbox
//! against.
//!
//! Takes an HTTP request on standard input, and how many calls to make before and how many to time;
//! writes the nanoseconds of each, a line each. A request is made for every call, as in the
//! sandbox.

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::time::Instant;

use hookgate_sdk::{Provider, Request};
use hookgate_stripe::Stripe;

fn main() -> io::Result<()> {
    let mut counts = std::env::args().skip(1).map(|count| count.parse::<usize>());
    let (Some(Ok(before)), Some(Ok(count))) = (counts.next(), counts.next()) else {
        return Err(io::Error::other("how many calls before, and how many to time?"));
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
