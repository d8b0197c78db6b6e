//! What a run stands on that a person may change: its environment, remembered without any value, so that it can be told
//! what is different from the last run that was good.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::spec::LaunchSpec;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// What a run was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Footing {
    /// When the run came up.
    pub since: Moment,
    /// A hash of the value of each variable that is declared.
    env: BTreeMap<String, u64>,
    /// A hash of the variables that whoever gave the command had.
    inherited: u64,
    /// A hash of program and arguments.
    command: u64,
}

impl Footing {
    /// Of a run that came up now.
    pub fn of(launch: &LaunchSpec, since: Moment) -> Self {
        let env = launch.env.iter().map(|(name, value)| (name.clone(), hash([value.as_str()])));
        let inherited = launch.inherited_env.iter();
        let inherited = hash(inherited.flat_map(|(name, value)| [name.as_str(), value]));
        let program = [launch.interpreter.as_deref().unwrap_or_default(), &launch.script];
        let words = launch.interpreter_args.iter().chain(&launch.args).map(String::as_str);
        let command = hash(program.into_iter().chain(words));
        Self { since, env: env.collect(), inherited, command }
    }

    /// What another one, later, has that is different: names only.
    pub fn differences(&self, later: &Self) -> Vec<Words> {
        let mut said = Vec::new();
        let mut tell = |what: Words, names: Vec<&String>| {
            if !names.is_empty() {
                let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
                let names = names.join(", ");
                said.push(words!(
                    "environment: {what}: {names}",
                    "ambiente: {what}: {names}",
                    what = what,
                ));
            }
        };
        let (before, after) = (&self.env, &later.env);
        tell(
            words!("new", "novo"),
            after.keys().filter(|name| !before.contains_key(*name)).collect(),
        );
        tell(
            words!("gone", "ausente"),
            before.keys().filter(|name| !after.contains_key(*name)).collect(),
        );
        let other = |name: &&String| after.get(*name).is_some_and(|hash| *hash != before[*name]);
        tell(words!("another value", "outro valor"), before.keys().filter(other).collect());
        if self.inherited != later.inherited {
            said.push(words!(
                "environment: variables of whoever started it are different",
                "ambiente: as variáveis de quem o iniciou são outras",
            ));
        }
        if self.command != later.command {
            said.push(words!(
                "its program or its arguments are different",
                "o programa ou os argumentos são outros",
            ));
        }
        said
    }
}

/// FNV-1a over the parts, each with its end.
fn hash<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let bytes = parts.into_iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
