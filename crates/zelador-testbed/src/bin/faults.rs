//! Does faults to real services under the real zelador, and says how it dealt with them:
//! `cargo run -p zelador-testbed --bin faults -- --table docs/healing.md`.
//!
//! Exit code 0: every one was dealt with as the catalogue says is right.

use std::path::PathBuf;
use std::process::ExitCode;

use zelador_testbed::faults::{Fault, Verdict, catalogue, play, table};

const USAGE: &str = "usage: faults [--only NAME[,NAME]] [--table FILE] [--binary FILE] [--list]
  --only NAME    a part of a fault's name, or several (default: all)
  --table FILE   put the table between its marks in this file (default: print it)
  --binary FILE  zelador (default: the one beside this program)
  --list         say what there is";

/// So many at once in one zelador: they must not wait for a processor, nor use up the host's budget of
/// remedies (12 within 15 minutes).
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let (mut only, mut file, mut binary) = (Vec::new(), None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--list" {
            for (family, faults) in catalogue() {
                faults.iter().for_each(|it| println!("{family}: {}: {}", it.name, it.what));
            }
            return ExitCode::SUCCESS;
        }
        match (word.as_str(), words.next()) {
            ("--only", Some(names)) => only.extend(names.split(',').map(str::to_owned)),
            ("--table", Some(path)) => file = Some(PathBuf::from(path)),
            ("--binary", Some(path)) => binary = Some(PathBuf::from(path)),
            _ => return wrong(&format!("`{word}` is not understood\n{USAGE}")),
        }
    }
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("zelador"));
    let Some(binary) = binary.or_else(beside).filter(|binary| binary.is_file()) else {
        return wrong("there is no zelador beside this program: `cargo build`, or --binary FILE");
    };
    let is_wanted = |fault: &&'static Fault| {
        only.is_empty() || only.iter().any(|name| fault.name.contains(name.as_str()))
    };
    let (mut families, mut bad) = (Vec::new(), 0);
    for (family, faults) in catalogue() {
        let faults: Vec<&'static Fault> = faults.iter().filter(is_wanted).collect();
        let mut verdicts = Vec::new();
        for some in faults.chunks(AT_ONCE) {
            for (fault, verdict) in some.iter().zip(play(&binary, some)) {
                let complaints = verdict.as_ref().map(Verdict::complaints).unwrap_or_default();
                bad += usize::from(!complaints.is_empty());
                eprintln!("{}: {}", fault.name, complaints.join("; "));
                if let (Ok(verdict), false) = (&verdict, complaints.is_empty()) {
                    verdict.story.iter().for_each(|it| eprintln!("  {it}"));
                }
                verdicts.push(verdict.map_err(|why| (fault.name.to_owned(), why)));
            }
        }
        if !faults.is_empty() {
            families.push((family, verdicts));
        }
    }
    let text = table::markdown(&families);
    let written = match file {
        None => {
            println!("{text}");
            Ok(())
        }
        Some(path) => std::fs::read_to_string(&path)
            .map_err(|error| error.to_string())
            .and_then(|old| table::put(&old, &text))
            .and_then(|new| std::fs::write(&path, new).map_err(|error| error.to_string()))
            .map_err(|error| format!("{}: {error}", path.display())),
    };
    match written {
        Ok(()) if bad == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => wrong(&error),
    }
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("error: {what}");
    ExitCode::FAILURE
}
