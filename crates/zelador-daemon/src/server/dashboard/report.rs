//! How the last days were: availability, incidents, restarts, what used most.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use zelador_core::history::{Kind, Metric, Rollup};
use zelador_core::unit::{ByteSize, Moment};

use super::Dashboard;
use super::lang::Lang;
use super::page::percent;
use super::parts;
use super::table::{Column, table};
use crate::server::Failure;

/// Over which time.
#[derive(Deserialize)]
pub struct Asked {
    /// Days: 1, 7, 30 or 90; anything else is 7.
    days: Option<String>,
}

/// The spans that can be chosen, in days.
const SPANS: [u64; 4] = [1, 7, 30, 90];

/// The most events that are counted.
const MOST: u32 = 100_000;

/// One app's days.
#[derive(Default)]
struct Row {
    up: Vec<Rollup>,
    memory: Vec<Rollup>,
    cpu: Vec<Rollup>,
    deaths: u32,
    remedies: u32,
    incidents: u32,
}

/// The page.
pub async fn page(dashboard: &Dashboard, lang: Lang, asked: &Asked) -> Result<Markup, Failure> {
    let days = asked.days.as_ref().and_then(|days| days.parse().ok());
    let days = days.filter(|days| SPANS.contains(days)).unwrap_or(7);
    let now = dashboard.seconds();
    let from = now.saturating_sub(days * 24 * 3600);
    let moment = |at: u64| Moment::from_micros(at * 1_000_000);
    let (up, memory, cpu, events, incidents) = dashboard
        .read(move |reader| {
            let lines = |metric| reader.days(metric, from, now + 1);
            let events = reader.events(None, moment(from), moment(now + 1), MOST)?;
            let incidents = reader.incidents(None, moment(from), MOST)?;
            Ok((lines(Metric::Up)?, lines(Metric::Memory)?, lines(Metric::Cpu)?, events, incidents))
        })
        .await?;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut add = |lines: BTreeMap<String, Vec<(u64, Rollup)>>,
                   pick: fn(&mut Row) -> &mut Vec<Rollup>| {
        for (subject, points) in lines {
            let Some(app) = subject.strip_prefix("app:").and_then(|it| it.rsplit_once('/')) else {
                continue;
            };
            pick(rows.entry(app.0.to_owned()).or_default())
                .extend(points.into_iter().map(|(_, it)| it));
        }
    };
    add(up, |row| &mut row.up);
    add(memory, |row| &mut row.memory);
    add(cpu, |row| &mut row.cpu);
    for event in &events {
        let Some(row) = event.app.as_ref().and_then(|app| rows.get_mut(app)) else { continue };
        match event.kind {
            Kind::Died => row.deaths += 1,
            Kind::Remedy => row.remedies += 1,
            Kind::Opened => row.incidents += 1,
            _ => {}
        }
    }
    rows.retain(|_, row| !row.up.is_empty() || row.deaths + row.incidents > 0);
    let closed: Vec<_> =
        incidents.iter().filter_map(|it| Some(it.closed_at?.since(it.opened_at))).collect();
    let healed = incidents.iter().filter(|it| it.state.english() == "healed").count();
    let mean = (!closed.is_empty())
        .then(|| closed.iter().sum::<std::time::Duration>() / closed.len() as u32);
    let availability = Rollup::merge(rows.values().flat_map(|row| row.up.iter().copied()));
    Ok(html! {
        div.bar {
            h1 { (lang.t("Report", "Relatório")) }
            nav.chips aria-label=(lang.t("Days", "Dias")) {
                @for span in SPANS { a.chip href={ "/health/report?days=" (span) } aria-current=[(span == days).then_some("true")] { (span) " d" } }
            }
        }
        div.gauges {
            (tile(lang.t("Availability", "Disponibilidade"), &share(lang, availability)))
            (tile(lang.t("Incidents", "Incidentes"), &incidents.len().to_string()))
            (tile(lang.t("Healed without a person", "Curados sem uma pessoa"), &healed.to_string()))
            (tile(lang.t("Mean time to recovery", "Tempo médio de recuperação"), &mean.map_or_else(|| "–".to_owned(), |it| lang.span(it))))
        }
        @if rows.is_empty() { (parts::empty(lang.t("Nothing was recorded in this time", "Nada foi registrado neste período"), html! {})) }
        @else { div.scroll tabindex="0" role="region" aria-label=(lang.t("Report", "Relatório")) {
            (table(
                [
                    Column::row("App"),
                    Column::number(lang.t("Availability", "Disponibilidade")),
                    Column::number(lang.t("Incidents", "Incidentes")),
                    Column::number(lang.t("Deaths", "Mortes")),
                    Column::number(lang.t("Remedies", "Remédios")),
                    Column::number(lang.t("Memory, mean / max", "Memória, média / máx.")),
                    Column::number(lang.t("CPU, mean / p95", "CPU, média / p95")),
                ],
                rows.iter().map(|(app, row)| cells(lang, app, row)),
            ))
        } }
    })
}

fn cells(lang: Lang, app: &str, row: &Row) -> [Markup; 7] {
    let merged = |rollups: &[Rollup]| Rollup::merge(rollups.iter().copied());
    [
        html! { a href={ "/health/app/" (percent(app)) } { (parts::plain(app)) } },
        html! { (share(lang, merged(&row.up))) },
        html! { (row.incidents) },
        html! { (row.deaths) },
        html! { (row.remedies) },
        html! { @if let Some(it) = merged(&row.memory) { (lang.bytes(bytes(it.mean))) " / " (lang.bytes(bytes(it.max))) } @else { "–" } },
        html! { @if let Some(it) = merged(&row.cpu) { (lang.percent(it.mean as f64 / 10.0)) " / " (lang.percent(it.p95 as f64 / 10.0)) } @else { "–" } },
    ]
}

fn tile(label: &str, value: &str) -> Markup {
    html! { div.tile { div.tile-head { span { (label) } } p.value { (value) } } }
}

fn bytes(value: i64) -> ByteSize {
    ByteSize::new(u64::try_from(value).unwrap_or(0))
}

/// Thousandths as a share of 100; with as many decimals as tell that something was down.
fn share(lang: Lang, rollup: Option<Rollup>) -> String {
    match rollup {
        None => "–".to_owned(),
        Some(it) if it.min >= 1000 => "100 %".to_owned(),
        Some(it) => format!("{} %", lang.number((it.mean as f64 / 10.0).min(99.9), 1)),
    }
}
