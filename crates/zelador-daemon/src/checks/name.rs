//! A name that must have an address.

use std::net::{IpAddr, SocketAddr};

use zelador_core::probe::Finding;
use zelador_core::words;

use super::aside::NotDone;
use super::connect::addresses;
use super::patience::Patience;
use super::said;

/// Asks for it once.
pub(super) async fn look(name: &str, expect: &[String], patience: Patience) -> Finding {
    let found = match addresses(name, 0, patience).await {
        Ok(found) => found.iter().map(SocketAddr::ip).collect::<Vec<IpAddr>>(),
        Err(NotDone::Failed(why)) => {
            return Finding::WrongAnswer { detail: said::no_address_since(name, &why) };
        }
        Err(NotDone::Late | NotDone::StillBusy) => {
            return Finding::TimedOut { detail: said::address_not_found(name, patience) };
        }
    };
    let has = |wanted: &&String| !found.iter().any(|ip| ip.to_string() == **wanted);
    let mut addresses: Vec<String> = found.iter().map(ToString::to_string).collect();
    addresses.sort();
    addresses.dedup();
    let all = addresses.join(", ");
    match expect.iter().find(has) {
        Some(missing) => Finding::WrongAnswer {
            detail: words!("{name} is {all}, not {missing}", "{name} é {all}, não {missing}"),
        },
        None if found.is_empty() => Finding::WrongAnswer { detail: said::no_address(name) },
        None => Finding::Answered { detail: words!("{name} is {all}", "{name} é {all}") },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zelador_core::words::quoted;

    use super::*;

    #[tokio::test]
    async fn a_name_has_the_addresses_that_are_expected() {
        let patience = || Patience::new(Duration::from_secs(20));
        let here = vec!["127.0.0.1".to_owned()];
        let found = look("127.0.0.1", &here, patience()).await;
        assert_eq!(found, Finding::Answered { detail: quoted("127.0.0.1 is 127.0.0.1") });
        let found = look("127.0.0.1", &["10.9.8.7".to_owned()], patience()).await;
        let detail = quoted("127.0.0.1 is 127.0.0.1, not 10.9.8.7");
        assert_eq!(found, Finding::WrongAnswer { detail });
        let found = look("nobody.invalid", &[], patience()).await;
        assert!(
            matches!(found, Finding::WrongAnswer { .. } | Finding::TimedOut { .. }),
            "{found:?}"
        );
    }
}
