//! The names under which the guardian keeps descriptors for this and later engines.

use serde::{Deserialize, Serialize};
use zelador_core::id::AppName;
use zelador_core::spec::SocketSpec;

/// One name. Its bytes stay readable for every later version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Stowed {
    /// A port that the workers of a cluster share.
    Port {
        app: AppName,
        /// As Node names it.
        port: String,
    },
    /// A socket that an app declares.
    Socket {
        app: AppName,
        /// Where it listens.
        socket: String,
        /// The permissions of its file, unless they are the usual ones.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
    /// A descriptor that a run gave us to keep.
    Store {
        app: AppName,
        /// Of which instance.
        instance: u32,
        /// As the run named it.
        store: String,
        /// Which of that name.
        number: u32,
    },
    /// Our end of a run's `NOTIFY_SOCKET`.
    Notify { notify: u64 },
    /// Our end of a run's notification descriptor.
    Ready { ready: u64 },
    /// What waits for a log that cannot be written.
    Backlog { backlog: u64 },
    /// One of the sockets on which clients of PM2's daemon call.
    Pm2 { pm2: String },
}

impl Stowed {
    /// That of a socket that an app declares: with other permissions it is another one.
    pub fn of_socket(app: AppName, spec: &SocketSpec) -> Self {
        Self::Socket { app, socket: spec.listen.to_string(), mode: spec.unusual_mode() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether these bytes name something of a single run, by a look at how they begin.
    pub fn is_of_run(bytes: &[u8]) -> bool {
        bytes.starts_with(b"{\"notify\"") || bytes.starts_with(b"{\"ready\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_what_it_was() {
        let app = AppName::new("api").unwrap();
        for name in [
            Stowed::Port { app: app.clone(), port: "4:127.0.0.1:80".to_owned() },
            Stowed::Socket { app: app.clone(), socket: "[::]:80".to_owned(), mode: None },
            Stowed::Socket { app: app.clone(), socket: "/run/a".to_owned(), mode: Some(0o600) },
            Stowed::Store { app, instance: 3, store: "conn".to_owned(), number: 1 },
            Stowed::Notify { notify: 7 },
            Stowed::Ready { ready: 7 },
            Stowed::Backlog { backlog: 7 },
            Stowed::Pm2 { pm2: "rpc.sock".to_owned() },
        ] {
            assert_eq!(Stowed::read(&name.bytes()), Some(name.clone()));
            let of_run = matches!(name, Stowed::Notify { .. } | Stowed::Ready { .. });
            assert_eq!(Stowed::is_of_run(&name.bytes()), of_run);
        }
        // As zelador has always written it.
        assert!(Stowed::read(br#"{"app":"api","port":"x"}"#).is_some());
        assert!(Stowed::read(br#"{"app":"api","socket":"x"}"#).is_some());
        assert_eq!(Stowed::read(b"?"), None);
    }
}
