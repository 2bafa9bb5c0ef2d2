//! Thousands of malformed requests: the provider must answer each and keep the contract.
//!
//! Most are samples that were signed and then damaged, because a provider refuses arbitrary bytes
//! at once. A seed decides over all requests, so a failure can be repeated: `HOOKGATE_FUZZ` is the
//! number of requests, `HOOKGATE_SEED` the seed. Never draws from another source of chance.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Suite;
use crate::provider::Provider;
use crate::request::{Header, Request};

/// The variable with the number of requests.
const COUNT: &str = "HOOKGATE_FUZZ";
/// The variable with the seed.
const SEED: &str = "HOOKGATE_SEED";
/// The number of requests if the variable is not set.
const COUNT_DEFAULT: u64 = 2_000;
/// Most bytes of a body of arbitrary bytes.
const BODY_BYTES_MAX: usize = 600;

/// Bytes that break careless parsers.
const MORSELS: [&[u8]; 24] = [
    b"",
    b"null",
    b"-",
    b"0",
    b"-0.0e-99999",
    b"99999999999999999999999999999999",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b",",
    b":",
    b"&",
    b"=",
    b"%",
    b"%00",
    b"|",
    b"<a b='",
    b"]]>",
    b"&#x110000;",
    b"\r\n",
];

impl<P: Provider> Suite<P> {
    /// Checks that no malformed request makes the provider panic or break the contract.
    ///
    /// # Panics
    ///
    /// If a request does; the test prints it with its seed.
    pub fn check_fuzz(&self) {
        let count = number(COUNT).unwrap_or(COUNT_DEFAULT);
        let seed = number(SEED).unwrap_or(0x9e37_79b9_7f4a_7c15);
        let requests = self.sent_and_opened();
        let mut chance = Chance(seed | 1);
        for index in 0..count {
            let request = chance.request(&requests);
            let read = catch_unwind(AssertUnwindSafe(|| self.read(&request)));
            if !matches!(read, Ok(Ok(()))) {
                eprintln!("request {index} of {SEED}={seed}: {request:?}");
            }
            match read {
                Ok(Ok(())) => (),
                Ok(Err(violation)) => panic!("{}: {violation}", self.name),
                Err(panic) => resume_unwind(panic),
            }
        }
        println!("fuzz: {count} requests to {}", self.name);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Pseudo-random numbers (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number less than `end`; 0 if `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from((self.next() >> 16) % end).unwrap_or(0)
    }

    fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn request(&mut self, signed: &[Request]) -> Request {
        let mut request = signed[self.below(signed.len())].clone();
        if self.one_in(16) {
            request.body = (0..self.below(BODY_BYTES_MAX)).map(|_| self.byte()).collect();
        }
        for _ in 0..=self.below(4) {
            match self.below(8) {
                0 => self.damage_head(&mut request),
                1 => self.damage_header(&mut request),
                _ => self.damage(&mut request.body),
            }
        }
        request
    }

    fn damage_head(&mut self, request: &mut Request) {
        if self.one_in(2) {
            request.method = ["GET", "OPTIONS", "POST"][self.below(3)].to_owned();
        } else {
            let mut url = std::mem::take(&mut request.url).into_bytes();
            self.damage(&mut url);
            request.url = String::from_utf8_lossy(&url).into_owned();
        }
    }

    fn damage_header(&mut self, request: &mut Request) {
        let at = self.below(request.headers.len());
        let Some(Header { name, value }) = request.headers.get(at).cloned() else { return };
        match self.below(6) {
            0 => drop(request.headers.remove(at)),
            1 => request.headers.push(Header { name, value }),
            _ => {
                let mut value = value.into_bytes();
                self.damage(&mut value);
                request.headers[at].value = String::from_utf8_lossy(&value).into_owned();
            }
        }
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        let end = (at + self.below(24)).min(bytes.len());
        match self.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 | 4 => {
                let morsel = MORSELS[self.below(MORSELS.len())];
                bytes.splice(at..end, morsel.iter().copied());
            }
            _ => {
                let bit = self.below(8);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
        }
    }
}
