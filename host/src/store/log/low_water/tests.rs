//! When the mark moves, how far, and what it passes.

use super::*;

/// What most tests leave the clock at.
const NOW: Timestamp = Timestamp(1_000_000);

fn waiting(group: &Name) -> Waiting<&Name> {
    let (kind, since) = (WorkKind::Delivery, Timestamp(5));
    Waiting { kind, group, since, waits: false, is_parcel: false, root: None }
}

/// A mark that is driven by commits.
struct Bench {
    low_water: LowWater,
    crm: Name,
    end: u64,
    now: Timestamp,
    /// Works that are in memory only because they have no rows.
    aside: usize,
}

impl Bench {
    fn new(lag: Duration) -> Self {
        let (low_water, crm) = (LowWater::new(1, lag), "crm".parse().unwrap());
        Self { low_water, crm, end: 1, now: NOW, aside: 0 }
    }

    /// One whose mark does not wait for time to pass.
    fn hasty() -> Self {
        Self::new(Duration::ZERO)
    }

    /// One commit that opens so many works and adds so many bytes; the move that it makes.
    fn commit(&mut self, works: usize, bytes: usize) -> Option<Move> {
        let moved = self.low_water.due_move(self.now, self.aside);
        let mark = moved.as_ref().map_or(self.low_water.mark(), |moved| moved.mark);
        let first = self.end;
        self.end += works as u64;
        let added = Added { end: self.end, at: self.now, bytes, works };
        self.low_water.committed(mark, added);
        for position in first..self.end {
            self.low_water.opened(position, &waiting(&self.crm));
        }
        moved
    }

    /// The moves that come of so many of them.
    fn moves(&mut self, commits: usize, works: usize, bytes: usize) -> Vec<Move> {
        (0..commits).filter_map(|_| self.commit(works, bytes)).collect()
    }

    fn open(&self) -> usize {
        self.low_water.stretches.iter().map(Stretch::open).sum()
    }
}

fn marks(moves: &[Move]) -> Vec<u64> {
    moves.iter().map(|moved| moved.mark).collect()
}

#[test]
fn the_mark_follows_in_small_steps_and_names_the_stragglers() {
    let mut bench = Bench::hasty();
    let mut moves = Vec::new();
    for _ in 0..600 {
        moves.extend(bench.commit(1, 9));
        let position = bench.end - 1;
        if position == 3 {
            bench.low_water.put_off(position, Timestamp(9), true);
        } else {
            bench.low_water.finished(position);
        }
    }

    let expected: Vec<u64> = (1..=20).map(|step| 1 + 16 * step).collect();
    assert_eq!(marks(&moves)[..20], expected);
    let (kind, group) = (WorkKind::Delivery, bench.crm.clone());
    let since = Timestamp(9);
    let put_off = Waiting { kind, group, since, waits: true, is_parcel: false, root: None };
    assert_eq!(moves[0].passed, [(3, put_off)]);
    assert!(moves[1..].iter().all(|moved| moved.passed.is_empty()));
    assert_eq!((bench.open(), bench.low_water.since(3)), (0, None));
}

#[test]
fn what_ends_within_a_minute_gets_no_row() {
    let mut bench = Bench::new(LAG);
    for number in 0..6_000 {
        bench.now = Timestamp(NOW.0 + 10 * number);
        let moved = bench.commit(1, 100);
        assert!(moved.is_none_or(|moved| moved.passed.is_empty()), "after {number}");
        // Each ends half a minute later.
        let ended = bench.end.saturating_sub(3_000);
        bench.low_water.finished(ended);
    }
    let mark = bench.low_water.mark();
    assert_eq!(mark, 1, "nothing is older than a minute");
    bench.now = bench.now.after(LAG);
    assert!(bench.commit(1, 100).is_some_and(|moved| moved.mark > mark));
}

#[test]
fn the_mark_passes_little_at_a_time() {
    let works = PASSED_MAX / 2 + 1;
    let moves = Bench::hasty().moves(400, works, 9);

    // Two commits have opened enough for one move.
    assert!(moves.len() > 50 && moves.iter().all(|moved| moved.passed.len() == 2 * works));
    assert!(moves.iter().all(|moved| moved.mark % (2 * works as u64) == 1), "commits end there");
}

#[test]
fn the_mark_comes_on_by_itself_when_too_much_is_behind_it() {
    let works = 4 * PASSED_MAX;
    let mut bench = Bench::new(LAG);
    let moves = bench.moves(WORKS_BEHIND / works + 100, works, 9);

    assert_eq!(moves[0].mark, 1 + works as u64);
    assert!(moves.len() > 90 && moves.iter().all(|moved| moved.passed.len() == works));
    assert!(bench.open() <= WORKS_BEHIND + 2 * works, "{} are open", bench.open());
    let mark = bench.low_water.mark();
    assert_eq!(mark, moves.last().unwrap().mark);
    assert_eq!(bench.low_water.since(mark - 1), None);
    assert_eq!(bench.low_water.since(mark), Some(Timestamp(5)));
}

#[test]
fn a_start_never_has_to_read_too_many_bytes() {
    let mut bench = Bench::new(LAG);
    let commits = 2 * BYTES_BEHIND / (1 << 20);
    bench.moves(commits, 1, 1 << 20);
    assert!(bench.low_water.size.bytes <= BYTES_BEHIND + (17 << 20), "{:?}", bench.low_water.size);
    assert!(bench.low_water.size.bytes > BYTES_BEHIND - (17 << 20), "{:?}", bench.low_water.size);
}

#[test]
fn what_waits_in_memory_for_its_row_gets_it_before_it_is_too_much() {
    let mut bench = Bench::new(LAG);
    let mut rowed = 0;
    for _ in 0..2 * ASIDE_MAX / 32 {
        // None of them finds room in its window.
        bench.aside = bench.end as usize - 1 - rowed;
        let moved = bench.commit(32, 9);
        rowed += moved.map_or(0, |moved| moved.passed.len());
    }
    assert!(bench.open() <= ASIDE_MAX + 600, "{} are open", bench.open());
    assert!(rowed > ASIDE_MAX / 2, "{rowed}");
}

/// Or so much might come in that no memory holds it, while the mark passes what came before.
#[test]
fn the_mark_keeps_up_with_commits_that_open_much_behind_many_that_open_little() {
    let mut bench = Bench::new(LAG);
    bench.moves(WORKS_BEHIND / 8, 8, 9);
    let works = 10_000;
    bench.moves(200, works, 9);
    assert!(bench.open() <= WORKS_BEHIND + 3 * works, "{} are open", bench.open());
}

#[test]
fn a_stop_gives_rows_to_what_is_open_unless_that_is_too_much() {
    let mut bench = Bench::new(LAG);
    bench.moves(20, 100, 9);
    let Move { mark, passed } = bench.low_water.last_move();
    assert_eq!((mark, passed.len()), (bench.end, 2_000));

    bench.moves(PASSED_AT_STOP / 1_000 + 9, 1_000, 9);
    let Move { mark, passed } = bench.low_water.last_move();
    assert!(mark < bench.end && passed.len() > PASSED_AT_STOP - 1_000, "{mark}");
    assert!(passed.len() <= PASSED_AT_STOP, "{}", passed.len());

    let nothing = LowWater::new(7, LAG).last_move();
    assert_eq!((nothing.mark, nothing.passed.len()), (7, 0));
}

#[test]
fn what_is_old_enough_is_packed_wherever_the_mark_is() {
    let mut bench = Bench::new(LAG);
    bench.moves(COMMITS_BEHIND, 1, 9);
    assert_eq!(bench.low_water.aged(), 1);
    bench.moves(100, 1, 9);
    assert_eq!((bench.low_water.mark(), bench.low_water.aged()), (1, 1 + 96));
}

#[test]
fn a_list_finds_the_last_open_work_before_a_position() {
    let mut bench = Bench::new(LAG);
    bench.moves(100, 3, 9);
    for position in (1..=300).filter(|position| ![50, 60, 290].contains(position)) {
        bench.low_water.finished(position);
    }
    let last = |before| bench.low_water.last_open(before, |kind, _| kind == WorkKind::Delivery);
    let found = [1_000, 290, 60, 50].map(last);
    assert_eq!(found, [Some(290), Some(60), Some(50), None]);
    assert_eq!(bench.low_water.last_open(1_000, |kind, _| kind == WorkKind::Run), None);
}

#[test]
fn the_mark_goes_no_further_than_256_commits_behind_however_old_all_is() {
    let mut bench = Bench::new(LAG);
    bench.moves(300, 1, 9);
    bench.now = bench.now.after(LAG);
    let moved = bench.commit(1, 9).unwrap();
    assert_eq!((moved.mark, moved.passed.len()), (33, 32));
    assert!(bench.commit(1, 9).is_none());
}
