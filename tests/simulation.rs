//! The whole gateway against a model: random steps, a clock that a test moves, and after each step
//! everything must be as the model says.
//!
//! A seed gives the steps: genuine, forged, repeated and broken requests, handlers of every
//! verdict, endpoints that fail and recover, leaps of the clock, replays, reloads and restarts. A
//! failure prints its seed; `HOOKGATE_SEED` runs that one again, and `HOOKGATE_SIMULATIONS` says
//! how many.

mod command;
mod model;
mod world;

use fastrand::Rng;

use crate::harness::seed;
use world::World;

/// If `HOOKGATE_SIMULATIONS` says nothing else.
const SIMULATIONS: usize = 4;

const STEPS: usize = 120;

/// Prints the seed if the test fails.
struct Announced(u64);

impl Drop for Announced {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("HOOKGATE_SEED={} HOOKGATE_SIMULATIONS=1 runs this again", self.0);
        }
    }
}

/// Guards I2, I3, I6 and I8.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_history_ends_as_the_model_says() {
    let simulations = std::env::var("HOOKGATE_SIMULATIONS").ok();
    let simulations = simulations
        .map_or(SIMULATIONS, |text| text.parse().expect("HOOKGATE_SIMULATIONS is a number"));
    let first = seed();
    for seed in (0..simulations as u64).map(|number| first.wrapping_add(number)) {
        let announced = Announced(seed);
        let mut random = Rng::with_seed(seed);
        let mut world = World::new().await;
        for _ in 0..STEPS {
            world = world.step(&mut random).await;
        }
        world.end().await;
        drop(announced);
    }
}
