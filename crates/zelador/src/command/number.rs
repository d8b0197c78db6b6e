//! `scale`, `reset`, `sendSignal`, `pid`, `id`: verbs about numbers.

use std::process::ExitCode;

use zelador_api::signal::Signal;
use zelador_api::{Command, Replicas, Surplus, View, route};

use super::{Context, act, of_instance, unselected};
use crate::failure::Failure;
use crate::output;

/// Has more or fewer replicas of apps.
pub fn scale(context: &Context, selector: String, to: &str) -> Result<ExitCode, Failure> {
    let to = replicas(to).ok_or_else(|| {
        Failure::with_help(
            format!("number of processes: found `{to}`, allowed: a whole number, `+N` or `-N`"),
            "`zelador scale api 4` has four, `zelador scale api +2` two more",
        )
    })?;
    let selectors = context.selectors(vec![selector])?;
    act::act(context, &Command::Scale { selectors, to, surplus: Surplus::Newest })
}

/// Reads `4`, `+2` and `-1`.
pub fn replicas(text: &str) -> Option<Replicas> {
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| plain)
    };
    match text.split_at_checked(1)? {
        ("+", more) => number(more).map(Replicas::More),
        ("-", fewer) => number(fewer).map(Replicas::Fewer),
        _ => number(text).map(Replicas::Exactly),
    }
}

/// Counts restarts and short runs from 0 on.
pub fn reset(context: &Context, selectors: Vec<String>) -> Result<ExitCode, Failure> {
    let selectors = context.selectors(selectors)?;
    act::act(context, &Command::Reset { selectors })
}

/// Sends a signal to main processes.
pub fn signal(context: &Context, signal: &str, words: Vec<String>) -> Result<ExitCode, Failure> {
    let signal = Signal::parse(signal).ok_or_else(|| {
        Failure::with_help(
            format!("signal: found `{signal}`, allowed: the name of a signal, or its number from 1 to 64"),
            "`kill -l` lists them",
        )
    })?;
    let selectors = context.selectors(words)?;
    let done = context.engine.command(&Command::Signal { selectors, signal })?;
    act::tell(&done)?;
    Ok(act::code(&done))
}

/// Prints main processes, one a line; 0 for what is not up.
pub fn pid(context: &Context, selector: Option<&str>) -> Result<ExitCode, Failure> {
    let view: View = context.engine.get(route::VIEW)?;
    let chosen = match selector {
        Some(selector) => chosen(&view, selector)?,
        None => view.instances.iter().collect(),
    };
    let pids = chosen.iter().map(|instance| format!("{}\n", instance.pid.unwrap_or(0)));
    output::answer(&pids.collect::<String>())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the numbers of an app, as JavaScript shows a list.
pub fn id(context: &Context, selector: &str) -> Result<ExitCode, Failure> {
    let view: View = context.engine.get(route::VIEW)?;
    let ids = chosen(&view, selector)?.iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
    output::answer(&format!("[ {} ]\n", ids.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(
    view: &'a View,
    selector: &str,
) -> Result<Vec<&'a zelador_api::InstanceView>, Failure> {
    let candidates: Vec<_> = view.instances.iter().map(of_instance).collect();
    let ids = zelador_api::select::select(selector, &candidates)
        .map_err(|why| unselected(selector, &why))?;
    Ok(view.instances.iter().filter(|it| ids.contains(&it.id)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_replicas_is_absolute_or_a_step() {
        assert_eq!(replicas("4"), Some(Replicas::Exactly(4)));
        assert_eq!(replicas("+2"), Some(Replicas::More(2)));
        assert_eq!(replicas("-1"), Some(Replicas::Fewer(1)));
        for wrong in ["", "+", "-", "++1", "1.5", "many", "99999999999", "é"] {
            assert_eq!(replicas(wrong), None, "{wrong}");
        }
    }
}
