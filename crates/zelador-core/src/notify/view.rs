//! The desk as a person sees it.

use serde::{Deserialize, Serialize};

use super::route::Route;
use crate::unit::Moment;
use crate::words::{Words, in_english};

/// Channels, routes, and what is open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotifyView {
    /// Every channel.
    pub channels: Vec<ChannelView>,
    /// Every route.
    pub routes: Vec<Route>,
    /// Until when it is quiet; `None`: it is not.
    pub quiet_until: Option<Moment>,
    /// How many matters are not over.
    pub open: usize,
    /// Channels that a route names and that there are not.
    pub unknown: Vec<String>,
}

/// How a channel is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// `slack`, `mail` …
    pub kind: String,
    /// Where it leads, without what must not be shown.
    pub place: String,
    /// How it is.
    pub state: ChannelState,
    /// How many messages wait for it.
    pub waiting: usize,
    /// When something was delivered last, as far as this engine knows.
    pub delivered_at: Option<Moment>,
}

/// How a channel is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum ChannelState {
    /// Nothing is wrong with it, as far as is known.
    Good,
    /// It takes nothing.
    Failing {
        /// Since when.
        since: Moment,
        /// Why, at last.
        #[serde(serialize_with = "in_english")]
        reason: Words,
        /// When it is tried again.
        retry_at: Moment,
    },
}

impl super::Desk {
    /// Returns how everything is.
    pub fn view(&self, plan: &super::Plan, quiet_until: Option<Moment>) -> NotifyView {
        let channel = |(name, channel): (&String, &super::Channel)| {
            let line = self.lines.get(name);
            let state = match line.and_then(|line| Some((line, line.failing_since?))) {
                Some((line, since)) => ChannelState::Failing {
                    since,
                    reason: line.reason.clone(),
                    retry_at: line.retry_at,
                },
                None => ChannelState::Good,
            };
            ChannelView {
                name: name.clone(),
                kind: channel.kind.word().to_owned(),
                place: channel.kind.place(),
                state,
                waiting: self.parcels.values().filter(|parcel| parcel.channel == *name).count(),
                delivered_at: line.and_then(|line| line.delivered_at),
            }
        };
        let named = plan.routes.iter().flat_map(|route| &route.to);
        let mut unknown: Vec<String> =
            named.filter(|name| !plan.channels.contains_key(*name)).cloned().collect();
        unknown.sort();
        unknown.dedup();
        NotifyView {
            channels: plan.channels.iter().map(channel).collect(),
            routes: plan.routes.clone(),
            quiet_until,
            open: self.matters.values().filter(|matter| matter.is_open()).count(),
            unknown,
        }
    }
}
