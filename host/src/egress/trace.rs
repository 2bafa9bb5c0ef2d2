//! What is seen on the way to an answer: how far a request came, where to, and for how long.
//!
//! A value that is filled as a request goes along. Never decides anything.

use std::net::SocketAddr;
use std::time::Instant;

use crate::failure::Phase;

/// How a request went, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The address that it went to, or would have.
    pub(crate) peer: Option<SocketAddr>,
    /// The phase that it is in; `None` if nothing was done yet, or that is not seen.
    pub(crate) phase: Option<Phase>,
    /// Microseconds in each phase; `None` for one that was not come to.
    pub(crate) times_us: [Option<u32>; 6],
    /// Whether the connection was open already.
    pub(crate) reused: bool,
    /// Whether it goes over HTTP/2.
    pub(crate) http2: bool,
    /// When the phase began; `None` once it has ended.
    began: Option<Instant>,
}

impl Trace {
    /// The phase that it was in ends, if there was one, and this one begins.
    pub(crate) fn enter(&mut self, phase: Phase) {
        let now = Instant::now();
        self.end(now);
        self.phase = Some(phase);
        self.began = Some(now);
    }

    /// All ends, in the phase that it is in.
    pub(crate) fn stop(&mut self) {
        self.end(Instant::now());
    }

    fn end(&mut self, now: Instant) {
        let (Some(phase), Some(began)) = (self.phase, self.began.take()) else { return };
        let spent = u32::try_from(now.duration_since(began).as_micros()).unwrap_or(u32::MAX);
        let time = &mut self.times_us[phase as usize];
        *time = Some(time.unwrap_or_default().saturating_add(spent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_has_a_time_once_it_was_come_to_and_has_ended() {
        let mut trace = Trace::default();
        trace.stop();
        assert_eq!(trace, Trace::default());
        trace.enter(Phase::Connect);
        assert_eq!(trace.times_us, [None; 6]);
        trace.enter(Phase::Send);
        trace.stop();
        // Nothing is going on any more: no time is counted twice.
        let stopped = trace;
        trace.stop();
        assert_eq!(trace, stopped);
        let seen = Phase::ALL.map(|phase| trace.times_us[phase as usize].is_some());
        assert_eq!(
            (trace.phase, seen),
            (Some(Phase::Send), [false, true, false, true, false, false])
        );
    }
}
