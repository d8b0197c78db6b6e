//! Who hears in the virtual world that zelador lives.

use std::time::Duration;

use zelador_core::effect::Effect;
use zelador_core::input::{Fact, Input};
use zelador_core::pulse::{NotHeard, PingId};
use zelador_core::retry::ErrorClass;
use zelador_core::unit::Moment;
use zelador_core::words::quoted;

use crate::rule::{Rule, Violation, broken};
use crate::world::World;

/// As the settings of the virtual host say: every five minutes; a ping may take ten seconds, and is given
/// up five later.
pub const INTERVAL: Duration = Duration::from_mins(5);
const GIVEN_UP_AFTER: Duration = Duration::from_secs(15);

/// What is known of the pings of this engine.
pub struct Ear {
    under_way: Option<(PingId, Moment)>,
    /// The last ping, or the beginning of the engine.
    last: Moment,
}

impl Ear {
    pub fn new(now: Moment) -> Self {
        Self { under_way: None, last: now }
    }

    /// Looks at what is pinged and answered in a step.
    pub fn note(
        &mut self,
        now: Moment,
        input: &Input,
        effects: &[Effect],
    ) -> Result<(), Violation> {
        if let Input::Fact(Fact::Pinged { id, .. }) = input {
            self.under_way.take_if(|(under_way, _)| under_way == id);
        }
        self.under_way.take_if(|(_, since)| now >= *since + GIVEN_UP_AFTER);
        for effect in effects {
            let Effect::Ping { id, .. } = effect else { continue };
            if self.under_way.replace((*id, now)).is_some() {
                return broken(Rule::Heard, "two pings are under way");
            }
            self.last = now;
        }
        if now > self.last + INTERVAL + GIVEN_UP_AFTER {
            return broken(Rule::Heard, "no ping was heard for too long");
        }
        Ok(())
    }
}

impl World {
    /// Most pings arrive; in a rude world some do not, or nothing comes back.
    pub fn ping(&mut self, id: PingId) {
        let luck = if self.rudeness == 2 { self.rng.u8(0..8) } else { 7 };
        if luck == 0 {
            return;
        }
        let reason = quoted("no connection");
        let not_heard = NotHeard { class: ErrorClass::Unreachable, reason, retry_after: None };
        let went = if luck < 3 { Err(not_heard) } else { Ok(()) };
        let at = self.now + self.span(1..2000);
        self.say(at, Fact::Pinged { id, went }, true);
    }
}
