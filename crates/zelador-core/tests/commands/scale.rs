//! How many replicas there are.

use proptest::prelude::*;
use zelador_core::effect::Refusal;
use zelador_core::input::{Command, Replicas, Surplus, Unchanged};

use crate::world::{World, app};

fn scale(to: Replicas, surplus: Surplus) -> Command {
    Command::Scale { selectors: vec!["api".to_owned()], to, surplus }
}

#[test]
fn no_replica_at_all_is_refused_with_what_to_do_instead() {
    let mut world = World::new();
    world.declare(app(vec![("name", "api".into())]), Unchanged::LeaveAlone);
    let refused = world.command(scale(Replicas::Fewer(1), Surplus::Newest)).unwrap_err();
    let Refusal::NotPossible { reason, help } = refused else { panic!("{refused}") };
    assert_eq!(reason.english(), "api cannot have 0 replicas, but 1 to 1024");
    assert!(help.unwrap().english().contains("zelador delete api"));
    let same = world.command(scale(Replicas::Exactly(1), Surplus::Newest)).unwrap();
    assert!(same.instances.is_empty() && same.notes[0].contains("nothing to do"));
}

#[test]
fn each_replica_counts_on_from_the_first() {
    let mut world = World::new();
    let env = [("PORT", "3000")].map(|(k, v)| {
        (zelador_core::config::Key::new(k), zelador_core::config::Value::from(v).into())
    });
    let fields = vec![
        ("name", "api".into()),
        ("increment_var", "PORT".into()),
        ("env", zelador_core::config::Value::Table(env.into())),
        ("instances", 2.0.into()),
        ("exec_mode", "fork".into()),
    ];
    world.declare(app(fields), Unchanged::LeaveAlone);
    world.command(scale(Replicas::More(1), Surplus::Newest)).unwrap();
    let ports: Vec<&str> = world.launches.iter().map(|it| it.env["PORT"].as_str()).collect();
    assert_eq!(ports, ["3000", "3001", "3002"]);
    let last = world.last_env();
    assert_eq!((last["NODE_APP_INSTANCE"].as_str(), last["pm_id"].as_str()), ("2", "2"));
}

proptest! {
    /// The model: a list of (id, index); new ones get the lowest free index and the next id.
    #[test]
    fn replicas_come_and_go_as_in_the_plain_model(
        steps in prop::collection::vec((0_u8..3, 0_u32..5, any::<bool>()), 1..12)
    ) {
        let mut world = World::new();
        world.declare(app(vec![("name", "api".into())]), Unchanged::LeaveAlone);
        let (mut model, mut next_id) = (vec![(0_u32, 0_u32)], 1);
        for (kind, number, lowest) in steps {
            let to = match kind {
                0 => Replicas::Exactly(number),
                1 => Replicas::More(number),
                _ => Replicas::Fewer(number),
            };
            let present = model.len() as u32;
            let wanted = match to {
                Replicas::Exactly(number) => number,
                Replicas::More(more) => present + more,
                Replicas::Fewer(fewer) => present.saturating_sub(fewer),
            };
            let surplus = if lowest { Surplus::LowestId } else { Surplus::Newest };
            let answer = world.command(scale(to, surplus));
            prop_assert_eq!(answer.is_ok(), wanted > 0);
            if wanted > 0 {
                while (model.len() as u32) < wanted {
                    let index = (0..99).find(|it| model.iter().all(|(_, taken)| taken != it)).unwrap();
                    model.push((next_id, index));
                    next_id += 1;
                }
                while model.len() as u32 > wanted {
                    let gone = *match surplus {
                        Surplus::LowestId => model.iter().min(),
                        Surplus::Newest => model.iter().max_by_key(|(_, index)| *index),
                    }.unwrap();
                    model.retain(|it| *it != gone);
                }
            }
            let mut list: Vec<(u32, u32)> =
                world.list().iter().map(|it| (it.id.number(), it.index)).collect();
            list.sort_unstable();
            model.sort_unstable();
            prop_assert_eq!(&list, &model);
            prop_assert!(world.list().iter().all(|it| it.status == "online"));
            prop_assert!(world.pid_files_are_right());
        }
    }
}
