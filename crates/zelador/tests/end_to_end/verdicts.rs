//! What a script sees: the exit codes of `zelador health`, and breakers that a person orders about.

use zelador_testbed::home::{Zelador, until};

use crate::zelador;

/// Starts one with these settings beside an app, and nothing of the host looked at.
fn with(settings: &str) -> Zelador {
    let zelador = zelador();
    zelador.write(
        "ecosystem.config.js",
        &format!(
            "module.exports = {{ apps: [{{ name: 'a', script: 'sleep', args: '1000' }}],
               zelador: {{ checks: {{ memory: false, cpu: false, disk: false {settings} }} }};"
        ),
    );
    zelador.ok(&["start", "ecosystem.config.js"]);
    zelador
}

#[test]
fn health_ends_with_0_1_or_2_as_it_is() {
    let state = std::env::temp_dir().join(format!("zelador-verdict-{}", std::process::id()));
    std::fs::write(&state, "0").unwrap();
    let path = state.display();
    let zelador = with(&format!(
        ", gate: {{ command: ['sh', '-c', 'exit $(cat {path})'], interval: '200ms', failure_threshold: 1 }} }}"
    ));
    for (code, word) in [(0, "healthy"), (1, "degraded"), (2, "unhealthy")] {
        std::fs::write(&state, code.to_string()).unwrap();
        until(word, || zelador.run(&["health"]).code == code);
        let json = zelador.run(&["health", "--json"]);
        assert_eq!(json.code, code, "{}", json.out);
        let told: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(told["overall"], word, "{told}");
    }
    std::fs::remove_file(state).unwrap();
}

#[test]
fn a_breaker_does_what_a_person_wants() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let zelador = with(&format!(
        "}}, databases: {{ main: {{ url: 'redis://{address}', interval: '200ms' }} }}"
    ));
    let state = |word: &str| {
        let all = zelador.ok(&["breaker"]).out;
        all.lines().any(|line| line.contains("database:main") && line.contains(word))
    };
    let orders =
        [("force-open", "forced open"), ("disable", "disabled"), ("metrics-only", "metrics only")];
    for (order, word) in orders {
        let said = zelador.ok(&["breaker", order, "database:main", "query"]).out;
        assert!(said.contains(&format!("database:main query: {word}")), "{order}: {said}");
        assert!(state(word), "{order}");
    }
    // Everything is asked and counted, however much of it fails.
    let failed = || {
        let tried = zelador.ok(&["retries", "query"]).out;
        tried.matches("connection refused").count()
    };
    until("more looks than a breaker would permit", || failed() > 7);
    assert!(state("metrics only"));
    let said = zelador.ok(&["breaker", "reset", "database:main"]).out;
    assert!(said.contains("database:main query: closed, was metrics only"), "{said}");
    until("it to open by itself", || state(" open"));
    let unknown = zelador.run(&["breaker", "reset", "database:other"]);
    assert_ne!(unknown.code, 0);
    assert!(unknown.err.contains("there is no breaker `database:other`"), "{}", unknown.err);
    let nonsense = zelador.run(&["breaker", "shut", "database:main"]);
    assert_ne!(nonsense.code, 0);
    assert!(nonsense.err.contains("force-open"), "{}", nonsense.err);
}
