//! The requests of a connection in one number, and whose turn they make it.
//!
//! One number, so that a change of it is one step and whoever reads it sees no half of one. Counts
//! and nothing else: never knows a request or a time.

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The peer's, who has never sent the whole head of a request.
    Silent,
    /// The peer's, who was answered and may ask again.
    Idle,
    /// The peer's: each request that is not held back waits for its body.
    Body,
    /// The gateway's.
    Gateway,
    /// Nobody's: the answers to what was refused are held back.
    Refused,
    /// Nobody's: it makes room for another.
    Closed,
}

/// How many there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Requests {
    /// Begun and not answered.
    served: u16,
    /// Of these, how many wait for the rest of a body.
    bodies: u16,
    /// Of these, how many were refused and are to be answered later.
    held_back: u16,
    /// Whether there ever was one.
    has_begun: bool,
    is_closed: bool,
}

impl Requests {
    pub(super) fn turn(self) -> Turn {
        let peers = self.bodies.saturating_add(self.held_back);
        match self {
            Self { is_closed: true, .. } => Turn::Closed,
            Self { served: 0, has_begun: false, .. } => Turn::Silent,
            Self { served: 0, .. } => Turn::Idle,
            Self { served, .. } if peers < served => Turn::Gateway,
            Self { bodies: 0, .. } => Turn::Refused,
            _ => Turn::Body,
        }
    }

    pub(super) fn begin(&mut self) -> bool {
        self.has_begun = true;
        change(&mut self.served, 1)
    }

    /// One was answered, or taken back.
    pub(super) fn end(&mut self) -> bool {
        change(&mut self.served, -1)
    }

    /// Of those that are the gateway's turn, one waits for its body.
    pub(super) fn waits_for_body(&mut self) -> bool {
        self.turn() == Turn::Gateway && change(&mut self.bodies, 1)
    }

    pub(super) fn has_body(&mut self) -> bool {
        change(&mut self.bodies, -1)
    }

    /// Of those that are the gateway's turn, one is to be answered later.
    pub(super) fn holds_back(&mut self) -> bool {
        self.turn() == Turn::Gateway && change(&mut self.held_back, 1)
    }

    pub(super) fn answers(&mut self) -> bool {
        change(&mut self.held_back, -1)
    }

    pub(super) fn close(&mut self) -> bool {
        self.is_closed = true;
        true
    }
}

/// Whether a number can be changed so, and changes it.
fn change(number: &mut u16, by: i16) -> bool {
    let changed = number.checked_add_signed(by);
    *number = changed.unwrap_or(*number);
    changed.is_some()
}

const BEGUN: u64 = 1 << 48;
const CLOSED: u64 = 1 << 49;

impl From<u64> for Requests {
    fn from(number: u64) -> Self {
        let [served, bodies, held_back] = [0, 16, 32].map(|at| ((number >> at) & 0xffff) as u16);
        let [has_begun, is_closed] = [BEGUN, CLOSED].map(|flag| number & flag != 0);
        Self { served, bodies, held_back, has_begun, is_closed }
    }
}

impl From<Requests> for u64 {
    fn from(requests: Requests) -> Self {
        let Requests { served, bodies, held_back, has_begun, is_closed } = requests;
        let counts =
            Self::from(served) | (Self::from(bodies) << 16) | (Self::from(held_back) << 32);
        let flag = |is_set: bool, flag: Self| if is_set { flag } else { 0 };
        counts | flag(has_begun, BEGUN) | flag(is_closed, CLOSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_requests_one_that_is_the_gateways_turn_makes_it_the_gateways() {
        let mut requests = Requests::default();
        assert_eq!(requests.turn(), Turn::Silent);
        for _ in 0..3 {
            assert!(requests.begin());
        }
        assert_eq!(requests.turn(), Turn::Gateway);
        assert!(requests.waits_for_body() && requests.holds_back());
        assert_eq!(requests.turn(), Turn::Gateway, "the third is worked on");
        assert!(requests.waits_for_body());
        assert_eq!(requests.turn(), Turn::Body);
        assert!(!requests.waits_for_body(), "each of the three waits already");
        assert!(requests.has_body() && requests.end() && requests.has_body() && requests.end());
        assert_eq!(requests.turn(), Turn::Refused);
        assert!(requests.answers() && requests.end());
        assert_eq!(requests.turn(), Turn::Idle);
        assert!(!requests.end() && !requests.has_body() && !requests.answers());
    }

    #[test]
    fn the_number_says_all_of_it() {
        for requests in [
            Requests::default(),
            Requests { served: u16::MAX, ..Requests::default() },
            Requests { bodies: 3, held_back: u16::MAX, has_begun: true, ..Requests::default() },
            Requests {
                served: 1,
                bodies: u16::MAX,
                held_back: 7,
                has_begun: true,
                is_closed: true,
            },
        ] {
            assert_eq!(Requests::from(u64::from(requests)), requests);
        }
    }
}
