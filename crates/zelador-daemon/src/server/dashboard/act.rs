//! The buttons: what is asked for goes the way of every other command, and into the audit.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use zelador_core::effect::Done;
use zelador_core::id::IncidentId;
use zelador_core::input::{Command, IncidentOrder, Replicas, Surplus};
use zelador_core::words::quoted;

use super::Dashboard;
use super::lang::Lang;
use crate::server::Failure;
use crate::server::asker::Asker;
use crate::server::json::Json;

/// The most instances that a click can ask for.
const MOST: u32 = 256;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// `start`, `stop`, `restart`, `reload`, `scale`, `reset`, `report`, `check`; of an incident `approve`, `reject`, `mute`, `close`.
    verb: String,
    /// The app, or the number of an instance or incident.
    #[serde(default)]
    of: String,
    /// How many instances, for `scale`.
    to: Option<u32>,
    /// What is wrong, in the words of whoever looks, for `report`.
    what: Option<String>,
}

/// Does it.
pub async fn act(
    State(dashboard): State<Dashboard>,
    asker: Asker,
    headers: HeaderMap,
    Json(wish): Json<Wish>,
) -> Result<Json<Done>, Failure> {
    let bad = |error: String| Failure::new(StatusCode::BAD_REQUEST, error);
    let selectors = vec![wish.of.clone()];
    let is_check = wish.verb == "check";
    if wish.of.trim().is_empty() && !is_check {
        return Err(bad(format!(
            "`{}` needs `of`: an app, or the number of an instance or incident",
            wish.verb
        )));
    }
    let of_incident = |order| match wish.of.parse() {
        Ok(number) => {
            Ok(Command::Incident { id: IncidentId::new(number), order, question: None, by: None })
        }
        Err(_) => Err(bad(format!("`of` is `{}`; allowed is the number of an incident", wish.of))),
    };
    let command = match wish.verb.as_str() {
        "approve" => of_incident(IncidentOrder::Approve)?,
        "reject" => of_incident(IncidentOrder::Reject)?,
        "mute" => of_incident(IncidentOrder::Mute)?,
        "close" => of_incident(IncidentOrder::Close)?,
        "start" => Command::Start { selectors },
        "stop" => Command::Stop { selectors },
        "restart" => Command::Restart { selectors, change: None },
        "reload" => Command::Reload { selectors, change: None },
        "reset" => Command::Reset { selectors },
        "report" => Command::Report { selectors, what: wish.what.unwrap_or_default(), by: None },
        "check" => Command::CheckNow,
        "scale" => match wish.to {
            Some(to) if (1..=MOST).contains(&to) => {
                Command::Scale { selectors, to: Replicas::Exactly(to), surplus: Surplus::Newest }
            }
            other => {
                let found = other.map_or_else(|| "nothing".to_owned(), |to| to.to_string());
                return Err(bad(format!("`to` is {found}; allowed is 1 to {MOST}")));
            }
        },
        other => {
            return Err(bad(format!(
                "there is no verb `{other}`; allowed are start, stop, restart, reload, scale, reset, report, check, approve, reject, mute, close"
            )));
        }
    };
    let is_order = matches!(command, Command::Incident { .. });
    let is_report = matches!(command, Command::Report { .. });
    let lang = Lang::of(&headers);
    let done = dashboard.handle.command_by(&asker, command).await;
    let mut done = done.map_err(|failure| failure.told(lang.language()))?;
    for it in &mut done.instances {
        it.what = quoted(it.what.told(lang.language()));
    }
    // What became of an order is on the page already, in the language of who reads it.
    if is_order || is_report {
        done.notes.clear();
    }
    if is_report {
        let noted = lang.t(
            "Noted. The incident is listed below; evidence is being gathered",
            "Registrado. O incidente está na lista abaixo; as evidências estão sendo reunidas",
        );
        done.notes.push(noted.to_owned());
    }
    Ok(Json(done))
}
