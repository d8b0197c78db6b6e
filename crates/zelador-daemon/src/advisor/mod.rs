//! The language model that may be asked where the rules are unsure.
//!
//! A task that owns what was asked and answered: one question at a time, once for each kind of trouble, within the tokens
//! of a day, as a call that the supervisor permits: its breaker, retry and budget. Its answer is checked and weighed by the core.

mod client;
mod ledger;
mod wire;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use zelador_api::WouldAsk;
use zelador_core::breaker::{BreakerKey, BreakerPolicy};
use zelador_core::diagnosis::consult::{
    Advice, Prompt, WhyAsk, parse, prompt, reason_to_ask, weigh,
};
use zelador_core::diagnosis::{Answer, Snapshot, judge_with};
use zelador_core::input::{CallFailed, CallWanted};
use zelador_core::notify::Language;
use zelador_core::retry::RetryPolicy;
use zelador_core::spec::{AdvisorSpec, KeyFrom, Settings};
use zelador_core::words;
use zelador_core::words::Words;

use crate::calls::Caller;
use crate::clock::Clock;
use crate::errno;
use client::Broken;
use ledger::Ledger;

/// How many questions may wait.
const QUEUE: usize = 16;

/// A character in four is a token, as a rule of thumb, where the server does not count.
const CHARACTERS_A_TOKEN: usize = 4;

/// Something to explain.
pub struct Question {
    /// The evidence.
    pub snapshot: Snapshot,
    /// Whether a remedy failed, so that a model is asked although the rules are sure.
    pub remedy_failed: bool,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Explained>,
}

/// An explanation.
#[derive(Clone, Debug)]
pub struct Explained {
    /// What is believed.
    pub answer: Answer,
    /// What became of the question to the model, in words; `None`: it was not asked.
    pub advisor: Option<Words>,
    /// What the model said.
    pub advice: Option<Advice>,
}

/// Returns what the model would be asked, without asking it.
pub fn would_ask(settings: &Settings, snapshot: &Snapshot, remedy_failed: bool) -> WouldAsk {
    let answer = judge_with(snapshot, &settings.rules);
    let failed = remedy_failed.then_some(WhyAsk::RemedyFailed);
    let reason = reason_to_ask(&answer).or(failed).map(|why| why.told(Language::En).to_owned());
    let body = settings
        .advisor
        .as_ref()
        .map(|spec| wire::body(spec, &prompt(snapshot, &answer, spec.language)));
    let url =
        settings.advisor.as_ref().map(|spec| format!("{}{}", spec.url, wire::path(spec.provider)));
    WouldAsk { url, reason, body }
}

/// Owns what was asked.
pub struct Advisor {
    clock: Clock,
    settings: watch::Receiver<Settings>,
    questions: mpsc::Receiver<Question>,
    ledger: Ledger,
    caller: Caller,
}

impl Advisor {
    /// Returns the task, and where to ask it; what was answered is kept in `file`.
    pub fn new(
        file: &Path,
        clock: Clock,
        settings: watch::Receiver<Settings>,
        caller: Caller,
    ) -> (Self, mpsc::Sender<Question>) {
        let (sender, questions) = mpsc::channel(QUEUE);
        (Self { clock, settings, questions, ledger: Ledger::open(file), caller }, sender)
    }

    /// Answers until it is cancelled or nobody can ask any more.
    pub async fn run(mut self, cancelled: CancellationToken) {
        while let Some(Some(question)) = cancelled.run_until_cancelled(self.questions.recv()).await
        {
            let explain = self.explain(&question.snapshot, question.remedy_failed);
            let Some(explained) = cancelled.run_until_cancelled(explain).await else { break };
            // Nobody may wait any more.
            _ = question.answer.send(explained);
        }
    }

    async fn explain(&mut self, snapshot: &Snapshot, remedy_failed: bool) -> Explained {
        let (rules, spec) = {
            let settings = self.settings.borrow();
            (settings.rules.clone(), settings.advisor.clone())
        };
        let answer = judge_with(snapshot, &rules);
        let Some(spec) = spec else {
            return Explained { answer, advisor: None, advice: None };
        };
        if reason_to_ask(&answer).is_none() && !remedy_failed {
            return Explained { answer, advisor: None, advice: None };
        }
        let model = &spec.model;
        let fingerprint = ledger::fingerprint(&spec, snapshot, &answer);
        if let Some(advice) = self.ledger.answer(&fingerprint) {
            let told = words!("{model} said so before", "{model} já tinha dito isso");
            let answer = weigh(answer, &advice, snapshot);
            return Explained { answer, advisor: Some(told), advice: Some(advice) };
        }
        let asked = prompt(snapshot, &answer, spec.language);
        match self.ask(&spec, &asked, snapshot).await {
            Ok(advice) => {
                self.ledger.keep(fingerprint, advice.clone());
                let told = words!("{model} was asked", "{model} foi consultado");
                let answer = weigh(answer, &advice, snapshot);
                Explained { answer, advisor: Some(told), advice: Some(advice) }
            }
            Err(why) => {
                tracing::warn!(model, %why, "the advisor gave no advice");
                let told = words!(
                    "{model} gave no advice: {why}",
                    "{model} não deu conselho: {why}",
                    why = why,
                );
                Explained { answer, advisor: Some(told), advice: None }
            }
        }
    }

    /// Asks, with the patience of the policy; `Err` says why there is no advice.
    async fn ask(
        &mut self,
        spec: &AdvisorSpec,
        asked: &Prompt,
        snapshot: &Snapshot,
    ) -> Result<Advice, Words> {
        let estimate = (asked.system.len() + asked.user.len()) / CHARACTERS_A_TOKEN;
        let estimate = estimate as u64 + u64::from(spec.max_tokens);
        let key = key(&spec.key)?;
        let retry = RetryPolicy { retries: 1, total: Some(spec.timeout), ..RetryPolicy::general() };
        let wanted = CallWanted {
            key: BreakerKey::model(&spec.model),
            retry,
            breaker: BreakerPolicy::model(),
        };
        let budget = spec.budget_per_day;
        let used = words!(
            "its {budget} tokens of this day are used",
            "os {budget} tokens deste dia já foram usados",
        );
        if !self.ledger.allows(self.clock.now(), estimate, spec.budget_per_day) {
            return Err(used);
        }
        let mut call = self.caller.begin(wanted).await?;
        let body = loop {
            call.permitted().await?;
            // An attempt that failed may have used up what was left.
            if !self.ledger.allows(self.clock.now(), estimate, spec.budget_per_day) {
                return Err(used);
            }
            match once(spec, asked, key.as_deref()).await {
                Ok(body) => break body,
                Err(Broken { failure, text }) => {
                    // What failed may have been counted by the provider.
                    self.ledger.spend(self.clock.now(), estimate);
                    call.failed(CallFailed { failure, error: text }).await;
                }
            }
        };
        call.worked().await;
        let said = wire::read(spec.provider, &body);
        let tokens = said.as_ref().ok().and_then(|said| said.tokens).unwrap_or(estimate);
        self.ledger.spend(self.clock.now(), tokens);
        let said = said.map_err(|wrong| wrong.words())?;
        parse(&said.text, snapshot).map_err(|wrong| wrong.words())
    }
}

async fn once(spec: &AdvisorSpec, asked: &Prompt, key: Option<&str>) -> Result<Bytes, Broken> {
    let body = Bytes::from(wire::body(spec, asked).to_string());
    let headers = wire::headers(spec.provider, key);
    client::post(
        &spec.url,
        wire::path(spec.provider),
        &headers,
        body,
        spec.timeout.max(Duration::from_millis(1)),
    )
    .await
}

/// The key, never kept.
fn key(from: &KeyFrom) -> Result<Option<String>, Words> {
    match from {
        KeyFrom::Nowhere => Ok(None),
        KeyFrom::Variable(name) => match std::env::var(name) {
            Ok(key) if !key.trim().is_empty() => Ok(Some(key.trim().to_owned())),
            _ => Err(words!(
                "the variable {name} is not set where zelador was started",
                "a variável {name} não está definida onde o zelador foi iniciado",
            )),
        },
        KeyFrom::File(path) => {
            let text = std::fs::read_to_string(path);
            let path = path.display();
            let text = text.map_err(|error| {
                words!(
                    "{path} cannot be read: {why}",
                    "{path} não pode ser lido: {why}",
                    why = errno::said(&error),
                )
            })?;
            let key = text.lines().next().unwrap_or_default().trim().to_owned();
            if key.is_empty() {
                return Err(words!("{path} is empty", "{path} está vazio"));
            }
            Ok(Some(key))
        }
    }
}

#[cfg(test)]
mod tests;
