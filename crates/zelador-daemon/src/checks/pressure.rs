//! Pressure stall information: how much of the time processes waited for a resource.
//!
//! `/proc/pressure` is answered by the kernel from memory and cannot hang. A host that has none is told
//! with what to do about it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use zelador_core::probe::{Finding, Measure, Unit};
use zelador_core::spec::Scarce;
use zelador_core::words;
use zelador_core::words::{Amount, Words};

use crate::errno;

/// Looks once.
pub(super) fn look(resource: Scarce) -> Finding {
    look_in(Path::new("/proc/pressure"), resource)
}

fn look_in(folder: &Path, resource: Scarce) -> Finding {
    let path = folder.join(resource.word());
    let detail = match fs::read_to_string(&path) {
        Ok(text) => match measures(&text) {
            Some(measures) => {
                return Finding::Measured { detail: said(resource, &measures), measures };
            }
            None => {
                let path = path.display();
                words!("{path} has no line `some`", "{path} não tem a linha `some`")
            }
        },
        // A kernel that has it switched off has the file, and answers no read (EOPNOTSUPP).
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
            words!(
                "this kernel tells no pressure: it needs CONFIG_PSI, and `psi=1` among its boot \
                 parameters where that is off by default",
                "este kernel não informa pressão: precisa de CONFIG_PSI, e de `psi=1` nos parâmetros \
                 de inicialização onde isso vem desligado",
            )
        }
        Err(error) => errno::said_of(path.display(), &error),
    };
    Finding::Unavailable { detail }
}

/// `some avg10=0.07 avg60=0.15 avg300=0.69 total=164358300`, and the same of `full`, which the kernel
/// tells of processors only from 5.13 on.
fn measures(text: &str) -> Option<Vec<Measure>> {
    let line = |kind: &str| {
        let fields = text.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '))?;
        let shares = fields.split_ascii_whitespace().filter_map(|field| {
            let (name, value) =
                field.split_once('=').filter(|(name, _)| name.starts_with("avg"))?;
            let share = value.parse().ok().filter(|share| (0.0..=100.0).contains(share))?;
            Some(Measure::new(format!("{kind} {name}"), share, Unit::Percent))
        });
        Some(shares.collect::<Vec<_>>()).filter(|shares| !shares.is_empty())
    };
    let mut measures = line("some")?;
    measures.extend(line("full").into_iter().flatten());
    Some(measures)
}

/// The last ten seconds and the last minute.
fn said(resource: Scarce, measures: &[Measure]) -> Words {
    let of = |name: &str| {
        let found = measures.iter().find(|measure| measure.name == name);
        found.map_or_else(
            || words!("unknown", "desconhecido"),
            |found| words!("{it}", "{it}", it = Amount(found.unit, found.value)),
        )
    };
    let waited_for = match resource {
        Scarce::Cpu => words!("a processor", "um processador"),
        Scarce::Memory => words!("memory", "memória"),
        Scarce::Io => words!("a disk", "um disco"),
    };
    let (seconds, minute) = (of("some avg10"), of("some avg60"));
    words!(
        "something waited for {what} {seconds} of the last 10 s, {minute} of the minute",
        "algo esperou por {what} em {seconds} dos últimos 10 s, {minute} do minuto",
        what = waited_for,
        seconds = seconds,
        minute = minute,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_tells_its_pressure_or_says_plainly_that_it_cannot() {
        let has = Path::new("/proc/pressure/memory").exists();
        for resource in Scarce::ALL {
            match look(resource) {
                Finding::Measured { measures, .. } => assert!(measures.len() >= 3, "{measures:?}"),
                Finding::Unavailable { detail } => {
                    assert!(!has && detail.english().contains("CONFIG_PSI"), "{detail}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_host_without_pressure_says_so() {
        let none = tempfile::tempdir().expect("a folder");
        let Finding::Unavailable { detail } = look_in(none.path(), Scarce::Io) else {
            panic!("there is no such file")
        };
        assert!(detail.english().starts_with("this kernel tells no pressure"), "{detail}");
    }

    #[test]
    fn both_lines_are_read_and_one_is_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        let tell = |text: &str| {
            fs::write(folder.path().join("memory"), text).expect("the folder is ours");
            look_in(folder.path(), Scarce::Memory)
        };
        let some = "some avg10=12.50 avg60=3.00 avg300=0.10 total=7\n";
        let Finding::Measured { detail, measures } = tell(some) else { panic!("it is right") };
        assert_eq!(measures.len(), 3);
        assert_eq!(measures[0], Measure::new("some avg10", 12.5, Unit::Percent));
        assert_eq!(
            detail,
            "something waited for memory 12.5 % of the last 10 s, 3.0 % of the minute"
        );
        let both = format!("{some}full avg10=99.99 avg60=1.00 avg300=0.00 total=3\n");
        let Finding::Measured { measures, .. } = tell(&both) else { panic!("it is right") };
        assert_eq!(measures[3], Measure::new("full avg10", 99.99, Unit::Percent));
        for bad in ["", "some\n", "some avg10=NaN\n", "full avg10=1.00\n"] {
            assert!(matches!(tell(bad), Finding::Unavailable { .. }), "{bad:?}");
        }
    }
}
