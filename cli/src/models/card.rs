//! The card of a version: what it was made from, how good it is, and what it consists of.

use std::collections::BTreeMap;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use jiff::{SignedDuration, Timestamp};
use mora_core::{Confidence, MemberWeight, RequestRecord, Rung, Signal, Skill, WorkloadRef};
use mora_model_worker::{
    Comparison, Decision, FileDigest, Library, LibraryError, Manifest, SignalModel, Tuning,
    WorkloadModel,
};
use serde::Serialize;

use super::comparison::{amount, percent};
use super::listing::size;

/// Everything a reader should know of one version.
#[derive(Debug, Serialize)]
pub(super) struct Card {
    pub(super) workload: WorkloadRef,
    pub(super) version: String,
    pub(super) state: String,
    written_by: String,
    data_from: Timestamp,
    pub(super) data_until: Timestamp,
    pub(super) slot_seconds: u32,
    replicas: u32,
    seed: u64,
    origins: usize,
    horizon_slots: usize,
    /// What each member that takes part reads.
    features: BTreeMap<String, &'static str>,
    signals: BTreeMap<Signal, CardSignal>,
    decision: Option<Decision>,
    files: BTreeMap<String, FileDigest>,
}

/// One signal of a card.
#[derive(Debug, Serialize)]
struct CardSignal {
    rung: Rung,
    members: Vec<MemberWeight>,
    skill: Skill,
    confidence: Option<Confidence>,
    /// Mean pinball loss of the back-test divided by mean usage.
    back_test_loss: Option<f64>,
    back_test_slots: usize,
    /// What its requests would have cost on the last days, per price of risk.
    request_records: Vec<RequestRecord>,
    /// The settings of its members, and how many others were tried.
    tuning: Tuning,
    /// What the model would warn of in a forecast that follows on its data.
    warnings: Vec<String>,
}

/// A titled table, which every format writes in its own way.
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<Vec<String>>,
}

impl Card {
    /// The card of `model`, a version of `library`; fails when it cannot be told which version serves.
    pub(super) fn of(library: &Library, model: &WorkloadModel) -> Result<Self, LibraryError> {
        let manifest = &model.manifest;
        let serves = library.current()?.as_ref() == Some(&manifest.version);
        let signals = model.signals.iter();
        let signals: BTreeMap<Signal, CardSignal> =
            signals.map(|(signal, model)| (*signal, CardSignal::of(model))).collect();
        let members = signals.values().flat_map(|signal| &signal.members);
        Ok(Self {
            workload: manifest.workload.clone(),
            version: manifest.version.clone(),
            state: state(manifest, serves),
            written_by: manifest.written_by.clone(),
            data_from: manifest.data_from,
            data_until: manifest.data_until,
            slot_seconds: manifest.slot.seconds(),
            replicas: manifest.replicas,
            seed: manifest.seed,
            origins: manifest.origins,
            horizon_slots: manifest.horizon_slots,
            features: members.map(|m| (m.member.clone(), features(&m.member))).collect(),
            signals,
            decision: manifest.decision.clone(),
            files: manifest.files.clone(),
        })
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.workload, self.version);
        for section in self.sections() {
            let mut table = Table::new();
            table.load_style(NOTHING);
            table.add_rows(section.rows);
            text += &format!("\n{}\n{}\n", section.title, table.trim_fmt());
        }
        text
    }

    /// For a wiki or a review.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("# Model card: {} {}\n", self.workload, self.version);
        for Section { title, rows } in self.sections() {
            let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
            text += &format!(
                "\n## {title}\n\n|{}\n|{}\n",
                " |".repeat(columns),
                " --- |".repeat(columns)
            );
            for row in rows {
                let cells: String =
                    row.iter().map(|cell| format!(" {} |", cell.replace('|', "\\|"))).collect();
                text += &format!("|{cells}\n");
            }
        }
        text
    }

    /// The card's tables, in order.
    pub(super) fn sections(&self) -> Vec<Section> {
        let mut sections = vec![self.version_section()];
        sections.extend(self.signals.iter().map(|(signal, card)| card.section(*signal)));
        sections.extend(self.features_section());
        sections.extend(self.decision.as_ref().map(decision_section));
        sections.push(self.files_section());
        sections
    }

    fn version_section(&self) -> Section {
        let days = self.data_until.duration_since(self.data_from).as_hours() / 24;
        let rows = [
            ("state", self.state.clone()),
            ("data", format!("{} to {} ({days} days)", self.data_from, self.data_until)),
            ("slot", format!("{} s", self.slot_seconds)),
            ("replicas", self.replicas.to_string()),
            ("seed", self.seed.to_string()),
            ("back-test", format!("at most {} daily origins", self.origins)),
            ("horizon", format!("{} slots at once", self.horizon_slots)),
            ("written by", self.written_by.clone()),
        ];
        section("Version", &rows)
    }

    fn features_section(&self) -> Option<Section> {
        let rows: Vec<Vec<String>> =
            self.features.iter().map(|(m, reads)| vec![m.clone(), (*reads).to_owned()]).collect();
        (!rows.is_empty()).then(|| Section { title: "What members read".to_owned(), rows })
    }

    fn files_section(&self) -> Section {
        let row = |(name, digest): (&String, &FileDigest)| {
            vec![name.clone(), size(digest.bytes), format!("sha256 {}", digest.sha256)]
        };
        Section { title: "Files".to_owned(), rows: self.files.iter().map(row).collect() }
    }
}

impl CardSignal {
    fn of(model: &SignalModel) -> Self {
        let summary = model.summary();
        Self {
            rung: summary.rung,
            members: summary.members,
            skill: summary.skill,
            confidence: summary.confidence,
            back_test_loss: model.back_test_loss(),
            back_test_slots: model.back_test().len(),
            request_records: summary.request_records,
            tuning: model.tuning(),
            warnings: model.warnings(model.data_until()),
        }
    }

    fn section(&self, signal: Signal) -> Section {
        let mut rows = vec![("answers by", self.rung.as_str().to_owned())];
        let weight = |m: &MemberWeight| format!("{} {:.2}", m.member, m.weight);
        let members: Vec<String> = self.members.iter().map(weight).collect();
        rows.push(("weights", members.join(", ")));
        let known = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
        let ratio = self.skill.pinball_ratio;
        rows.push(("pinball ratio to the baseline", known(ratio.map(|r| format!("{r:.3}")))));
        let loss = self.back_test_loss.map(|loss| format!("{} of mean usage", percent(loss)));
        rows.push(("pinball loss", known(loss)));
        let coverage = self.confidence.map(|c| {
            format!("{} where {} is stated", percent(c.observed), percent(c.stated.get()))
        });
        rows.push(("coverage", known(coverage)));
        let tested = format!("{} slots at {} origins", self.back_test_slots, self.skill.origins);
        rows.push(("back-test", tested));
        rows.push(("requests by price of risk", requests(&self.request_records)));
        rows.extend(settings(&self.tuning));
        rows.extend(self.warnings.iter().map(|warning| ("warning", warning.clone())));
        section(&format!("{signal} ({})", signal.unit()), &rows)
    }
}

/// What requests would have cost and missed at each price.
fn requests(records: &[RequestRecord]) -> String {
    let Some(first) = records.first() else {
        return "not tried: less than four days of history".to_owned();
    };
    let tried = |record: &RequestRecord| {
        format!("{}: {:.2} and {}", record.price, record.overhead, percent(record.above))
    };
    let each: Vec<String> = records.iter().map(tried).collect();
    let days = first.days;
    format!("requested per used, and share of samples above, on {days} days: {}", each.join("; "))
}

/// The settings of the members that have some, and how many others were tried.
fn settings(tuning: &Tuning) -> [(&'static str, String); 2] {
    let tried = |count: u32| match count {
        0 => "the defaults, none other tried".to_owned(),
        count => format!("{count} others tried"),
    };
    let prophet = &tuning.prophet;
    let of_prophet = format!(
        "changepoint prior scale {}, seasonality prior scale {}, harmonics {} of the day and {} of the week; {}",
        prophet.changepoint_prior_scale,
        prophet.seasonality_prior_scale,
        prophet.daily_harmonics,
        prophet.weekly_harmonics,
        tried(tuning.prophet_candidates)
    );
    let of_lstm =
        format!("rate of learning {}; {}", tuning.lstm.rate, tried(tuning.lstm_candidates));
    [("settings of prophet", of_prophet), ("settings of lstm", of_lstm)]
}

fn section(title: &str, rows: &[(&str, String)]) -> Section {
    let rows = rows.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    Section { title: title.to_owned(), rows }
}

fn state(manifest: &Manifest, serves: bool) -> String {
    match (serves, manifest.rejection()) {
        (true, _) => "serves".to_owned(),
        (false, Some(_)) => "rejected, does not serve".to_owned(),
        (false, None) => "does not serve".to_owned(),
    }
}

/// What a member of that name learns from.
fn features(member: &str) -> &'static str {
    match member {
        "hour_of_week" => "the largest observation per slot, by hour of the day or week",
        "prophet" => "trend with changepoints, daily and weekly seasons of that observation",
        "lstm" => "48 slots of departures from the hour-of-week profile, with the calendar",
        _ => "unknown",
    }
}

fn decision_section(decision: &Decision) -> Section {
    let verb = if decision.published { "replaced" } else { "did not replace" };
    let mut rows = vec![(verb, decision.champion.clone()), ("because", decision.reason.clone())];
    let compared = decision.comparison.as_ref().map(Comparison::slots);
    rows.extend(compared.map(|slots| ("compared", format!("{slots} slots"))));
    let figures = decision.comparison.iter().flat_map(|c| &c.signals);
    rows.extend(figures.map(|(signal, figures)| {
        let losses = [figures.first_loss, figures.second_loss].map(|loss| amount(*signal, loss));
        (signal.as_str(), format!("pinball loss {} before, {} here", losses[0], losses[1]))
    }));
    section("Decision", &rows)
}

/// The first slot after the data of a card.
pub(super) fn next_slot(card: &Card) -> Timestamp {
    let width = i64::from(card.slot_seconds);
    let behind = card.data_until.as_second().rem_euclid(width);
    let ahead = SignedDuration::from_secs(if behind == 0 { 0 } else { width - behind });
    card.data_until.saturating_add(ahead).unwrap_or(Timestamp::MAX)
}
