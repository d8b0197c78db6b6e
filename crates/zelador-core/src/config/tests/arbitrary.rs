//! Documents that nobody would write.

use proptest::prelude::*;

use super::context;
use crate::config::fields::{APP, CHECKS, DATABASE, HEALTH, LOGS, SETTINGS, THRESHOLDS, TOP};
use crate::config::{Key, Node, Value, check, check_settings, script_app};

fn names() -> impl Strategy<Value = String> {
    let tables = [APP, HEALTH, SETTINGS, CHECKS, THRESHOLDS, DATABASE, LOGS, TOP];
    let known: Vec<String> =
        tables.iter().flat_map(|table| table.iter().map(|(name, _)| (*name).to_owned())).collect();
    prop_oneof![8 => proptest::sample::select(known), 1 => ".{0,12}", 1 => "env_[a-z]{0,3}"]
}

fn nodes() -> impl Strategy<Value = Node> {
    let likely = [
        "max",
        "10s",
        "500M",
        "* * * * *",
        "mysql://u:p@h:1/x",
        "sqlite:x",
        "/health",
        "node@1",
        "http://h:1/",
        "http://é",
        "[::1",
        ":80",
        "200-",
        "a b",
        "..",
        "/",
        "it's",
        "cluster",
        "\0",
        "http://@",
        "https:/é",
        "mysql://é@",
        "-1",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(Value::Number),
        (-5_i32..100_000).prop_map(|number| Value::Number(number.into())),
        proptest::sample::select(likely.to_vec()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::Text),
    ];
    let value = leaf.prop_recursive(5, 64, 8, |inner| {
        let node = inner.prop_map(Node::from);
        prop_oneof![
            proptest::collection::vec(node.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec((names().prop_map(Key::new), node), 0..8)
                .prop_map(Value::Table),
        ]
    });
    value.prop_map(Node::from)
}

proptest! {
    #[test]
    fn no_document_makes_the_checker_panic(document in nodes()) {
        let _ = check(&document, &context());
        let _ = check_settings(&document, &context());
    }

    #[test]
    fn no_app_makes_the_checker_panic(fields in proptest::collection::vec((names(), nodes()), 0..10)) {
        let fields = fields.iter().map(|(name, node)| (name.as_str(), node.value.clone())).collect();
        if let Ok((app, _)) = script_app("a.js", &[], fields, &context()) {
            prop_assert!(app.instances >= 1);
            prop_assert!(app.launch.cwd.is_absolute());
        }
    }

    #[test]
    fn what_was_accepted_is_accepted_again_from_json(document in nodes()) {
        let text = document.value.to_string();
        let _: Node = serde_json::from_str(&text).unwrap();
    }
}
