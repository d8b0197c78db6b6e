//! The paths of the control socket. All bodies are JSON.

/// `GET`: [`crate::Pong`].
pub const PING: &str = "/v1/ping";
/// `GET`: [`crate::View`].
pub const VIEW: &str = "/v1/view";
/// `GET`: a list of [`crate::AppView`].
pub const APPS: &str = "/v1/apps";
/// `GET`: [`crate::shared::SharedApps`], the same in a form that is quick for many apps.
pub const APPS_SHARED: &str = "/v1/apps/shared";
/// `POST` of a [`crate::Command`]: [`crate::Done`].
pub const COMMANDS: &str = "/v1/commands";
/// `GET`: [`crate::HealthView`] of the last looks.
pub const HEALTH: &str = "/v1/health";
/// `POST`: [`crate::HealthView`] after looking at everything now.
pub const HEALTH_CHECK: &str = "/v1/health/check";
/// `POST` of a [`crate::Explain`]: [`crate::Explained`], by rules and, where they are unsure, by a model.
pub const DIAGNOSIS: &str = "/v1/diagnosis";
/// `POST` of a [`crate::Explain`]: [`crate::WouldAsk`], what a model would be asked.
pub const DIAGNOSIS_PROMPT: &str = "/v1/diagnosis/prompt";
/// `GET`: a list of [`crate::RetryView`].
pub const RETRIES: &str = "/v1/retries";
/// `GET`: a list of [`crate::BreakerView`].
pub const BREAKERS: &str = "/v1/breakers";
/// `GET`: a list of [`crate::Incident`], the latest first; `…/ID`: one.
pub const INCIDENTS: &str = "/v1/incidents";
/// `…/ID`, `GET`: the [`crate::spec::Environment`] of an instance, secrets masked unless
/// `?secrets=true`.
pub const ENVIRONMENT: &str = "/v1/environment";
/// `POST` of [`crate::LogFiles`]: [`crate::FlushDone`].
pub const LOGS_FLUSH: &str = "/v1/logs/flush";
/// `POST`: closes every log file, and opens it anew.
pub const LOGS_REOPEN: &str = "/v1/logs/reopen";
/// `POST` of a [`crate::StandardInput`]: writes it, or says why not.
pub const INPUT: &str = "/v1/input";
/// `GET`: a [`crate::bus::Heard`] a line, until one side ends; whoever lags too far behind misses some.
pub const BUS: &str = "/v1/bus";
/// `POST` of a [`crate::bus::Saying`]: says it over the channel of an instance, or why not.
pub const SAY: &str = "/v1/say";
/// `POST` of a [`crate::SaveWish`]: [`crate::SaveDone`].
pub const SAVE: &str = "/v1/save";
/// `POST`: stops and forgets everything, then ends zelador; [`crate::Done`].
pub const SHUTDOWN: &str = "/v1/shutdown";
/// `POST` of a [`crate::UpgradeTo`]: another executable takes over; 409 while commands are under way.
pub const UPGRADE: &str = "/v1/upgrade";
/// `GET`: [`crate::notify::NotifyView`].
pub const NOTIFY: &str = "/v1/notify";
/// `POST` of a [`crate::notify::Trial`]: sends a message to a channel; 502 where it is not taken.
pub const NOTIFY_TEST: &str = "/v1/notify/test";
/// `POST` of a [`crate::PanicAt`]: the engine panics there, on purpose.
pub const PANIC: &str = "/v1/debug/panic";
/// `POST`: reads the settings of modules anew.
pub const MODULE_SETTINGS: &str = "/v1/settings/modules";
/// `POST` of a [`crate::config::Overlay`]: what `zelador.toml` says now.
pub const SETTINGS: &str = "/v1/settings";
