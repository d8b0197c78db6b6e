//! The layout of the file, and how an older one becomes this one.
//!
//! Always holds: a file of any layout up to [`LAYOUT`] is opened, and nothing of the state in it is
//! lost; a newer one is left alone.

use rusqlite::Connection;

/// The layout that this version writes; a newer one is refused.
pub const LAYOUT: i64 = 4;

/// The first layout with the past in it.
const PAST_SINCE: i64 = 2;

/// Layout 1: the state.
const STATE: &str = "
    CREATE TABLE IF NOT EXISTS state (
        key TEXT PRIMARY KEY,   -- app/NAME, instance/ID, incident/ID, settings, counters
        value TEXT NOT NULL,    -- JSON
        at INTEGER NOT NULL     -- microseconds since the Unix epoch
    ) STRICT, WITHOUT ROWID;
";

/// Layout 2: the past. `docs/history.md` describes it.
const PAST: &str = "
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,      -- rolled-until, day-until: seconds since the Unix epoch
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        subject TEXT NOT NULL,      -- host, app:NAME/INDEX, check:COMPONENT
        metric TEXT NOT NULL,       -- memory, cpu, descriptors, threads, restarts, latency, up, …
        unit TEXT NOT NULL,         -- bytes, millicores, count, microseconds, thousandths
        UNIQUE (subject, metric)
    ) STRICT;
    CREATE TABLE tick (
        at INTEGER PRIMARY KEY,     -- seconds since the Unix epoch
        points BLOB NOT NULL        -- all series at that moment, packed
    ) STRICT;
    CREATE TABLE block (
        series INTEGER NOT NULL,
        hour INTEGER NOT NULL,      -- its beginning: seconds since the Unix epoch
        points BLOB NOT NULL,       -- (seconds since then, value), packed
        PRIMARY KEY (series, hour)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE rollup (
        width INTEGER NOT NULL,     -- seconds: 60, 900, 86400
        series INTEGER NOT NULL,
        at INTEGER NOT NULL,        -- the beginning: seconds since the Unix epoch
        count INTEGER NOT NULL,     -- samples
        min INTEGER NOT NULL,
        mean INTEGER NOT NULL,
        max INTEGER NOT NULL,
        p95 INTEGER NOT NULL,
        PRIMARY KEY (width, series, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,        -- microseconds since the Unix epoch
        kind TEXT NOT NULL,         -- declared, changed, begun, up, stopped, died, opened, closed, …
        app TEXT,
        instance INTEGER,           -- its number, PM2's pm_id
        run INTEGER,
        incident INTEGER,
        text TEXT NOT NULL,
        lasted INTEGER              -- microseconds
    ) STRICT;
    CREATE INDEX event_at ON event (at);
    CREATE INDEX event_app ON event (app, at);
    CREATE TABLE run (
        run INTEGER PRIMARY KEY,
        app TEXT NOT NULL,
        instance INTEGER NOT NULL,
        cause TEXT NOT NULL,        -- why it was started
        begun_at INTEGER NOT NULL,  -- microseconds since the Unix epoch
        up_at INTEGER,
        ended_at INTEGER,
        ended TEXT,                 -- how it ended, in words
        asked INTEGER NOT NULL DEFAULT 0 -- 1: somebody asked for its end
    ) STRICT;
    CREATE INDEX run_app ON run (app, begun_at);
    CREATE TABLE incident (
        id INTEGER PRIMARY KEY,
        app TEXT NOT NULL,
        trouble TEXT NOT NULL,
        opened_at INTEGER NOT NULL, -- microseconds since the Unix epoch
        closed_at INTEGER,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        document TEXT NOT NULL      -- all of it, with evidence, diagnosis and story: JSON
    ) STRICT;
    CREATE INDEX incident_at ON incident (opened_at);
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,        -- microseconds since the Unix epoch
        who TEXT NOT NULL,          -- uid 1000, token, …
        origin TEXT NOT NULL,       -- pid 4711 (zelador), 10.0.0.7:41234, …
        verb TEXT NOT NULL,
        target TEXT NOT NULL,
        ok INTEGER NOT NULL,
        result TEXT NOT NULL
    ) STRICT;
    CREATE INDEX audit_at ON audit (at);
    CREATE VIEW rollups AS
        SELECT subject, metric, unit, width, datetime(at, 'unixepoch') AS begins, count, min, mean, max, p95
        FROM rollup JOIN series ON series.id = rollup.series;
";

/// Layout 3: what was tried again, and what is not tried for now.
const TRIALS: &str = "
    CREATE TABLE retry (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,        -- its end: microseconds since the Unix epoch
        operation TEXT NOT NULL,    -- restart, send, connect, …
        target TEXT NOT NULL,       -- app:NAME, notify:CHANNEL, database:NAME
        number INTEGER NOT NULL,    -- 1 is the first attempt
        took INTEGER NOT NULL,      -- microseconds
        outcome TEXT NOT NULL,      -- succeeded, retrying, gave-up
        class TEXT,                 -- what kind of failure: timed-out, denied, …
        error TEXT,                 -- without secrets
        delay INTEGER               -- before the next attempt: microseconds
    ) STRICT;
    CREATE INDEX retry_at ON retry (at);
    CREATE TABLE breaker (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,        -- microseconds since the Unix epoch
        target TEXT NOT NULL,       -- app:NAME/INDEX, notify:CHANNEL, …
        operation TEXT NOT NULL,    -- start, send, …
        state TEXT NOT NULL,        -- what it became: closed, open, half-open, forced open, …
        trial_at INTEGER,           -- when the next trial is permitted: microseconds since the Unix epoch
        trips INTEGER NOT NULL      -- openings since it was last closed
    ) STRICT;
    CREATE INDEX breaker_at ON breaker (at);
";

/// Layout 4: sentences in Portuguese beside the English ones; NULL where both are the same, and in rows from
/// before.
const PORTUGUESE: &str = "
    ALTER TABLE event ADD COLUMN text_pt TEXT;
    ALTER TABLE run ADD COLUMN cause_pt TEXT;
    ALTER TABLE run ADD COLUMN ended_pt TEXT;
    ALTER TABLE audit ADD COLUMN result_pt TEXT;
    ALTER TABLE incident ADD COLUMN state_pt TEXT;
    UPDATE incident SET state_pt = CASE state
        WHEN 'healed' THEN 'curado'
        WHEN 'recovered' THEN 'recuperado'
        WHEN 'taken over' THEN 'assumido por alguém'
    END;
";

/// The layout of an open file; 0 for a new one.
pub fn layout(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a file of an older layout to this one.
pub fn migrate(connection: &Connection) -> rusqlite::Result<()> {
    let found = layout(connection)?;
    if found >= LAYOUT {
        return Ok(());
    }
    if found < PAST_SINCE {
        // What is let go is to become room for others; such a file is small, so rebuilding it is quick.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.execute_batch("VACUUM")?;
    }
    let steps = [STATE, PAST, TRIALS, PORTUGUESE];
    let missing = &steps[usize::try_from(found).unwrap_or(0).min(steps.len())..];
    let script = missing.concat();
    connection.execute_batch(&format!("BEGIN; {script} PRAGMA user_version = {LAYOUT}; COMMIT;"))
}
