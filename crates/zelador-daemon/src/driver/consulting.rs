//! A question of the supervisor to a language model, off the driver's thread; what came of it goes back as a fact.

use tokio::sync::oneshot;
use zelador_core::diagnosis::Snapshot;
use zelador_core::id::IncidentId;
use zelador_core::input::{Fact, Input};
use zelador_core::words;

use super::{Driver, Message};
use crate::advisor::Question;

impl Driver {
    /// Asks; answered by `Advised`, whatever happens.
    pub(crate) fn consult(&mut self, incident: IncidentId, snapshot: Snapshot) {
        let (advisor, sender) = (self.advisor.clone(), self.sender.clone());
        self.tasks.spawn(async move {
            let (answer, said) = oneshot::channel();
            // That it is to be asked is decided already.
            let question = Question { snapshot, remedy_failed: true, answer };
            let is_asked = advisor.is_some_and(|advisor| advisor.try_send(question).is_ok());
            let advice = match said.await {
                _ if !is_asked => Err(words!(
                    "too many questions wait already",
                    "já há perguntas demais na fila",
                )),
                Ok(explained) => explained.advice.ok_or_else(|| {
                    let none = || words!("no advisor is set", "nenhum conselheiro está definido");
                    explained.advisor.unwrap_or_else(none)
                }),
                Err(_) => Err(words!("zelador is ending", "o zelador está encerrando")),
            };
            let fact = Fact::Advised { incident, advice };
            _ = sender.send(Message::Input(Input::Fact(fact))).await;
        });
    }
}
