//! Writing what was tried again, and what is not tried for now.

use std::time::Duration;

use rusqlite::{Connection, params};
use zelador_core::history::{Trial, Turn};
use zelador_core::retry::{Attempt, AttemptOutcome};

use super::write::micros;

/// Adds one row.
pub fn write(connection: &Connection, trial: &Trial) -> rusqlite::Result<()> {
    match trial {
        Trial::Attempt { operation, attempt } => write_attempt(connection, operation, attempt),
        Trial::Turn(turn) => write_turn(connection, turn),
    }
}

fn write_attempt(
    connection: &Connection,
    operation: &str,
    attempt: &Attempt,
) -> rusqlite::Result<()> {
    let span = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
    let (outcome, class, error, delay) = match &attempt.outcome {
        AttemptOutcome::Succeeded => ("succeeded", None, None, None),
        AttemptOutcome::Retrying { class, error, delay } => {
            ("retrying", Some(class), Some(error.to_string()), Some(span(*delay)))
        }
        AttemptOutcome::GaveUp { class, error, why } => {
            ("gave-up", Some(class), Some(format!("{error}; {why}")), None)
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO retry (at, operation, target, number, took, outcome, class, error, delay)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            micros(attempt.at),
            operation,
            attempt.target,
            attempt.number,
            span(attempt.took),
            outcome,
            class.map(|class| class.said()),
            error,
            delay
        ])?;
    Ok(())
}

fn write_turn(connection: &Connection, turn: &Turn) -> rusqlite::Result<()> {
    let Turn { at, target, operation, state, trial_at, trips } = turn;
    connection
        .prepare_cached(
            "INSERT INTO breaker (at, target, operation, state, trial_at, trips)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![micros(*at), target, operation, state, trial_at.map(micros), trips])?;
    Ok(())
}
