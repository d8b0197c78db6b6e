//! When logs are rotated, taken apart once: the names, the zone, the clock.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use zelador_core::cron;
use zelador_core::unit::Moment;

use super::Rotation;
use super::names::Names;

/// A rotation that is in force.
#[derive(Clone, Debug)]
pub struct Plan {
    /// As it was asked for.
    pub rotation: Rotation,
    /// What renamed files are called.
    pub names: Names,
    zone: TimeZone,
}

impl Plan {
    /// Takes a rotation apart. A time zone that the host does not know is the host's own.
    pub fn new(rotation: Rotation) -> Self {
        let named = rotation.zone.as_deref().map(|name| (name, TimeZone::get(name)));
        let zone = match named {
            Some((_, Ok(zone))) => zone,
            Some((name, Err(error))) => {
                tracing::warn!(zone = name, %error, "logs are rotated in the host's time zone");
                TimeZone::system()
            }
            None => TimeZone::system(),
        };
        let names = Names::new(&rotation.date_format);
        Self { rotation, names, zone }
    }

    /// The present, in the zone of the names.
    pub fn now(&self) -> Zoned {
        Timestamp::now().to_zoned(self.zone.clone())
    }

    /// When all logs are rotated by the clock next; `None`: never.
    pub fn next(&self) -> Option<Timestamp> {
        let now = u64::try_from(Timestamp::now().as_microsecond()).ok()?;
        let next = cron::next(self.rotation.at.as_ref()?, Moment::from_micros(now), &self.zone)?;
        Some(next.timestamp())
    }
}
