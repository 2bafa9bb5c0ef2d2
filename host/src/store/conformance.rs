//! What every store must keep, as checks that any store can be held to.
//!
//! Each check drives a store from outside, through its operations, kills and starts. A [`Subject`]
//! is what keeps a store; [`suite`] makes a test of every check for one. Compiled for tests only.
//! Never looks at how a store keeps anything: what is true of one store alone is tested beside it.
//!
//! | invariant | rooms |
//! |---|---|
//! | I1 accepted is durable | `durability`, `parsed`, `concurrency`, `cuts`, `histories` |
//! | I3 once | `once`, `parsed`, `leases`, `forgetting`, `concurrency`, `cuts`, `histories` |
//! | I6 all or nothing | `effects`, `parsed`, `states`, `concurrency`, `cuts`, `histories` |
//! | I7 bounded | `bounds`, `fairness`, `states`, `uncommitted` |
//! | I8 nothing is lost | `leases`, `restarts`, `replays`, `forgetting`, `cuts`, `histories` |
//! | I10 stopping loses nothing | `restarts`, `leases` |
//! | I11 one can't starve another | `fairness`, `uncommitted` |
//! | I12 nothing decides over the process | `damage` |
//!
//! `replays` and `by_filter` have what is asked for by ids and by a filter, the latter also for
//! I3, I7, I10 and I11, and `bulk` how very much of it leaves room for others, for I7, I8 and I11.
//! `far` has what need not be in memory, for I3, I8 and I11, `ending` what ends without a try, for
//! I3 and I8, and `admin` what the admin port writes, for I1, I3 and I8. `durability` also has by
//! what events wait for a handler, for I8.
//!
//! Beside them `order` has the promise that what is of one subject goes one after the other,
//! `parsed` that the events of a source come in the order in which they were accepted, and
//! `leaps` what a clock that somebody sets could break of I3 and I8. I2, I4, I5 and I9 are kept
//! before anything comes to a store.

pub(in crate::store) mod admin;
pub(in crate::store) mod bounds;
pub(in crate::store) mod bulk;
pub(in crate::store) mod by_filter;
pub(in crate::store) mod concurrency;
pub(in crate::store) mod cuts;
pub(in crate::store) mod damage;
pub(in crate::store) mod drive;
pub(in crate::store) mod durability;
pub(in crate::store) mod effects;
pub(in crate::store) mod ending;
pub(in crate::store) mod fairness;
pub(in crate::store) mod far;
pub(in crate::store) mod forgetting;
pub(in crate::store) mod histories;
pub(in crate::store) mod leaps;
pub(in crate::store) mod leases;
pub(in crate::store) mod once;
pub(in crate::store) mod order;
pub(in crate::store) mod parsed;
pub(in crate::store) mod replays;
pub(in crate::store) mod restarts;
pub(in crate::store) mod samples;
pub(in crate::store) mod states;
pub(in crate::store) mod uncommitted;

use self::drive::{Drive, Started, is_pending, start};
use self::samples::*;
use super::*;
use crate::event::Timestamp;
use crate::ids::{Id, Name};
use crate::retry::Verdict;

/// What keeps a store, and can be killed under it. The default keeps nothing yet.
pub(in crate::store) trait Subject: Default + Send + Sync + 'static {
    /// Opens the store that it keeps.
    fn open(&self, config: &Config, clock: Clock) -> Store;

    /// What a kill leaves now, apart from this one, which goes on.
    fn killed(&self) -> Self;

    /// From now on keeps what a kill in the middle of each commit would leave.
    fn keep_cuts(&self);

    /// How many of these there are.
    fn cuts_kept(&self) -> usize;

    /// Takes them, the oldest first, each with so many ways to leave some of a commit.
    fn take_cuts(&self, ways: usize, random: &mut fastrand::Rng) -> Vec<Cut<Self>>;

    /// From now on a commit waits in the middle.
    fn hold_commits(&self);

    /// Blocks until one waits; fails if none comes.
    fn wait_for_commit(&self);

    /// Ends [`Subject::hold_commits`].
    fn let_commits_go(&self);

    /// Makes what a store keeps under this id unreadable, without telling the store.
    fn damage(&self, store: &Store, id: Id);

    /// Turns one bit in an event id of what a store keeps under this id, as a disk may.
    fn flip(&self, store: &Store, id: Id);
}

/// What a kill in the middle of a commit may leave.
pub(in crate::store) struct Cut<S> {
    /// All that was before it.
    pub(in crate::store) before: S,
    /// That, and none, some or all of the commit.
    pub(in crate::store) torn: Vec<S>,
}

/// A store under check, with a clock that stands still.
pub(in crate::store) struct Case<S> {
    pub(in crate::store) subject: S,
    pub(in crate::store) clock: Clock,
    pub(in crate::store) store: Store,
    config: Config,
}

impl<S: Subject> Case<S> {
    /// An empty store.
    fn new() -> Self {
        Self::with(Config::at("nowhere"))
    }

    fn with(config: Config) -> Self {
        Self::of(S::default(), config, NOW)
    }

    fn of(subject: S, config: Config, now: Timestamp) -> Self {
        let clock = Clock::manual(now);
        let store = subject.open(&config, clock.clone());
        Self { subject, clock, store, config }
    }

    /// Closes the store and opens it again.
    async fn reopen(&mut self) {
        self.store.clone().close().await.unwrap();
        self.store = self.subject.open(&self.config, self.clock.clone());
    }

    /// The same, in one.
    async fn restart(mut self) -> Self {
        self.reopen().await;
        self
    }

    /// The store after a kill, on a clock of its own. This one goes on beside it.
    fn killed(&self) -> Self {
        Self::of(self.subject.killed(), self.config.clone(), self.clock.now())
    }
}

impl<S> Drive for Case<S> {
    fn store(&self) -> &Store {
        &self.store
    }
}

/// Makes a test of every check, for one [`Subject`].
macro_rules! suite {
    ($subject:ty) => {
        $crate::store::conformance::suite! {
            $subject:
            "current_thread" admin {
                a_token_is_there_when_it_is_answered_and_takes_no_other_ones_place,
                an_endpoint_is_there_when_it_is_answered_and_no_change_is_undone,
                how_an_endpoint_fares_is_kept_until_it_is_deleted,
                the_audit_log_is_one_chain_over_kills,
                a_write_under_a_key_is_done_once_within_a_day,
            }
            "current_thread" bounds {
                what_waits_together_is_committed_together,
                a_full_queue_refuses_and_stores_nothing,
            }
            "current_thread" bulk {
                replays_open_no_more_than_1024_works_at_a_time,
                a_paused_replay_stands_still_until_it_is_resumed,
                a_replay_of_an_endpoint_reaches_its_deliveries_and_no_others,
                a_replay_by_reason_or_kind_reaches_those_works_alone,
                the_dead_deliveries_of_what_a_run_sent_are_reached_too,
                a_replay_of_a_tenant_reaches_its_events_and_no_others,
                no_tenant_has_more_than_four_unfinished_replays,
                replays_that_wait_for_an_endpoint_that_fails_leave_their_places,
                a_preview_says_what_a_replay_would_come_to_and_opens_nothing,
                a_replay_passes_over_an_endpoint_that_does_not_answer_and_comes_back,
            }
            "current_thread" by_filter {
                a_replay_goes_on_after_a_start_and_never_comes_to_what_is_newer,
                a_kill_in_any_slice_of_a_replay_repeats_none_and_loses_none,
                a_slice_that_two_ask_for_at_once_is_done_once,
                no_more_than_sixteen_replays_are_unfinished,
                the_last_hundred_finished_replays_are_kept,
                replays_take_turns_and_open_nothing_while_a_mark_is_reached,
                it_is_not_idle_while_a_replay_can_go_on,
                replays_that_are_held_keep_nobody_from_idleness,
                a_canceled_replay_goes_no_further_and_leaves_its_place_to_another,
                replays_are_listed_newest_first_also_after_a_start,
                a_slice_has_no_more_works_where_an_event_has_many,
                a_look_in_which_nothing_matches_costs_one_commit,
            }
            "multi_thread" concurrency {
                many_at_once_get_answers_that_hold_and_effects_that_happen_once,
            }
            "current_thread" cuts {
                a_kill_in_any_commit_loses_nothing_and_doubles_nothing,
            }
            "current_thread" damage {
                a_record_that_can_not_be_read_stops_its_own_work_and_no_other,
                what_can_not_be_read_is_a_dead_letter_that_says_so,
                a_sweep_goes_on_beside_what_can_not_be_read,
                what_a_disk_altered_is_never_given_out_as_right,
            }
            "current_thread" durability {
                nothing_is_answered_before_a_kill_leaves_it,
                whatever_was_answered_is_there_after_a_kill,
                what_handlers_run_on_is_there_when_it_is_answered,
            }
            "current_thread" effects {
                the_effects_of_a_run_take_place_with_it,
                a_run_that_is_not_done_changes_nothing_but_its_history,
                state_is_overwritten_and_deleted,
                a_replayed_run_is_one_on_every_try_and_emits_under_ids_of_its_own,
            }
            "current_thread" ending {
                what_is_owed_to_an_endpoint_ends_dead_and_can_be_replayed,
                what_somebody_discards_ends_dead_unless_somebody_works_on_it,
                what_is_far_ends_too_over_a_kill_but_for_the_newest,
            }
            "current_thread" fairness {
                who_has_much_to_do_delays_nobody_else,
                an_endpoint_that_is_switched_off_holds_up_no_other,
                an_endpoint_that_rests_gets_nothing_before_its_time,
                an_endpoint_gets_no_more_than_its_rate,
                what_is_replayed_goes_behind_what_is_new,
                deliveries_take_no_more_slots_than_there_are,
                endpoints_that_are_not_trusted_leave_half_of_the_slots_to_others,
            }
            "current_thread" far {
                each_of_many_deliveries_is_made_once_over_restarts_and_kills,
                what_waits_far_for_a_retry_comes_when_it_is_due,
                a_replay_reaches_what_is_far_and_the_dead_join_it,
                runs_of_a_subject_that_are_far_go_in_their_order,
                deliveries_of_a_subject_that_are_far_go_in_their_order,
                what_is_far_delays_nobody_else,
                what_is_far_of_a_handler_that_gets_nothing_waits_and_delays_nobody,
            }
            "current_thread" forgetting {
                whatever_is_swept_no_id_is_forgotten_and_nothing_owed_goes,
                a_dead_letter_keeps_what_a_replay_needs,
                what_is_owed_keeps_the_body_that_it_goes_back_to,
            }
            "current_thread" histories {
                a_kill_in_any_commit_of_any_history_leaves_what_the_model_holds,
            }
            "current_thread" leaps {
                no_leap_of_the_clock_makes_an_id_forgotten,
                no_leap_of_the_clock_sweeps_what_is_young,
                no_leap_of_the_clock_strands_a_retry,
                who_waits_for_a_retry_is_woken_though_the_clock_leaps,
            }
            "current_thread" leases {
                a_dropped_lease_returns_the_work,
                a_take_that_is_dropped_gives_its_works_back_in_their_order,
                a_work_is_in_one_hand_at_a_time,
                what_was_taken_before_a_kill_is_owed_after_it,
                what_was_taken_before_a_start_is_refused_after_it,
                ready_misses_nothing_that_happens_after_the_call,
                it_is_idle_when_only_the_future_is_left,
                it_is_not_idle_while_a_work_is_in_flight,
                it_is_not_idle_while_something_is_queued,
                a_retry_that_was_put_off_by_a_clock_that_was_ahead_is_pulled_forward,
            }
            "multi_thread" once {
                an_event_on_many_connections_at_once_is_stored_once,
                a_request_without_event_ids_is_never_a_duplicate,
                a_request_with_some_known_ids_brings_only_the_others,
                a_parse_brings_each_event_once,
                what_the_gateway_raises_again_is_the_event_from_before,
                an_id_is_known_after_a_kill_however_far_the_log_has_gone,
                an_id_is_known_after_an_orderly_end_and_after_a_kill,
                ids_that_come_by_hundreds_are_known_however_often_they_are_tidied,
                an_id_is_known_for_the_term_of_its_source,
                an_event_whose_records_were_swept_before_a_kill_is_known_after_it,
                what_is_packed_before_a_kill_is_known_after_it,
                a_kill_in_any_commit_of_a_sweep_forgets_no_id,
            }
            "current_thread" order {
                runs_of_one_subject_are_taken_in_order_one_at_a_time,
                deliveries_of_one_subject_go_in_order_where_that_is_wanted,
                a_delivery_that_failed_so_often_is_passed_also_after_a_start,
                an_order_counts_for_what_is_stored_from_then_on,
                a_blocked_subject_keeps_its_order_over_a_restart,
                a_subjects_events_are_replayed_in_their_order,
                what_is_replayed_goes_before_what_is_newer_and_waits,
            }
            "current_thread" parsed {
                a_receipt_and_what_was_parsed_of_it_hold_together,
                what_is_known_is_brought_no_second_time_by_a_parse_before,
                what_was_parsed_is_dropped_behind_what_waits_for_it,
                what_goes_together_keeps_its_order_too,
                what_is_known_is_told_before_an_append,
                what_is_not_durable_is_not_known,
            }
            "current_thread" replays {
                an_event_is_replayed_with_the_same_ids_and_its_history,
                what_waits_is_hastened_and_what_is_ready_or_in_flight_is_left_alone,
                an_unknown_id_is_named_and_nothing_is_replayed,
                a_receipt_is_replayed_only_if_it_is_dead,
                only_the_dead_of_matching_events_are_replayed,
                a_reopened_work_before_the_mark_survives_a_restart,
                a_run_that_is_replayed_in_the_commit_that_ended_it_survives_a_restart,
                another_version_of_a_plugin_reopens_what_it_could_not_parse,
                another_version_of_a_handler_reopens_what_died_of_its_own_fault,
                only_what_is_pending_is_hastened_if_that_is_asked_for,
                the_dead_of_an_event_that_is_pending_are_reached_too,
                a_retry_that_is_hastened_in_the_commit_that_put_it_off_is_due_at_once,
            }
            "current_thread" restarts {
                a_receipt_is_parsed_after_a_restart,
                a_close_finishes_what_is_queued,
                what_was_parsed_is_owed_once_after_a_restart,
                what_was_done_is_not_redone_and_its_effects_are_owed,
                a_retry_waits_for_its_time_over_a_restart,
                a_retry_waits_for_its_time_over_a_kill,
                what_is_left_over_from_long_ago_is_not_forgotten,
                dead_letters_stay_dead_and_are_counted,
            }
            "current_thread" states {
                a_run_that_sets_more_than_its_handler_may_does_nothing,
                of_two_runs_that_both_want_the_last_room_one_gets_it,
                of_two_runs_that_fit_alone_one_is_promised_room_and_has_it,
                what_state_takes_is_known_right_after_a_start,
                a_key_that_nobody_sets_for_its_term_goes,
                a_run_shows_which_keys_it_set_or_deleted_and_no_value,
            }
            "current_thread" uncommitted {
                a_run_begins_while_another_is_committed_unless_it_is_of_its_subject,
                a_kill_repeats_no_more_than_there_were_slots_and_room_for,
                whoever_waits_is_woken_by_the_end_of_a_try,
                who_leaves_outcomes_behind_can_wait_for_all_of_them,
            }
        }
    };
    ($subject:ty: $($flavor:tt $room:ident { $($check:ident,)+ })+) => {
        $($(
            #[tokio::test(flavor = $flavor)]
            async fn $check() {
                $crate::store::conformance::$room::$check::<$subject>().await;
            }
        )+)+
    };
}
pub(in crate::store) use suite;
