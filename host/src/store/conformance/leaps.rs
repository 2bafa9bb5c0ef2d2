//! Leaps: somebody sets the clock by years, ahead or back, while the store is open or while it is
//! not, for a moment or for days. Nothing gets older by that, and nothing waits longer [I3, I8].

use std::pin::pin;

use super::once::{idle, keeping};
use super::*;

/// Thirty, in milliseconds.
const YEARS: u64 = 30 * 365 * 86_400_000;
/// The delay of a retry.
const DELAY: Duration = Duration::from_secs(5 * 60);
/// So many ids that more come than are in memory.
const MANY: usize = 80;

/// What somebody does to the clock.
#[derive(Debug, Clone, Copy)]
enum Leap {
    Ahead,
    Back,
}

const LEAPS: [Leap; 2] = [Leap::Ahead, Leap::Back];

impl<S: Subject> Case<S> {
    /// A store that keeps hardly any id in memory.
    fn forgetful() -> Self {
        Self::with(Config { fresh_ids: 5, ..Config::at("nowhere") })
    }

    /// Sets the clock by years.
    fn leap(&self, leap: Leap) {
        let now = self.clock.now().0;
        self.clock.set(Timestamp(match leap {
            Leap::Ahead => now + YEARS,
            Leap::Back => now - YEARS,
        }));
    }

    /// Sets it right again.
    fn leap_back(&self, leap: Leap) {
        self.leap(match leap {
            Leap::Ahead => Leap::Back,
            Leap::Back => Leap::Ahead,
        });
    }

    /// Brings this event, as a provider and a worker do whose clock is the store's, and ends its
    /// delivery so.
    async fn deliver(&self, id: &str, verdict: Verdict) -> Id {
        let now = self.clock.now();
        let mut new = receipt(&[id]);
        Arc::get_mut(&mut new.request).expect("nobody else has it").received_at = now;
        assert!(matches!(self.store.append(new).await.unwrap(), Appended::Stored(_)));
        let parsed = Try { at: now, ..tried(Verdict::Done) };
        let events = vec![event(id, "").to(&[], &["crm"])];
        let added =
            self.store.commit_parse(self.parse().await, parsed, events).await.unwrap().unwrap();
        let attempt = Attempt { at: now, ..attempt(verdict) };
        let is_it = |work: &DeliveryWork| match &work.payload {
            Payload::Event(stored) => stored.event.id == id,
            Payload::Parcel(_) => false,
        };
        let delivery = self.deliveries().await.into_iter().find(is_it).expect("it is owed");
        self.store.record_attempt(delivery, attempt).await.unwrap().unwrap();
        added[0]
    }

    /// Makes many commits: all ids in memory go to the file, and what is too old goes from there.
    async fn go_on(&self, named: &str) {
        for number in 0..MANY {
            self.append(&[&format!("{named} {number}")]).await;
        }
        idle(self).await;
    }

    async fn check_known(&self, id: &str) {
        let again = self.store.append(receipt(&[id])).await.unwrap();
        assert!(matches!(again, Appended::Duplicate(_)), "{id} is forgotten");
    }

    async fn shows(&self, id: Id) -> bool {
        self.store.event(id).await.unwrap().is_some()
    }
}

/// [I3]
pub(in crate::store) async fn no_leap_of_the_clock_makes_an_id_forgotten<S: Subject>() {
    for leap in LEAPS {
        let mut case = Case::<S>::forgetful();
        case.append(&["before"]).await;
        case.go_on("right").await;
        case.leap(leap);
        case.append(&["while"]).await;
        case.go_on("off").await;
        // It stays there, also over a start.
        case.clock.advance(days(3));
        case.go_on("still off").await;
        case.reopen().await;
        case.go_on("still off again").await;
        case.leap_back(leap);
        case.go_on("right again").await;
        case.clock.advance(days(3));
        case.go_on("still right").await;

        for case in [&case, &case.killed()] {
            for id in ["before", "while", "off 0", "still off 0", "right again 0"] {
                case.check_known(id).await;
            }
        }
    }
}

/// [I8]
pub(in crate::store) async fn no_leap_of_the_clock_sweeps_what_is_young<S: Subject>() {
    let retention = keeping(days(60));
    for leap in LEAPS {
        let mut case = Case::<S>::new();
        let mut ids = vec![case.deliver("before", Verdict::Done).await];
        ids.push(case.deliver("dead before", Verdict::Dead).await);
        case.leap(leap);
        ids.push(case.deliver("while", Verdict::Done).await);
        ids.push(case.deliver("dead while", Verdict::Dead).await);
        case.reopen().await;
        case.clock.advance(days(3));
        case.store.sweep(&retention).await.unwrap();
        case.leap_back(leap);
        case.reopen().await;
        case.clock.advance(days(3));
        let swept = case.store.sweep(&retention).await.unwrap();

        assert_eq!((swept.bodies, swept.records, swept.letters), (0, 0, 0), "{leap:?}");
        for id in &ids {
            assert!(case.shows(*id).await, "{id} after {leap:?}");
        }
        assert_eq!(case.store.dead(Page { cursor: None, limit: 9 }).await.unwrap().items.len(), 2);

        // And it is no younger for that.
        case.clock.advance(days(60));
        let swept = case.store.sweep(&retention).await.unwrap();
        assert_eq!(swept.letters, 2, "{leap:?}");
        for id in ids {
            assert!(!case.shows(id).await, "{id} after {leap:?}");
        }
    }
}

/// [I8]
pub(in crate::store) async fn no_leap_of_the_clock_strands_a_retry<S: Subject>() {
    for leap in LEAPS {
        let case = Case::<S>::new();
        let put_off = |case: &Case<S>| Verdict::RetryAt(case.clock.now().after(DELAY));
        case.deliver("before", put_off(&case)).await;
        case.leap(leap);
        case.deliver("while", put_off(&case)).await;
        let killed = case.killed();
        case.leap_back(leap);
        let killed_later = case.killed();

        for case in [&case, &killed, &killed_later] {
            case.clock.advance(DELAY);
        }

        for case in [&case, &killed, &killed_later] {
            let due = case.deliveries().await;
            assert_eq!(due.len(), 2, "{leap:?}");
            for delivery in due {
                case.end_delivery(delivery, Verdict::Done).await;
            }
        }
    }
}

/// [I8]
pub(in crate::store) async fn who_waits_for_a_retry_is_woken_though_the_clock_leaps<S: Subject>() {
    for leap in LEAPS {
        let case = Case::<S>::new();
        case.deliver("evt_1", Verdict::RetryAt(case.clock.now().after(DELAY))).await;
        case.store.idle().await;
        let mut ready = pin!(case.store.ready(WorkKind::Delivery));
        tokio::select! {
            biased;
            () = &mut ready => panic!("it is due later"),
            () = std::future::ready(()) => (),
        }

        case.leap(leap);
        case.clock.advance(DELAY);

        ready.await;
        assert_eq!(case.deliveries().await.len(), 1, "{leap:?}");
    }
}
