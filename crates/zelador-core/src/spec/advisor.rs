//! A language model that may be asked.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a provider wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// Chat completions as `OpenAI` has them, also of llama.cpp, vLLM, LM Studio and `/v1` of Ollama.
    Openai,
    /// The messages of Anthropic.
    Anthropic,
    /// Ollama's own chat.
    Ollama,
}

/// Where its key is; the key itself is in no setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFrom {
    /// A local server wants none.
    Nowhere,
    /// A variable of the environment that zelador was started in.
    Variable(String),
    /// A file, whose first line it is.
    File(PathBuf),
}

/// A language model that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvisorSpec {
    /// How it wants to be asked.
    pub provider: Provider,
    /// `http://127.0.0.1:8080`: what stands before `/v1/…` or `/api/chat`.
    pub url: String,
    /// Its name there.
    pub model: String,
    /// Its key.
    pub key: KeyFrom,
    /// An answer takes no longer.
    pub timeout: Duration,
    /// An answer has no more tokens.
    pub max_tokens: u32,
    /// All questions and answers of a day, in UTC, have no more tokens than this.
    pub budget_per_day: u64,
    /// In which language reasons are given.
    pub language: crate::diagnosis::consult::Language,
}
