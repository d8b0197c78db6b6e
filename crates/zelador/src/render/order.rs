//! In which order the list is shown: `--sort memory:desc`.

use std::cmp::Ordering;

use zelador_api::{InstanceView, Phase};

/// An order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    field: Field,
    descending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Pid,
    Id,
    Cpu,
    Memory,
    Uptime,
    Status,
}

const NAMES: [(&str, Field); 8] = [
    ("name", Field::Name),
    ("namespace", Field::Namespace),
    ("pid", Field::Pid),
    ("id", Field::Id),
    ("cpu", Field::Cpu),
    ("memory", Field::Memory),
    ("uptime", Field::Uptime),
    ("status", Field::Status),
];

impl Order {
    /// The fields that it may be of.
    pub const FIELDS: [&str; 8] = {
        let mut fields = [""; 8];
        let mut index = 0;
        while index < 8 {
            fields[index] = NAMES[index].0;
            index += 1;
        }
        fields
    };

    /// Reads `memory`, `memory:asc` or `memory:desc`.
    pub fn read(text: &str) -> Option<Self> {
        let (name, way) = text.split_once(':').unwrap_or((text, "asc"));
        let descending = match way {
            "asc" => false,
            "desc" => true,
            _ => return None,
        };
        let (_, field) = NAMES.iter().find(|(known, _)| *known == name)?;
        Some(Self { field: *field, descending })
    }

    /// Puts instances in this order; equal ones stay in that of their numbers.
    pub fn sort(self, instances: &mut [InstanceView]) {
        self.sort_by(instances, |instance| instance);
    }

    /// Puts things that have an instance in this order.
    pub fn sort_by<T>(self, things: &mut [T], instance: impl Fn(&T) -> &InstanceView) {
        things.sort_by(|a, b| {
            let (a, b) = (instance(a), instance(b));
            let order = self.field.compare(a, b);
            let order = if self.descending { order.reverse() } else { order };
            order.then(a.id.cmp(&b.id))
        });
    }
}

impl Field {
    fn compare(self, a: &InstanceView, b: &InstanceView) -> Ordering {
        let cpu = |of: &InstanceView| of.usage.map_or(0.0, |usage| usage.cpu);
        let memory = |of: &InstanceView| of.usage.map(|usage| usage.memory).unwrap_or_default();
        match self {
            Self::Name => a.name.cmp(&b.name),
            Self::Namespace => a.namespace.cmp(&b.namespace),
            Self::Pid => a.pid.unwrap_or(0).cmp(&b.pid.unwrap_or(0)),
            Self::Id => a.id.cmp(&b.id),
            Self::Cpu => cpu(a).total_cmp(&cpu(b)),
            Self::Memory => memory(a).cmp(&memory(b)),
            // Up for longer means that it came up earlier; what is down has no uptime.
            Self::Uptime => match (since(a), since(b)) {
                (Some(a), Some(b)) => b.cmp(&a),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
            Self::Status => a.status.cmp(&b.status),
        }
    }
}

fn since(of: &InstanceView) -> Option<zelador_api::unit::Moment> {
    match of.phase {
        Phase::Running { since, .. } => Some(since),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn the_list_is_ordered_by_any_field_both_ways() {
        let ids = |order: &str| {
            let mut instances = sample::view().instances;
            Order::read(order).expect("a field").sort(&mut instances);
            instances.iter().map(|it| it.id.number()).collect::<Vec<_>>()
        };
        assert_eq!(ids("id:desc"), [4, 3, 2, 1, 0]);
        assert_eq!(ids("name"), [0, 1, 4, 3, 2]);
        assert_eq!(ids("namespace:desc"), [0, 1, 2, 3, 4]);
        assert_eq!(ids("uptime:desc"), [0, 1, 2, 3, 4]);
        assert_eq!(ids("memory"), [2, 3, 4, 0, 1]);
        assert_eq!(ids("status"), [3, 0, 1, 4, 2]);
        for wrong in ["", "mem", "id:up", "id:"] {
            assert_eq!(Order::read(wrong), None, "{wrong}");
        }
    }
}
