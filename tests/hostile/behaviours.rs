//! What the guest can be told to do: the one list of it, with the test of each.
//!
//! The guest makes an enum of it and the scenarios a list of tests, so three things do not compile:
//! a behaviour of the guest that is not in the list, one of the list that the guest does not have,
//! and one whose test does not exist. Never says what becomes of whoever does it: its test does.

/// Calls a macro with all behaviours: the variant of the guest, its name in a command, and the test
/// that fails without the limit that it meets.
macro_rules! behaviours {
    ($use:ident) => {
        $use! {
            // Hostile in every function.
            Spin "spin" matrix::every_export_that_never_returns_is_stopped,
            Recurse "recurse" matrix::every_export_that_never_ends_its_recursion_runs_out_of_stack,
            Hoard "hoard" matrix::every_export_that_hoards_memory_gets_no_more,
            Return "return" matrix::a_giant_answer_of_any_export_is_a_violation,
            Trap "trap" matrix::every_export_that_traps_is_caught,
            Panic "panic" matrix::every_export_that_panics_is_caught_with_its_words,
            Log "log" a_flood_of_log_lines_is_cut_and_counted,
            Calls "calls" matrix::calls_of_the_host_without_end_are_over_at_the_deadline,
            Sleep "sleep" a_handler_that_sleeps_is_caught,
            // Hostile by what is asked for.
            Violate "violate" a_handler_that_asks_for_too_much_is_dead_at_once,
            Send "send" a_handler_is_refused_every_effect_that_is_not_granted,
            Emit "emit" crate::dispatch::what_comes_of_one_receipt_is_bounded_in_number,
            State "state" a_handler_that_remembers_more_than_its_quota_is_refused,
            // Of no harm, for the tests of others.
            Alert "alert" crate::dispatch::a_handler_without_grants_reaches_nothing,
            Attempt "attempt"
                crate::admin::replay::a_run_hears_which_try_it_is_and_whether_a_person_requested_it_again,
            Count "count" crate::sandbox::every_call_but_an_early_parse_starts_in_a_fresh_instance,
            Fail "fail" crate::dispatch::what_can_not_be_parsed_is_kept_whole_until_a_newer_plugin_can,
            Fetch "fetch" crate::provider::a_key_is_asked_for_only_where_the_operator_allows_it,
            Nothing "nothing" as_many_events_as_are_allowed_all_arrive,
            Read "read" a_handler_reads_json_as_deep_as_its_readers_can_follow,
            Retry "retry" crate::sandbox::what_broke_is_counted_by_its_cause,
        }
    };
}
pub(crate) use behaviours;
