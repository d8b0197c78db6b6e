//! Who has a port that an app wanted.

use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::unit::Moment;
use crate::words;
use crate::words::Words;

/// A process that listens on a port which an app could not get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortHolder {
    /// The port.
    pub port: u16,
    /// The process; `None`: zelador may not see whose it is, or did not find it in time.
    pub pid: Option<i32>,
    /// What it is called.
    pub name: String,
    /// When it was started.
    pub started_at: Option<Moment>,
    /// The run of a zelador that it belongs to.
    pub run: Option<RunId>,
    /// The home of that zelador.
    pub home: Option<String>,
    /// The instance of this zelador that it belongs to.
    pub app: Option<String>,
    /// Whose it is, where zelador may see no more of it.
    pub user: Option<u32>,
}

impl PortHolder {
    /// Says it in words, as seen at `now`: `port 3000 is held by node (pid 7, up for 3 min, app api)`.
    pub fn spoken(&self, now: Moment) -> Words {
        let Self { port, name, .. } = self;
        let Some(pid) = self.pid else {
            return match self.user {
                Some(user) => words!(
                    "port {port} is held by a process of user {user} that zelador may not look at",
                    "a porta {port} está com um processo do usuário {user} que o zelador não pode \
                     ver",
                ),
                None => words!(
                    "port {port} is held by a process that was not found in time",
                    "a porta {port} está com um processo que não foi encontrado a tempo",
                ),
            };
        };
        let age =
            self.started_at.map(|at| words!(", up for {t}", ", no ar há {t}", t = now.since(at)));
        let whose = match (&self.app, &self.home) {
            (Some(app), _) => words!(", app {app}", ", app {app}"),
            (None, Some(home)) => words!(", of the zelador in {home}", ", do zelador em {home}"),
            (None, None) => Words::default(),
        };
        words!(
            "port {port} is held by {name} (pid {pid}{age}{whose})",
            "a porta {port} está com {name} (pid {pid}{age}{whose})",
            age = age,
            whose = whose,
        )
    }
}
