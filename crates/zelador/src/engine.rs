//! Asks the engine, and waits for the answer on this thread.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};
use zelador_api::client::{Client, ClientError};
use zelador_api::home::Home;
use zelador_api::shared::SharedApps;
use zelador_api::{AppView, Command, Done, Pong, route};

use crate::failure::Failure;

/// How long looking at something may take.
const LOOK: Duration = Duration::from_secs(30);

/// How long doing something may take: a stop waits for the grace of the app, and graces can be
/// minutes.
const ACT: Duration = Duration::from_mins(10);

/// How often it is looked whether there is an engine at all while something is waited for.
const PULSE_EVERY: Duration = Duration::from_secs(5);

/// The engine of one home, asked from this thread.
pub struct Engine {
    home: Home,
    runtime: Runtime,
}

impl Engine {
    /// Returns the engine of a home; whether there is one shows when it is asked.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn new(home: &Home) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build();
        let runtime =
            runtime.map_err(|error| Failure::new(format!("no event loop can be made: {error}")))?;
        Ok(Self { home: home.clone(), runtime })
    }

    /// Looks at something. Asked once more when the answer breaks off, since the engine may have
    /// been replaced at that moment, and looking twice does no harm.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a problem.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.get_within(path, LOOK)
    }

    /// The same with another patience.
    ///
    /// # Errors
    /// Nobody answers in that time, or the answer is a problem.
    pub fn get_within<T: DeserializeOwned>(
        &self,
        path: &str,
        patience: Duration,
    ) -> Result<T, ClientError> {
        let client = Client::new(&self.home, patience);
        self.runtime.block_on(async {
            match client.get(path).await {
                Err(ClientError::Broken(_)) => client.get(path).await,
                answer => answer,
            }
        })
    }

    /// The list with its declarations.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a problem.
    pub fn apps(&self) -> Result<Vec<AppView>, ClientError> {
        self.get::<SharedApps>(route::APPS_SHARED).map(Vec::from)
    }

    /// Asks for something to be done. An engine may take its time, but one that does not even say that it is
    /// there is waited for no longer than for a look.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a problem.
    pub fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let client = Client::new(&self.home, ACT);
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = client.post(path, body) => answer,
                silence = self.silence() => Err(silence),
            }
        })
    }

    /// Ends when nobody has answered a look in time.
    async fn silence(&self) -> ClientError {
        let client = Client::new(&self.home, LOOK);
        loop {
            tokio::time::sleep(PULSE_EVERY).await;
            if let Err(silence @ ClientError::TimedOut(_)) = client.get::<Pong>(route::PING).await {
                return silence;
            }
        }
    }

    /// Gives a command.
    ///
    /// # Errors
    /// Nobody answers, or the command is turned down.
    pub fn command(&self, command: &Command) -> Result<Done, ClientError> {
        self.post(route::COMMANDS, command)
    }
}
