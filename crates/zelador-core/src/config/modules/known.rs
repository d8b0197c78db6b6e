//! The modules that are built in: what their settings say about zelador's own.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::super::fields::LOGS;
use super::super::mistake::{Mistake, Report};
use super::super::names::{canonical, nearest};
use super::super::node::{Key, Node, Value};
use super::super::notify::NotifyOverlay;
use super::super::place::Place;
use super::super::rotation::LogsOverlay;
use super::{LOGROTATE, SLACK, SettingError, plain};
use crate::effect::Severity;
use crate::notify::{Channel, ChannelKind, Route, Secret, SlackTo, Template};

/// Reads the settings of pm2-slack: `slack_url` is a channel, `slack_url-APP` one of that app alone, and
/// `servername` what this host is called. Which events it tells is zelador's own matter: incidents.
pub(super) fn slack(options: &Map<String, Json>) -> NotifyOverlay {
    let mut overlay = NotifyOverlay::default();
    let is_set = |value: &Json| value.as_str().is_some_and(|url| url.starts_with("http"));
    for (option, _) in options.iter().filter(|(_, value)| is_set(value)) {
        let app = match option.strip_prefix("slack_url") {
            Some("") => None,
            Some(rest) => match rest.strip_prefix('-') {
                Some(app) => Some(app.to_owned()),
                None => continue,
            },
            None => continue,
        };
        let name = app.as_ref().map_or_else(|| SLACK.to_owned(), |app| format!("{SLACK}-{app}"));
        let url = Secret::Module { module: SLACK.to_owned(), option: option.clone() };
        let kind = ChannelKind::Slack(SlackTo::Webhook { url });
        overlay
            .channels
            .insert(name.clone(), Channel { kind, template: Template::default(), answers: false });
        overlay.routes.push(Route {
            apps: app.into_iter().collect(),
            severity: Severity::Warning,
            kinds: Vec::new(),
            to: vec![name],
        });
    }
    overlay.host = options.get("servername").map(plain).filter(|name| !name.trim().is_empty());
    overlay
}

/// Reads one setting of pm2-logrotate; also returns what is worth saying about it.
pub(super) fn logrotate(
    option: &str,
    value: &Json,
) -> Result<(LogsOverlay, Option<String>), SettingError> {
    if canonical(option, LOGS).is_none() {
        let near = nearest(option, LOGS).map(|near| format!("; did you mean `{near}`?"));
        let note = format!("{LOGROTATE} has no setting `{option}`: it is kept and has no effect");
        return Ok((LogsOverlay::default(), Some(note + &near.unwrap_or_default())));
    }
    let report = Report::new(Path::new(LOGROTATE));
    let node = Node::from(match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::from(*flag),
        Json::Number(number) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        other => Value::from(plain(other)),
    });
    let table = Node::from(Value::Table(vec![(Key::new(option), node)]));
    let place = Place { report: &report, field: String::new(), node: &table };
    let block = place.block(LOGROTATE, LOGS);
    let said = block.map(|block| LogsOverlay::check(&block)).unwrap_or_default();
    let wrong = |mistake: &Mistake| SettingError::Value {
        name: format!("{LOGROTATE}:{option}"),
        found: mistake.found.clone(),
        allowed: mistake.allowed.clone(),
    };
    match report.conclude() {
        Err(mistakes) => {
            Err(mistakes.all().first().map_or_else(|| SettingError::Name(option.to_owned()), wrong))
        }
        Ok(_) if canonical(option, LOGS) == Some("worker_interval") => {
            let note = format!(
                "{LOGROTATE}:{option} has no effect here: sizes are looked at with every line"
            );
            Ok((said, Some(note)))
        }
        Ok(_) => Ok((said, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ModuleConf;
    use super::super::tests::{conf, name};
    use crate::spec::{Keep, Rotation, Settings};
    use crate::unit::ByteSize;

    #[test]
    fn the_settings_of_pm2_slack_are_channels_and_show_no_address() {
        let conf = conf(&[
            ("pm2-slack:slack_url", "https://hooks.example/T0/B0/x"),
            ("pm2-slack:slack_url-api", "https://hooks.example/T0/B0/y"),
            ("pm2-slack:servername", "db1"),
            ("pm2-slack:error", "true"),
        ]);
        let (overlay, wrong) = conf.overlay();
        assert_eq!(wrong, [""; 0]);
        let plan = Settings::resolve(&[&overlay]).notify;
        assert_eq!(plan.channels.keys().collect::<Vec<_>>(), ["pm2-slack", "pm2-slack-api"]);
        assert_eq!(plan.host.as_deref(), Some("db1"));
        assert_eq!(plan.routes[1].apps, ["api"]);
        assert!(!format!("{overlay:?}").contains("hooks.example"), "only where it is found");
    }

    #[test]
    fn the_settings_of_pm2_logrotate_are_those_of_the_logs() {
        let conf = conf(&[
            ("pm2-logrotate:max_size", "5K"),
            ("pm2-logrotate:retain", "all"),
            ("pm2-logrotate:compress", "true"),
            ("pm2-logrotate:dateFormat", "YYYY-MM-DD"),
            ("pm2-logrotate:workerInterval", "30"),
            ("pm2-logrotate:rotateInterval", "0 0 * * *"),
            ("pm2-logrotate:rotateModule", "false"),
            ("pm2-logrotate:TZ", "America/Sao_Paulo"),
            ("pm2-logrotate:max_total_size", "1G"),
        ]);
        let (overlay, wrong) = conf.overlay();
        assert_eq!(wrong, [""; 0]);
        let Rotation { max_size, keep, max_total_size, compress, date_format, at, zone, modules } =
            Settings::resolve(&[&overlay]).rotation;
        assert_eq!((max_size, keep), (ByteSize::new(5120), Keep::All));
        assert_eq!(max_total_size, Some(ByteSize::mebibytes(1024)));
        assert_eq!((compress, modules, date_format.as_str()), (true, false, "YYYY-MM-DD"));
        assert_eq!(at.as_ref().map(crate::spec::CronPattern::as_str), Some("0 0 * * *"));
        assert_eq!(zone.as_deref(), Some("America/Sao_Paulo"));
        assert!(conf.environments().is_empty(), "they are no app's");
    }

    #[test]
    fn a_wrong_value_of_a_known_setting_is_refused_by_name_value_and_what_is_allowed() {
        for (option, value, said) in [
            ("max_size", "abc", "max_size is \"abc\"; allowed: bytes, or text like"),
            ("retain", "-1", "retain is \"-1\"; allowed: a whole number"),
            ("compress", "yes", "compress is \"yes\"; allowed: true or false"),
            ("dateFormat", "YYYY/MM", "dateFormat is \"YYYY/MM\"; allowed: a day.js format"),
            ("rotateInterval", "often", "rotateInterval is \"often\"; allowed: a cron pattern"),
            ("TZ", "/etc/passwd", "TZ is \"/etc/passwd\"; allowed: the name of a time zone"),
            ("workerInterval", "soon", "workerInterval is \"soon\"; allowed: a whole number"),
        ] {
            let mut conf = ModuleConf::default();
            let refused = conf.set(&name(&format!("pm2-logrotate:{option}")), value);
            let error = refused.unwrap_err().to_string();
            assert!(error.starts_with(&format!("pm2-logrotate:{said}")), "{error}");
            assert_eq!(conf, ModuleConf::default());
            // A file that was edited by hand: the rest of it counts.
            let text =
                format!(r#"{{"pm2-logrotate":{{"{option}":"{value}","max_total_size":5}}}}"#);
            let (overlay, wrong) = ModuleConf::parse(&text).unwrap().overlay();
            assert!(wrong.len() == 1 && overlay.logs.max_total_size.is_some(), "{wrong:?}");
        }
        let mut conf = ModuleConf::default();
        let note = conf.set(&name("pm2-logrotate:max_sise"), "1").unwrap().unwrap();
        assert!(note.contains("did you mean `max_size`?"), "{note}");
    }
}
