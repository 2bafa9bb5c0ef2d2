//! Windows of what is owed, driven by chance against a disk that is a map: each work is taken once
//! at a time, none is lost, and little is in memory.

use super::*;

const GROUPS: [&str; 3] = ["crm", "erp", "shop"];
const SUBJECTS: [&str; 3] = ["pi_1", "pi_2", "pi_3"];
const WINDOWS: Windows = Windows { total: 9, least: 1, most: 4, held: 3 };
/// Works in flight at a time.
const HELD_MAX: usize = 5;

/// An open work, as its row says or would.
#[derive(Debug, Clone)]
struct Owed {
    group: &'static str,
    subject: &'static str,
    when: When,
    made: u32,
}

/// A reading that has begun: what it is to bring, and the rows that it sees.
type Begun = (Vec<Wanted>, BTreeMap<u64, Owed>);

struct Model {
    kind: WorkKind,
    /// Whether works of a subject go in order.
    is_ordered: bool,
    /// Whether somebody changes that meanwhile.
    flips: bool,
    keys: OrderKeys,
    random: fastrand::Rng,
    backlog: Backlog,
    now: Timestamp,
    next: u64,
    /// Works before this have rows.
    mark: u64,
    open: BTreeMap<u64, Owed>,
    in_flight: Vec<InFlight>,
    begun: Option<Begun>,
    finished: usize,
    context: String,
}

/// With nothing in it. Deliveries to all endpoints go in order, or none do.
fn empty(is_ordered: bool) -> Backlog {
    let mut backlog = Backlog::new(WINDOWS);
    set_order(&mut backlog, is_ordered);
    backlog
}

fn set_order(backlog: &mut Backlog, is_ordered: bool) {
    let in_order = Order::Subject { skip_after: None };
    let order = if is_ordered { in_order } else { Order::None };
    GROUPS.iter().for_each(|group| backlog.set_order(&group.parse().unwrap(), order));
}

impl Model {
    fn new(kind: WorkKind, is_ordered: bool, seed: u64) -> Self {
        Self {
            kind,
            is_ordered,
            flips: false,
            keys: OrderKeys::default(),
            random: fastrand::Rng::with_seed(seed),
            backlog: empty(is_ordered),
            now: NOW,
            next: 1,
            mark: 1,
            open: BTreeMap::new(),
            in_flight: Vec::new(),
            begun: None,
            finished: 0,
            context: format!("{kind:?} {is_ordered} {seed}"),
        }
    }

    /// At once, from now on.
    fn at_once(&self) -> When {
        When::at_once(if self.is_ordered { AT_ONCE } else { self.now })
    }

    fn work(&self, position: u64) -> OpenWork {
        let Owed { group, subject, when, made } = self.open[&position].clone();
        let mut work = work(self.kind, group, position);
        work.entry.order = self.is_ordered.then(|| self.keys.key(&work.group, subject));
        work.entry.tries = Tries::new(made, false);
        OpenWork { due: when.due, since: when.since, ..work }
    }

    fn rows(&self) -> BTreeMap<u64, Owed> {
        self.open.range(..self.mark).map(|(position, owed)| (*position, owed.clone())).collect()
    }

    /// Much comes at first and then little, so that also what waits comes to the front of its lane.
    fn step(&mut self, number: usize) {
        let is_early = number < 60;
        self.now.0 += self.random.u64(1..4);
        match self.random.u8(..if is_early { 18 } else { 17 }) {
            0 => self.pass(),
            1..=4 => self.take(),
            5..=10 => self.end_one(),
            11 if self.random.bool() => self.take_out(),
            11 => self.hasten(),
            12..=13 => self.begin_read(),
            14 => self.end_read(),
            15 => {
                if self.flips && self.random.u8(..4) == 0 {
                    self.is_ordered = !self.is_ordered;
                    set_order(&mut self.backlog, self.is_ordered);
                }
                if self.random.u8(..20) == 0 {
                    self.restart();
                }
            }
            _ => self.open_some(if is_early { 12 } else { 1 }),
        }
        self.check();
    }

    fn open_some(&mut self, most: u64) {
        for _ in 0..self.random.u64(1..=most) {
            let group = self.random.choice(GROUPS).unwrap();
            let subject = self.random.choice(SUBJECTS).unwrap();
            let owed = Owed { group, subject, when: self.at_once(), made: 0 };
            self.open.insert(self.next, owed);
            self.backlog.push(self.work(self.next));
            self.next += 1;
        }
    }

    fn pass(&mut self) {
        let mark = self.random.u64(self.mark..=self.next);
        self.backlog.set_mark(mark);
        for (position, owed) in self.open.range(self.mark..mark) {
            let key = (owed.when.since, *position);
            self.backlog.passed(self.kind, &owed.group.parse().unwrap(), key);
        }
        self.mark = mark;
    }

    fn take(&mut self) {
        let room = up_to(self.random.usize(1..4).min(HELD_MAX - self.in_flight.len()));
        self.backlog.seen(self.now);
        for taken in self.backlog.take(self.kind, room, self.now) {
            let position = taken.entry.position;
            let context = format!("{}: {position}", self.context);
            let is_taken = self.in_flight.iter().any(|it| it.entry.position == position);
            assert!(!is_taken, "{context} is taken twice");
            let Some(owed) = self.open.get(&position) else { panic!("{context} is finished") };
            assert!(owed.when.due <= self.now, "{context} is due later");
            assert_eq!(taken.entry.tries.made(), owed.made, "{context}");
            if self.is_ordered && !self.flips {
                let is_before = |(other, it): (&u64, &Owed)| {
                    *other < position && (it.group, it.subject) == (owed.group, owed.subject)
                };
                assert!(!self.open.iter().any(is_before), "{context} overtakes another");
            }
            self.in_flight.push(taken);
        }
    }

    fn end_one(&mut self) {
        if self.in_flight.is_empty() {
            return;
        }
        let taken = self.in_flight.swap_remove(self.random.usize(..self.in_flight.len()));
        match self.random.u8(..10) {
            0 => self.backlog.give_back(&taken),
            1..=6 => {
                // The clocks of both may differ.
                let [since, due] = [(); 2].map(|()| Timestamp(self.now.0 + self.random.u64(1..60)));
                let when = When { since, due };
                let owed = self.open.get_mut(&taken.entry.position).unwrap();
                (owed.when, owed.made) = (when, owed.made + 1);
                self.backlog.retry(&taken, when);
            }
            _ => self.finish(&taken),
        }
    }

    fn finish(&mut self, taken: &InFlight) {
        assert!(self.open.remove(&taken.entry.position).is_some(), "{}", self.context);
        self.backlog.finish(taken);
        self.finished += 1;
    }

    /// Somebody replays what waits, or what has waited.
    fn hasten(&mut self) {
        let put_off = self.open.iter().filter(|(_, owed)| !owed.when.is_at_once());
        let put_off: Vec<u64> = put_off.map(|(position, _)| *position).collect();
        for position in put_off.into_iter().filter(|position| position % 3 == self.next % 3) {
            let when = self.at_once();
            let owed = self.open.get_mut(&position).unwrap();
            let before = std::mem::replace(&mut owed.when, when).since;
            self.backlog.hasten(&self.work(position), Some(before));
        }
    }

    /// Somebody ends one out of its turn, wherever it waits, or does not after all.
    fn take_out(&mut self) {
        if self.kind != WorkKind::Delivery {
            return;
        }
        let row = |model: &Self, position: u64| {
            (position < model.mark).then(|| model.open[&position].when.since)
        };
        let taken: Vec<u64> = self.in_flight.iter().map(|it| it.entry.position).collect();
        for position in &taken {
            let (work, row) = (self.work(*position), row(self, *position));
            let again = self.backlog.take_out(&work, row);
            assert!(again.is_none(), "{}: {position} is in flight", self.context);
        }
        let waits = |position: &u64| !taken.contains(position);
        let waiting: Vec<u64> = self.open.keys().copied().filter(waits).collect();
        let Some(position) = self.random.choice(waiting) else { return };
        let (work, row) = (self.work(position), row(self, position));
        let found = self.backlog.take_out(&work, row);
        let found = found.unwrap_or_else(|| panic!("{}: {position} is nowhere", self.context));
        assert_eq!(found.entry.position, position);
        let goes_back = !self.is_ordered && work.due == AT_ONCE && self.random.u8(..4) == 0;
        if goes_back { self.backlog.give_back(&found) } else { self.finish(&found) }
    }

    fn begin_read(&mut self) {
        if self.begun.is_none() && self.backlog.is_low(self.kind) {
            let most = Most { lanes: self.random.usize(1..4), works: self.random.usize(1..9) };
            let wanted = self.backlog.begin_read(self.kind, most);
            assert!(!wanted.is_empty(), "{}: it is low", self.context);
            self.begun = Some((wanted, self.rows()));
        }
    }

    fn end_read(&mut self) {
        let Some((wanted, rows)) = self.begun.take() else { return };
        for wanted in wanted {
            if self.random.u8(..8) == 0 {
                self.backlog.give_up_read(self.kind, wanted.number);
            } else {
                let read = self.read(&wanted, &rows, false);
                self.backlog.fill(self.kind, read);
            }
        }
    }

    /// What a reader finds. At a start all works that go in order and wait for a retry are with it;
    /// where those are no runs, they are always among the others too.
    fn read(&self, wanted: &Wanted, rows: &BTreeMap<u64, Owed>, is_first: bool) -> LaneRead {
        let lane = rows.iter().filter(|(_, owed)| owed.group == wanted.group.as_str());
        let far = lane.map(|(position, owed)| {
            let order = self.is_ordered.then(|| self.keys.key(&wanted.group, owed.subject));
            let (tries, source) = (Tries::new(owed.made, false), SourceNumber::default());
            let entry = Entry { position: *position, offset: 0, tries, source, order };
            let (key, due) = (owed.when.key(*position), owed.when.due);
            FarWork { key, waits: due != AT_ONCE, root: None, work: Some((entry, due)) }
        });
        let (waiting, mut works): (Vec<_>, Vec<_>) =
            far.partition(|work: &FarWork| self.is_ordered && work.waits);
        if self.kind == WorkKind::Delivery {
            works.extend(waiting.iter().cloned());
        }
        works.retain(|work| work.key >= wanted.from);
        works.sort_by_key(|work| work.key);
        let until = works.get(wanted.works).map(|next| next.key);
        works.truncate(wanted.works);
        let waiting = if is_first { waiting } else { Vec::new() };
        LaneRead { number: wanted.number, works, until, waiting }
    }

    /// What was in flight is owed as it was, and what has no row is found in the log.
    fn restart(&mut self) {
        (self.in_flight, self.begun) = (Vec::new(), None);
        self.backlog = empty(self.is_ordered);
        self.backlog.set_mark(self.mark);
        self.backlog.seen(self.now);
        let rows = self.rows();
        for group in GROUPS {
            let of_group = rows.values().filter(|owed| owed.group == group);
            let (ready, waiting): (Vec<_>, Vec<_>) =
                of_group.partition(|owed| owed.when.is_at_once());
            if ready.len() + waiting.len() > 0 {
                let name = group.parse().unwrap();
                let counts = (ready.len(), waiting.len());
                self.backlog.add_far((self.kind, &name), None, counts);
            }
        }
        let most = Most { lanes: usize::MAX, works: self.random.usize(1..30) };
        for wanted in self.backlog.begin_read(self.kind, most) {
            let read = self.read(&wanted, &rows, true);
            self.backlog.fill(self.kind, read);
        }
        let at_once = self.at_once();
        let unrowed: Vec<u64> = self.open.range(self.mark..).map(|(work, _)| *work).collect();
        for position in unrowed {
            let owed = self.open.get_mut(&position).unwrap();
            if owed.when.is_at_once() {
                owed.when = at_once;
            }
            self.backlog.push(self.work(position));
        }
    }

    fn check(&self) {
        let context = &self.context;
        assert_eq!(self.backlog.tallies().open().all.works, self.open.len(), "{context}");
        let stats = self.backlog.stats()[&self.kind];
        assert_eq!(stats.in_flight, self.in_flight.len(), "{context}");
        assert_eq!(stats.pending(), self.open.len(), "{context}: {stats:?}");
        if !self.is_ordered && !self.flips && self.begun.is_none() {
            let unrowed = self.open.range(self.mark..).count();
            let most = unrowed + GROUPS.len() * 2 * WINDOWS.most + HELD_MAX;
            let in_memory = self.backlog.in_memory();
            assert!(in_memory <= most, "{context}: {in_memory} of {}", self.open.len());
        }
    }

    /// Does all that is left, and finds that it is all.
    fn drain(&mut self) {
        let mut idle = 0;
        while !self.open.is_empty() {
            self.end_read();
            self.begin_read();
            self.now.0 += 60;
            let before = self.finished;
            self.take();
            for taken in std::mem::take(&mut self.in_flight) {
                self.finish(&taken);
            }
            self.check();
            idle = if self.finished == before { idle + 1 } else { 0 };
            assert!(idle < 200, "{}: {:?} are lost", self.context, self.open);
        }
        self.end_read();
        assert!(self.backlog.is_idle(self.now), "{}", self.context);
        assert_eq!(self.finished as u64, self.next - 1, "{}", self.context);
        assert_eq!(self.backlog.in_memory(), 0, "{}", self.context);
    }
}

#[test]
fn whatever_happens_each_work_is_taken_once_at_a_time_and_none_is_lost() {
    let kinds = [(WorkKind::Run, true), (WorkKind::Delivery, false), (WorkKind::Delivery, true)];
    for (kind, is_ordered) in kinds {
        for seed in 0..60 {
            let mut model = Model::new(kind, is_ordered, seed);
            (0..500).for_each(|number| model.step(number));
            model.drain();
        }
    }
}

#[test]
fn an_order_that_begins_or_ends_meanwhile_loses_no_work_and_doubles_none() {
    for seed in 0..120 {
        let mut model = Model::new(WorkKind::Delivery, seed % 2 == 0, seed);
        model.flips = true;
        (0..500).for_each(|number| model.step(number));
        model.drain();
    }
}

/// A backlog of which so many deliveries have rows, as a start finds them.
fn started(works: usize, groups: &[&str]) -> Backlog {
    let mut backlog = Backlog::new(WINDOWS);
    backlog.set_mark(u64::MAX);
    for group in groups {
        let name = group.parse().unwrap();
        backlog.add_far((WorkKind::Delivery, &name), None, (works, 0));
    }
    backlog
}

/// Deliveries at these positions, read in a lane.
fn read(wanted: &Wanted, positions: std::ops::Range<u64>, until: Option<Key>) -> LaneRead {
    let far = |position| {
        let entry = work(WorkKind::Delivery, "crm", position).entry;
        let key = (NOW, position);
        FarWork { key, waits: false, root: None, work: Some((entry, AT_ONCE)) }
    };
    let (number, works, waiting) = (wanted.number, positions.map(far).collect(), Vec::new());
    LaneRead { number, works, until, waiting }
}

#[test]
fn what_is_on_disk_counts_and_is_not_idle_until_it_is_switched_off() {
    let mut backlog = started(7, &["crm"]);
    assert_eq!(backlog.stats()[&WorkKind::Delivery].ready, 7);
    assert_eq!(backlog.tallies().open().all.works, 7);
    assert!(backlog.is_low(WorkKind::Delivery) && !backlog.is_idle(NOW));

    assert!(!allow(&mut backlog, "crm", Allowance::of(0)));
    assert!(backlog.is_idle(NOW) && !backlog.is_low(WorkKind::Delivery));
    assert!(allow(&mut backlog, "crm", Allowance::of(2)), "something can be read");
    assert!(backlog.is_low(WorkKind::Delivery));
}

#[test]
fn a_lane_that_turns_out_to_have_no_more_is_read_no_more() {
    let mut backlog = started(70, &["crm"]);
    let most = Most { lanes: 9, works: 9 };
    let wanted = backlog.begin_read(WorkKind::Delivery, most);
    assert!(!backlog.is_idle(NOW), "it is being read");
    backlog.fill(WorkKind::Delivery, read(&wanted[0], 1..3, None));
    assert_eq!(positions(&deliveries(&mut backlog, 9)), [1, 2]);
    assert!(!backlog.is_low(WorkKind::Delivery));
    assert_eq!(backlog.stats()[&WorkKind::Delivery].ready, 0);
}

#[test]
fn a_work_that_is_not_what_its_row_says_is_parked_and_stops_no_other() {
    let mut backlog = started(3, &["crm"]);
    let wanted = backlog.begin_read(WorkKind::Delivery, Most { lanes: 9, works: 9 });
    let mut lane = read(&wanted[0], 1..4, None);
    lane.works[1].work = None;
    backlog.fill(WorkKind::Delivery, lane);

    assert_eq!(positions(&deliveries(&mut backlog, 9)), [1, 3]);
    let stats = backlog.stats()[&WorkKind::Delivery];
    assert_eq!((stats.parked, stats.in_flight), (1, 2));
    assert_eq!(backlog.tallies().open().all.works, 2);
}

/// As a start finds it that can't read what the run is on.
#[test]
fn a_run_that_waits_and_can_not_be_read_keeps_no_others_in_memory() {
    let (kind, handler) = (WorkKind::Run, "ledger".parse().unwrap());
    let mut backlog = Backlog::new(WINDOWS);
    backlog.set_mark(u64::MAX);
    backlog.add_far((kind, &handler), None, (0, 1));
    let number = backlog.begin_read(kind, Most { lanes: 9, works: 9 })[0].number;
    let entry = work(kind, "ledger", 5).entry;
    let far = FarWork { key: (NOW, 5), waits: true, root: None, work: Some((entry, AT_ONCE)) };
    let (works, waiting) = (Vec::new(), vec![far]);
    backlog.fill(kind, LaneRead { number, works, until: None, waiting });

    (10..50).for_each(|position| backlog.push(work(kind, "ledger", position)));

    assert!(backlog.in_memory() <= 1 + WINDOWS.most, "{} of them", backlog.in_memory());
    assert_eq!(backlog.latest(), AT_ONCE, "nothing went that waited");
    let taken = positions(&take_runs(&mut backlog, NOW));
    assert!(taken.contains(&5), "it goes at once: {taken:?}");
}

#[test]
fn lanes_are_read_in_turn_and_share_what_there_is() {
    let names: Vec<String> = (0..40).map(|number| format!("crm-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut backlog = started(5, &names);
    let most = Most { lanes: 16, works: 64 };
    let mut seen = Vec::new();
    for _ in 0..3 {
        let wanted = backlog.begin_read(WorkKind::Delivery, most);
        // Of forty lanes each may have one work in memory.
        assert!(wanted.iter().all(|wanted| wanted.works == WINDOWS.least));
        for wanted in wanted {
            seen.push(wanted.number);
            backlog.give_up_read(WorkKind::Delivery, wanted.number);
        }
    }
    assert_eq!(seen.len(), 48);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 40, "none has a second turn before all have had one");
}
