//! How the providers want to be asked, and where in what they say the answer is.

use serde_json::{Value, json};
use zelador_core::diagnosis::consult::Prompt;
use zelador_core::spec::{AdvisorSpec, Provider};
use zelador_core::words;
use zelador_core::words::Words;

/// Tokens of the prompt that Ollama is to make room for: it cuts longer ones off without a word.
const OLLAMA_CONTEXT: u32 = 8_192;

/// The version of the messages that this speaks.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// What stands in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The text of the model.
    pub text: String,
    /// Tokens of question and answer, as far as they were told.
    pub tokens: Option<u64>,
}

/// Why an answer of a server is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The body is not of this provider.
    Shape,
    /// It was cut off.
    CutOff,
    /// The model does not want to.
    Refused,
}

impl NoAnswer {
    /// The reason in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::Shape => words!(
                "the server's answer has another shape than that of the provider",
                "a resposta do servidor tem outra forma que a do provedor",
            ),
            Self::CutOff => words!(
                "the model's answer was cut off; a larger `max_tokens` may help",
                "a resposta do modelo foi cortada; um `max_tokens` maior pode ajudar",
            ),
            Self::Refused => {
                words!("the model refused to answer", "o modelo se recusou a responder")
            }
        }
    }
}

/// Where to ask.
pub fn path(provider: Provider) -> &'static str {
    match provider {
        Provider::Openai => "/v1/chat/completions",
        Provider::Anthropic => "/v1/messages",
        Provider::Ollama => "/api/chat",
    }
}

/// The headers that carry the key, and what else the provider wants.
pub fn headers(provider: Provider, key: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    match provider {
        Provider::Openai | Provider::Ollama => {
            headers.extend(key.map(|key| ("authorization", format!("Bearer {key}"))));
        }
        Provider::Anthropic => {
            headers.push(("anthropic-version", ANTHROPIC_VERSION.to_owned()));
            headers.extend(key.map(|key| ("x-api-key", key.to_owned())));
        }
    }
    headers
}

/// The body of the question.
pub fn body(spec: &AdvisorSpec, prompt: &Prompt) -> Value {
    let system = json!({ "role": "system", "content": prompt.system });
    let user = json!({ "role": "user", "content": prompt.user });
    match spec.provider {
        Provider::Openai => json!({
            "model": spec.model,
            "messages": [system, user],
            "max_tokens": spec.max_tokens,
            "temperature": 0,
            "stream": false,
            "response_format": {
                "type": "json_schema",
                "json_schema": { "name": "diagnosis", "strict": true, "schema": prompt.schema }
            }
        }),
        Provider::Anthropic => json!({
            "model": spec.model,
            "system": prompt.system,
            "messages": [user],
            "max_tokens": spec.max_tokens,
            "output_config": { "format": { "type": "json_schema", "schema": prompt.schema } }
        }),
        Provider::Ollama => json!({
            "model": spec.model,
            "messages": [system, user],
            "stream": false,
            "format": prompt.schema,
            "options": { "temperature": 0, "num_predict": spec.max_tokens, "num_ctx": OLLAMA_CONTEXT }
        }),
    }
}

/// Finds the answer.
pub fn read(provider: Provider, body: &[u8]) -> Result<Said, NoAnswer> {
    let value: Value = serde_json::from_slice(body).map_err(|_| NoAnswer::Shape)?;
    let text_at = |place: &str| value.pointer(place).and_then(Value::as_str);
    let count = |place: &str| value.pointer(place).and_then(Value::as_u64);
    let (text, end, tokens) = match provider {
        Provider::Openai => {
            if text_at("/choices/0/message/refusal").is_some() {
                return Err(NoAnswer::Refused);
            }
            let end = text_at("/choices/0/finish_reason");
            (text_at("/choices/0/message/content"), end, count("/usage/total_tokens"))
        }
        Provider::Anthropic => {
            let blocks = value.get("content").and_then(Value::as_array);
            let block = blocks.and_then(|all| all.iter().find(|it| it["type"] == "text"));
            let tokens = count("/usage/input_tokens").zip(count("/usage/output_tokens"));
            let text = block.and_then(|it| it["text"].as_str());
            (text, text_at("/stop_reason"), tokens.map(|(asked, said)| asked + said))
        }
        Provider::Ollama => {
            let tokens = count("/prompt_eval_count").zip(count("/eval_count"));
            let end = text_at("/done_reason").or(Some("stop"));
            (text_at("/message/content"), end, tokens.map(|(asked, said)| asked + said))
        }
    };
    match end {
        Some("length" | "max_tokens" | "model_context_window_exceeded") => Err(NoAnswer::CutOff),
        Some("refusal" | "content_filter") => Err(NoAnswer::Refused),
        Some("stop" | "end_turn" | "stop_sequence") => {
            let text = text.ok_or(NoAnswer::Shape)?.to_owned();
            Ok(Said { text, tokens })
        }
        _ => Err(NoAnswer::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_where_each_provider_puts_it() {
        let openai = r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}],"usage":{"total_tokens":9}}"#;
        let anthropic = r#"{"stop_reason":"end_turn","content":[{"type":"thinking"},{"type":"text","text":"x"}],"usage":{"input_tokens":4,"output_tokens":5}}"#;
        let ollama = r#"{"done":true,"done_reason":"stop","message":{"content":"x"},"prompt_eval_count":4,"eval_count":5}"#;
        for (provider, body) in [
            (Provider::Openai, openai),
            (Provider::Anthropic, anthropic),
            (Provider::Ollama, ollama),
        ] {
            let said = Said { text: "x".to_owned(), tokens: Some(9) };
            assert_eq!(read(provider, body.as_bytes()), Ok(said), "{provider:?}");
            let cut = body.replace("\"stop\"", "\"length\"").replace("end_turn", "max_tokens");
            assert_eq!(read(provider, cut.as_bytes()), Err(NoAnswer::CutOff), "{provider:?}");
            for garbage in ["", "<html>", "[]", "{}", "{\"choices\":[]}", "null"] {
                let is_none =
                    read(provider, garbage.as_bytes()).is_err() || provider == Provider::Ollama;
                assert!(is_none, "{provider:?}: {garbage}");
            }
        }
        let refused =
            r#"{"choices":[{"finish_reason":"stop","message":{"content":null,"refusal":"no"}}]}"#;
        assert_eq!(read(Provider::Openai, refused.as_bytes()), Err(NoAnswer::Refused));
    }
}
