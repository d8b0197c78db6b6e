//! What is said over a channel: Node's own messages, those of `node:cluster`, and those of `@pm2/io`.
//!
//! Pure: a line goes in, its meaning comes out, and the other way round. The shapes were measured with
//! Node 14 to 24.

use serde::Deserialize;
use serde_json::{Value, json};
use zelador_core::custom::{Action, Metrics, Told};
use zelador_core::effect::Say;
use zelador_core::input::ReadyBy;

/// What a run said.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// It is ready.
    Ready(ReadyBy),
    /// A worker wants a port.
    Wants(Query),
    /// A worker listens no more on what it got under this key.
    Closed(String),
    /// A worker wants to be told that it was heard, under this number.
    Waits(u64),
    /// Something about itself.
    Told(Told),
    /// Nothing for zelador.
    Other,
}

/// A port, as a worker asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Name or number of the host, or the path of a Unix socket; `None`: any.
    #[serde(default)]
    pub address: Option<String>,
    /// The number; 0: any; -1 for a path.
    #[serde(default)]
    pub port: Option<i64>,
    /// 4, 6, -1 (a path), `"udp4"` or `"udp6"`.
    pub address_type: Value,
    /// A number among the worker's descriptors: a socket that its app declares.
    #[serde(default)]
    pub fd: Option<i64>,
    /// Which of several of the same.
    #[serde(default)]
    pub index: Option<u64>,
    /// libuv's flags.
    #[serde(default)]
    pub flags: Option<i64>,
    /// The number of the question.
    pub seq: u64,
}

impl Query {
    /// What all workers that ask for the same have in common.
    pub fn key(&self) -> String {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let key = format!(
            "{}:{}:{}:{}",
            self.address.as_deref().unwrap_or_default(),
            self.port.unwrap_or_default(),
            text(&self.address_type),
            self.index.unwrap_or_default()
        );
        // As long as there were no such numbers the keys had none.
        self.number().map_or(key.clone(), |number| format!("{key}:{number}"))
    }

    /// The number of the socket that it asks for, if it does so by one.
    pub fn number(&self) -> Option<u32> {
        u32::try_from(self.fd?).ok()
    }

    /// Whether it is for datagrams.
    pub fn is_udp(&self) -> bool {
        self.address_type.as_str().is_some_and(|kind| kind.starts_with("udp"))
    }
}

/// Returns what a line means.
pub fn hear(line: &[u8]) -> Heard {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Heard::Other };
    if value == "ready" {
        return Heard::Ready(ReadyBy::Message);
    }
    if value["cmd"] == "NODE_CLUSTER" {
        return cluster(value);
    }
    match value["type"].as_str() {
        Some("axm:monitor") => {
            let metrics = value["data"].as_object().map(metrics);
            metrics.map_or(Heard::Other, |metrics| Heard::Told(Told::Metrics(metrics)))
        }
        Some("axm:action") => {
            let action = Action::deserialize(&value["data"]);
            action.map_or(Heard::Other, |action| Heard::Told(Told::Action(action)))
        }
        Some("axm:reply") => {
            let Some(action) = value["data"]["action_name"].as_str() else { return Heard::Other };
            let text = value["data"]["return"].to_string();
            Heard::Told(Told::Reply { action: action.to_owned(), text })
        }
        _ => Heard::Other,
    }
}

/// Returns what a line says to whoever listens to apps; `None`: nothing, or Node speaks to itself.
pub fn custom(line: &[u8]) -> Option<Value> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let of_node = value["cmd"].as_str().is_some_and(|word| word.starts_with("NODE_"));
    (!of_node).then_some(value)
}

fn metrics(told: &serde_json::Map<String, Value>) -> Metrics {
    let one = |(name, value): (&String, &Value)| {
        Some((name.clone(), serde_json::from_value(value.clone()).ok()?))
    };
    told.iter().filter_map(one).collect()
}

fn cluster(value: Value) -> Heard {
    match value["act"].as_str() {
        Some("queryServer") => serde_json::from_value(value).map_or(Heard::Other, Heard::Wants),
        Some("listening") => Heard::Ready(ReadyBy::Listening),
        Some("close") => match value["key"].as_str() {
            Some(key) => Heard::Closed(key.to_owned()),
            None => Heard::Other,
        },
        Some("exitedAfterDisconnect") => value["seq"].as_u64().map_or(Heard::Other, Heard::Waits),
        _ => Heard::Other,
    }
}

/// The line that says this.
pub fn say(say: &Say) -> String {
    match say {
        Say::Shutdown => line(&json!("shutdown")),
        Say::Disconnect => line(&json!({ "cmd": "NODE_CLUSTER", "act": "disconnect" })),
        Say::Act { action, param } => line(&json!({ "msg": action, "opts": param })),
    }
}

/// The answer to a worker's question: with the port beside it, or with why there is none.
pub fn answer(query: &Query, failure: Option<i32>) -> String {
    let inner = json!({
        "cmd": "NODE_CLUSTER",
        // libuv's numbers are the kernel's, negative.
        "errno": failure.map_or(0, |errno| -errno),
        "key": query.key(),
        "ack": query.seq,
        "data": null,
    });
    if failure.is_some() {
        return line(&inner);
    }
    let kind = if query.is_udp() { "dgram.Native" } else { "net.Native" };
    line(&json!({ "cmd": "NODE_HANDLE", "type": kind, "msg": inner }))
}

/// The answer to a worker that only wants to be heard.
pub fn acknowledge(seq: u64) -> String {
    line(&json!({ "cmd": "NODE_CLUSTER", "ack": seq }))
}

/// Any message as a line.
pub fn line(value: &Value) -> String {
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_lines_of_a_channel() {
        let good = [
            r#"{"cmd":"NODE_CLUSTER","act":"queryServer","index":0,"address":"::","port":3000,"addressType":4,"fd":null,"flags":0,"seq":1}"#,
            r#"{"cmd":"NODE_CLUSTER","act":"listening","port":3000}"#,
            r#"{"cmd":"NODE_CLUSTER","act":"close","key":":3000:4:","seq":9}"#,
            r#"{"type":"axm:monitor","data":{"Heap Size":{"value":12.5,"type":"internal","unit":"MiB"}}}"#,
            r#"{"type":"axm:action","data":{"action_name":"km:heapdump","arity":2,"opts":null}}"#,
            r#"{"type":"axm:reply","data":{"action_name":"x","return":{"ok":true}}}"#,
            "\"ready\"",
        ];
        let good: Vec<&[u8]> = good.iter().map(|line| line.as_bytes()).collect();
        zelador_testbed::fuzz::fuzz("lines of a channel", &good, |line| {
            if let Heard::Wants(query) = hear(line) {
                let answered = answer(&query, Some(98));
                assert!(answered.ends_with('\n') && answered.matches('\n').count() == 1);
                _ = query.key();
            }
        });
    }

    #[test]
    fn what_a_run_says_is_understood() {
        assert_eq!(hear(b"\"ready\""), Heard::Ready(ReadyBy::Message));
        assert_eq!(hear(br#"{"cmd":"NODE_CLUSTER","act":"listening","addressType":4,"port":3000,"address":null}"#), Heard::Ready(ReadyBy::Listening));
        let Heard::Wants(query) = hear(br#"{"cmd":"NODE_CLUSTER","act":"queryServer","address":null,"port":3000,"addressType":4,"fd":-1,"flags":0,"index":0,"data":null,"seq":7}"#) else {
            panic!("not a query")
        };
        assert_eq!((query.key().as_str(), query.seq, query.is_udp()), (":3000:4:0", 7, false));
        let Heard::Wants(query) = hear(br#"{"cmd":"NODE_CLUSTER","act":"queryServer","address":"/tmp/s","port":-1,"addressType":-1,"seq":8}"#) else {
            panic!("not a query")
        };
        assert_eq!(query.key(), "/tmp/s:-1:-1:0");
        let Heard::Told(Told::Metrics(metrics)) = hear(br#"{"type":"axm:monitor","data":{"Users":{"value":12,"type":"custom","unit":"","historic":true},"bad":3}}"#) else {
            panic!("no metrics")
        };
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics["Users"].value, 12);
        let Heard::Told(Told::Action(action)) =
            hear(br#"{"type":"axm:action","data":{"action_name":"clear","arity":1}}"#)
        else {
            panic!("no action")
        };
        assert_eq!((action.name.as_str(), action.arity), ("clear", 1));
    }

    #[test]
    fn what_apps_say_is_heard_by_others_and_what_node_says_is_not() {
        assert_eq!(custom(b"\"ready\""), Some(json!("ready")));
        let told = br#"{"type":"process:msg","data":{"users":3}}"#;
        assert_eq!(custom(told), serde_json::from_slice(told).ok());
        assert_eq!(custom(br#"{"cmd":"mine"}"#), Some(json!({ "cmd": "mine" })));
        for line in [&b""[..], b"{", br#"{"cmd":"NODE_CLUSTER","act":"listening"}"#] {
            assert_eq!(custom(line), None, "{line:?}");
        }
    }

    #[test]
    fn garbage_means_nothing() {
        for line in [
            &b""[..],
            b"{",
            b"\xff\xfe",
            b"[]",
            b"null",
            b"12",
            b"\"Ready\"",
            b"{\"type\":3}",
            b"{\"cmd\":\"NODE_CLUSTER\"}",
            b"{\"type\":\"axm:action\"}",
        ] {
            assert_eq!(hear(line), Heard::Other, "{line:?}");
        }
    }

    #[test]
    fn a_refused_port_is_told_as_libuv_tells_it() {
        let Heard::Wants(query) = hear(
            br#"{"cmd":"NODE_CLUSTER","act":"queryServer","port":80,"addressType":4,"seq":1}"#,
        ) else {
            panic!("not a query")
        };
        let refused: Value = serde_json::from_str(&answer(&query, Some(libc::EACCES))).unwrap();
        assert_eq!(
            (&refused["errno"], &refused["ack"], &refused["cmd"]),
            (&json!(-13), &json!(1), &json!("NODE_CLUSTER"))
        );
        let given: Value = serde_json::from_str(&answer(&query, None)).unwrap();
        assert_eq!((&given["cmd"], &given["msg"]["errno"]), (&json!("NODE_HANDLE"), &json!(0)));
    }
}
