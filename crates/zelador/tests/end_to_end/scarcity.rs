//! The engine is refused what it needs: nothing is forgotten.

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use zelador_testbed::home::{kill, text, until};

use crate::zelador;

#[test]
fn what_cannot_be_said_to_the_guardian_for_want_of_a_descriptor_is_said_later() {
    let zelador = zelador();
    // More than a datagram takes: it travels in a file, which needs a descriptor.
    let large = "v".repeat(100_000);
    zelador
        .start(&format!("{{ name: 'a', script: 'sleep', args: '1000', env: {{ V: '{large}' }} }}"));
    let (pid, (engine, _)) = (zelador.pid("a"), zelador.roles());
    let process = Pid::from_raw(engine);
    let limit = |soft| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        prlimit(process, Resource::Nofile, Rlimit { current: soft, maximum }).unwrap()
    };
    // Those that are open stay so.
    let before = limit(Some(3));
    kill(pid, Signal::KILL);
    let log = zelador.home().join("zelador.log");
    until("the engine to be refused", || text(&log).contains("cannot be told now"));
    limit(before.current);
    until("another run", || {
        zelador.status("a") == "online" && ![0, pid].contains(&zelador.pid("a"))
    });
    assert_eq!(zelador.roles().0, engine);
    zelador.ok(&["restart", "a"]);
    zelador.ok(&["delete", "a"]);
}
