//! The fast part of the fault table: what `cargo run -p zelador-testbed --bin faults` plays whole.

use std::path::Path;

use zelador_testbed::faults::{Fault, catalogue, play};

/// Plays the fast faults of these families in one zelador, all at once.
fn deals_with(families: &[&str]) {
    let all = catalogue().into_iter().filter(|(family, _)| families.contains(family));
    let faults: Vec<&'static Fault> =
        all.flat_map(|(_, faults)| faults).filter(|fault| fault.fast).collect();
    assert!(faults.len() >= 4, "{families:?} have fast faults");
    let mut bad = Vec::new();
    for (fault, verdict) in
        faults.iter().zip(play(Path::new(env!("CARGO_BIN_EXE_zelador")), &faults))
    {
        match verdict {
            Ok(verdict) if verdict.is_good() => println!("{}: as it must be", fault.name),
            Ok(verdict) => {
                bad.push(format!("{}: {}", fault.name, verdict.complaints().join("; ")));
                bad.extend(verdict.story.iter().map(|sentence| format!("  {sentence}")));
            }
            Err(why) => println!("{}: not played, {why}", fault.name),
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn programs_that_crash_run_out_of_memory_or_hang_are_healed() {
    deals_with(&["Crashes", "Memory", "Hangs"]);
}

#[test]
fn deployments_and_hosts_that_fail_are_told_or_healed_and_never_made_worse() {
    deals_with(&["Limits of the host", "Deployment"]);
}

#[test]
fn what_an_app_needs_and_has_not_is_waited_for() {
    deals_with(&["Databases", "Network", "Again, and together"]);
}
