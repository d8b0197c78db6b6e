//! Calls of others, as the supervisor permits them: behind a breaker, tried again within a budget,
//! every attempt noted.
//!
//! What is called and the policies go in; when to make an attempt comes out, or why there is none to
//! make. Always holds: nothing is called while its breaker is open; a caller that goes away
//! gives its place back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tokio::time::{self, Instant};
use zelador_core::effect::CallAnswer;
use zelador_core::id::CallId;
use zelador_core::input::{CallFailed, CallWanted, Fact, Input};
use zelador_core::words;
use zelador_core::words::Words;

use crate::driver::Message;

/// Makes calls; every clone of it numbers its calls from the same counter.
#[derive(Clone)]
pub struct Caller {
    inbox: mpsc::Sender<Message>,
    next: Arc<AtomicU64>,
}

/// The engine is ending: nobody permits anything any more.
fn ending() -> Words {
    words!("zelador is ending", "o zelador está encerrando")
}

impl Caller {
    /// Returns one that asks this driver.
    pub fn new(inbox: mpsc::Sender<Message>) -> Self {
        Self { inbox, next: Arc::default() }
    }

    /// Begins a call, whose every attempt waits for [`Calling::permitted`].
    ///
    /// # Errors
    /// The engine is ending.
    pub async fn begin(&self, wanted: CallWanted) -> Result<Calling, Words> {
        let id = CallId::new(self.next.fetch_add(1, Ordering::Relaxed));
        // One answer at a time.
        let (sender, answers) = mpsc::channel(1);
        let begin = Message::Call { call: id, wanted: Box::new(wanted), answers: sender };
        self.inbox.send(begin).await.map_err(|_| ending())?;
        Ok(Calling { inbox: self.inbox.clone(), id, answers, began: Instant::now(), over: false })
    }
}

/// A call under way; its place is given back when nobody waits for it any more.
pub struct Calling {
    inbox: mpsc::Sender<Message>,
    id: CallId,
    answers: mpsc::Receiver<CallAnswer>,
    /// When the present attempt began.
    began: Instant,
    over: bool,
}

impl Calling {
    /// Waits until the next attempt may be made.
    ///
    /// # Errors
    /// Says why none may: as the last attempt that failed said it, or the supervisor.
    pub async fn permitted(&mut self) -> Result<(), Words> {
        loop {
            match self.answers.recv().await {
                None => return Err(ending()),
                Some(CallAnswer::GiveUp(why)) => {
                    self.over = true;
                    return Err(why);
                }
                Some(CallAnswer::After(delay)) => {
                    time::sleep(delay).await;
                    self.tell(Fact::CallRepeated { call: self.id }).await;
                }
                Some(CallAnswer::Go) => {
                    self.began = Instant::now();
                    return Ok(());
                }
            }
        }
    }

    /// The attempt worked: the call is over.
    pub async fn worked(mut self) {
        self.over = true;
        self.end(None).await;
    }

    /// The attempt failed; whether another one follows, [`Self::permitted`] says.
    pub async fn failed(&mut self, failed: CallFailed) {
        self.end(Some(failed)).await;
    }

    async fn end(&self, failed: Option<CallFailed>) {
        let took = self.began.elapsed();
        self.tell(Fact::CallEnded { call: self.id, took, failed }).await;
    }

    async fn tell(&self, fact: Fact) {
        // A driver that is gone is seen where its answer is awaited.
        _ = self.inbox.send(Message::Input(Input::Fact(fact))).await;
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if !self.over {
            let fact = Fact::CallDropped { call: self.id };
            // A full inbox is that of an engine in trouble: the breaker gives a lost trial up by
            // itself.
            _ = self.inbox.try_send(Message::Input(Input::Fact(fact)));
        }
    }
}
