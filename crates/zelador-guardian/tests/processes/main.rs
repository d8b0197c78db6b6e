//! The guardian with real processes. This program is the tests, the guardian and the engine: its
//! first argument says which. Each case runs in a process of its own that is a subreaper and kills
//! everything below it when it ends, however it ends.

mod deaths;
mod engines;
mod handover;
mod latency;
mod processes;
mod rig;
mod roles;
mod services;

use std::process::{Command, ExitCode};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

/// No case takes longer than some seconds on an idle machine.
const LIMIT: Duration = Duration::from_mins(2);

type Case = (&'static str, fn());

macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), $module::$name as fn())),*]
    };
}

const CASES: &[Case] = cases![
    deaths::a_code_and_a_signal_arrive_exactly,
    deaths::a_death_while_no_engine_runs_is_told_to_the_next,
    deaths::the_group_dies_with_its_main_process,
    deaths::with_linger_the_group_outlives_its_main_process,
    deaths::an_orphan_in_a_session_of_its_own_is_reaped,
    deaths::a_foreign_process_is_adopted_only_by_its_start_time,
    deaths::what_cannot_be_adopted_for_want_of_a_descriptor_is_not_taken_for_gone,
    deaths::of_many_that_ended_at_once_the_first_successor_begins_while_others_are_reaped,
    services::failures_name_their_stage,
    services::requests_about_the_wrong_run_are_refused,
    services::a_large_environment_arrives,
    services::a_service_gets_a_clean_state,
    services::a_service_gets_its_user_directory_limit_and_cgroup,
    services::a_service_is_born_in_its_group,
    services::a_service_reads_its_input_and_speaks_over_its_channel,
    services::pipes_block_for_the_service_and_not_for_us,
    engines::twenty_killed_engines_change_nothing_for_services,
    engines::a_stopped_engine_is_replaced,
    engines::a_guardian_that_was_stopped_does_not_take_its_engine_for_silent,
    engines::an_engine_that_does_not_read_is_replaced,
    engines::of_racing_guardians_one_remains,
    engines::shutdown_leaves_nothing_behind,
    engines::a_shutdown_said_with_the_last_breath_counts,
    engines::asked_to_end_it_tells_the_engine_and_asked_twice_it_kills,
    engines::a_killed_engine_that_does_not_go_is_replaced,
    engines::an_engine_of_which_a_message_was_lost_is_replaced,
    engines::an_engine_that_closes_its_link_may_end_by_itself,
    engines::what_is_slow_to_close_holds_nobody_up,
    handover::an_engine_takes_the_place_of_a_killed_guardian,
    handover::a_guardian_replaces_itself,
    handover::a_new_guardian_whose_engine_is_no_good_goes_back,
    handover::a_new_image_that_cannot_begin_goes_back,
    handover::asked_to_end_during_an_upgrade_it_ends,
    handover::a_list_that_is_still_to_be_brought_up_is_asked_for_by_the_next_image_too,
    handover::a_child_that_is_slow_to_execute_does_not_outlive_its_guardian,
    latency::measure_spawn,
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("role-guardian") => return roles::guardian(&arguments[1..]),
        Some("role-engine") => roles::engine(&arguments[1..]),
        Some("role-case") => return case(&arguments[1]),
        _ => {}
    }
    let mut arguments = Arguments::from_args();
    // Whoever runs a case ends all that is below it.
    arguments.test_threads = Some(1);
    let trial = |(name, _): &Case| {
        let run = |name| run_apart(name).then_some(()).ok_or_else(Failed::without_message);
        let name = *name;
        Trial::test(name, move || run(name)).with_ignored_flag(name.starts_with("latency::"))
    };
    libtest_mimic::run(&arguments, CASES.iter().map(trial).collect()).exit_code()
}

/// Runs one case in its own process; returns whether it went well.
fn run_apart(name: &str) -> bool {
    processes::be_subreaper();
    let this = std::env::current_exe().expect("a running program has a path");
    let mut child =
        Command::new(this).args(["role-case", name]).spawn().expect("this program can be started");
    let ended = processes::within(LIMIT, || child.try_wait().expect("it is our child"));
    let _ = child.kill();
    let good = ended.is_some_and(|status| status.success());
    // Only if it was killed is anything left.
    processes::sweep();
    good
}

fn case(name: &str) -> ExitCode {
    let (_, run) = CASES.iter().find(|(one, _)| *one == name).expect("a case of this name");
    processes::be_subreaper();
    let good = std::panic::catch_unwind(run).is_ok();
    processes::sweep();
    ExitCode::from(u8::from(!good))
}
