//! The randomness of a guest: two generators that start from what the call is about.
//!
//! Both are set anew where the instance of a call is used again. Neither is a secret, and neither
//! draws from the host.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng, TryRng};

use crate::lock::lock;

/// What a call starts from.
type Seed = [u8; 32];

/// The generators of an instance.
pub(super) struct Random {
    /// What the guest believes to be secure.
    pub(super) secure: Generator,
    pub(super) insecure: Generator,
}

/// One of them. All clones go on from where the others are.
#[derive(Clone)]
pub(super) struct Generator(Arc<Mutex<StdRng>>);

impl Random {
    /// Those of a call with this seed, and the number that its guest gets to seed tables with.
    pub(super) fn of(seed: Seed) -> (Self, u128) {
        let (secure, insecure, number) = drawn(seed);
        let generator = |random| Generator(Arc::new(Mutex::new(random)));
        (Self { secure: generator(secure), insecure: generator(insecure) }, number)
    }

    /// Has both be those of another call, with this seed.
    pub(super) fn restart(&self, seed: Seed) {
        let (secure, insecure, _) = drawn(seed);
        *lock(&self.secure.0) = secure;
        *lock(&self.insecure.0) = insecure;
    }
}

/// The secure one, the other, and a number.
fn drawn(seed: Seed) -> (StdRng, StdRng, u128) {
    let mut secure = StdRng::from_seed(seed);
    let number = u128::from(secure.next_u64()) << 64 | u128::from(secure.next_u64());
    let insecure = StdRng::from_rng(&mut secure);
    (secure, insecure, number)
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(lock(&self.0).next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(lock(&self.0).next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        lock(&self.0).fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_call_draws_what_it_would_draw_in_a_fresh_instance() {
        let draw = |random: &Random| {
            let (mut secure, mut insecure) = (random.secure.clone(), random.insecure.clone());
            [secure.next_u64(), insecure.next_u64()]
        };
        let (used, number) = Random::of([1; 32]);
        let first = draw(&used);
        assert_ne!(first, draw(&used));

        used.restart([2; 32]);

        let (fresh, other) = Random::of([2; 32]);
        assert_eq!(draw(&used), draw(&fresh));
        assert_ne!(number, other);
        used.restart([1; 32]);
        assert_eq!(draw(&used), first);
    }
}
