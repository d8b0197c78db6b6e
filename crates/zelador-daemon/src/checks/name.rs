//! A name that must have an address.

use std::net::IpAddr;

use tokio::net::lookup_host;
use zelador_core::probe::Finding;

use super::connect::phrase;
use super::patience::Patience;

/// Asks the host's own resolver, as every program on it does.
pub(super) async fn look(name: &str, expect: &[String], patience: Patience) -> Finding {
    let found = match patience.wait(lookup_host((name, 0))).await {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect::<Vec<IpAddr>>(),
        Ok(Err(error)) => {
            let detail = format!("no address is known for {name}: {}", phrase(&error));
            return Finding::WrongAnswer { detail };
        }
        Err(_) => {
            let detail = format!("the address of {name} was not found within {}", patience.said());
            return Finding::TimedOut { detail };
        }
    };
    let has = |wanted: &&String| !found.iter().any(|ip| ip.to_string() == **wanted);
    let mut said: Vec<String> = found.iter().map(ToString::to_string).collect();
    said.sort();
    said.dedup();
    let said = said.join(", ");
    match expect.iter().find(has) {
        Some(missing) => {
            Finding::WrongAnswer { detail: format!("{name} is {said}, not {missing}") }
        }
        None if found.is_empty() => {
            Finding::WrongAnswer { detail: format!("no address is known for {name}") }
        }
        None => Finding::Answered { detail: format!("{name} is {said}") },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_name_has_the_addresses_that_are_expected() {
        let patience = || Patience::new(Duration::from_secs(20));
        let here = vec!["127.0.0.1".to_owned()];
        let found = look("127.0.0.1", &here, patience()).await;
        assert_eq!(found, Finding::Answered { detail: "127.0.0.1 is 127.0.0.1".to_owned() });
        let found = look("127.0.0.1", &["10.9.8.7".to_owned()], patience()).await;
        let detail = "127.0.0.1 is 127.0.0.1, not 10.9.8.7".to_owned();
        assert_eq!(found, Finding::WrongAnswer { detail });
        let found = look("nobody.invalid", &[], patience()).await;
        assert!(
            matches!(found, Finding::WrongAnswer { .. } | Finding::TimedOut { .. }),
            "{found:?}"
        );
    }
}
