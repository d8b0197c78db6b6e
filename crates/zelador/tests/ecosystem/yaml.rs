//! What YAML alone can say, and how.

use super::Folder;

#[test]
fn yaml_merges_and_keeps_large_numbers() {
    let folder = Folder::new();
    folder.write(
        "a.yml",
        "x-base: &base\n  env: { ID: 12345678901234567890, T: \"010\" }\n  instances: 2\napps:\n- <<: *base\n  script: ./a\n",
    );
    let apps = folder.apps("a.yml");
    assert_eq!(apps[0]["launch"]["env"]["ID"], "12345678901234567890");
    assert_eq!(apps[0]["launch"]["env"]["T"], "010");
    assert_eq!(apps[0]["instances"], 2);
}

/// As in YAML 1.2, and in the parser that PM2 uses: of a country that is called `NO` none is made a `false`.
#[test]
fn only_true_and_false_are_no_texts_in_yaml() {
    let folder = Folder::new();
    folder.write(
        "a.yml",
        "script: ./a\nargs: [no, on, y]\nenv: { A: no, B: Yes, C: on, D: OFF, E: n, F: true, G: False }\n",
    );
    let launch = &folder.apps("a.yml")[0]["launch"];
    assert_eq!(launch["args"], serde_json::json!(["no", "on", "y"]));
    let value = |name: &str| launch["env"][name].as_str().unwrap_or_default().to_owned();
    let values = ["A", "B", "C", "D", "E", "F", "G"].map(value);
    assert_eq!(values, ["no", "Yes", "on", "OFF", "n", "true", "false"]);
    let error = folder.write("b.yml", "script: ./a\nautorestart: yes\n").error("b.yml");
    assert!(error.contains("b.yml:2:14: autorestart: found \"yes\", allowed: true"), "{error}");
}
