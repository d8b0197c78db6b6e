//! stand-in
use zelador_core::evidence::Evidence; use zelador_core::unit::Moment; use crate::processes::RunKey;
pub fn gather(_: Option<&RunKey>, _: &[(&'static str, std::path::PathBuf)], now: Moment) -> Evidence { Evidence { gathered_at: now, ..Evidence::default() } }
