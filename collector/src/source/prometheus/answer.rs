//! What the query API of Prometheus answers.
//!
//! Read here and not by the client crate, which drops warnings and the status, and buffers every sample
//! several times over. An answer of a hundred megabytes is read series by series as it arrives.

mod elements;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::regularise::Sample;
use elements::{Elements, OF_LABELS, OF_QUERY};

/// The labels of a series, by name.
pub type Labels = BTreeMap<String, String>;

/// A series with its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Its labels.
    pub labels: Labels,
    /// Its samples, ascending in time.
    pub samples: Vec<Sample>,
}

impl Labelled {
    /// The value of a label that is there and not empty.
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// A successful answer.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) series: Vec<Labelled>,
    /// What may be missing from it.
    pub(super) warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Envelope {
    status: String,
    data: Option<Data>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    result_type: String,
}

#[derive(Deserialize)]
struct RawSeries<'a> {
    #[serde(default)]
    metric: Labels,
    // Numbers as text hold nothing that is escaped.
    #[serde(default, borrow)]
    values: Vec<(f64, &'a str)>,
    #[serde(borrow)]
    value: Option<(f64, &'a str)>,
    // Native histograms of a metric that was meant to be a counter.
    histograms: Option<IgnoredAny>,
}

/// An answer as it arrives.
#[derive(Debug)]
pub(super) struct Arriving {
    elements: Elements,
    series: Vec<Labelled>,
}

impl Default for Arriving {
    fn default() -> Self {
        Self { elements: Elements::new(OF_QUERY), series: Vec::new() }
    }
}

impl Arriving {
    /// Takes the next piece of the body; fails with what is wrong with a series.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), String> {
        let series = &mut self.series;
        self.elements.feed(piece, |element| {
            series.push(labelled(element)?);
            Ok(())
        })
    }

    /// The answer; fails with what is wrong with it.
    pub(super) fn finish(self) -> Result<Answer, String> {
        let envelope: Result<Envelope, _> = serde_json::from_slice(self.elements.around());
        let envelope = envelope.map_err(|error| {
            let start = self.elements.beginning();
            format!("{error} in an answer that starts with `{start}`")
        })?;
        if self.elements.is_broken() {
            return Err("it ends within a series".to_owned());
        }
        let data = match envelope.data {
            Some(data) if envelope.status == "success" => data,
            _ => return Err(format!("the status is `{}` and not `success`", envelope.status)),
        };
        if !["matrix", "vector"].contains(&data.result_type.as_str()) {
            return Err(format!("the result is a {}, not series", data.result_type));
        }
        Ok(Answer { series: self.series, warnings: envelope.warnings })
    }
}

fn labelled(element: &[u8]) -> Result<Labelled, String> {
    let raw: RawSeries<'_> =
        serde_json::from_slice(element).map_err(|error| format!("{error} in a series"))?;
    if raw.histograms.is_some() {
        return Err("the result holds native histograms where numbers were asked for".to_owned());
    }
    let sample = |(second, text): (f64, &str)| match text.parse() {
        Ok(value) => Ok(Sample { second, value }),
        Err(_) => Err(format!("`{text}` is not a sample value")),
    };
    // A scan holds thousands of short series: what a growing list keeps in reserve would be a third of all.
    let mut samples = Vec::with_capacity(raw.values.len() + usize::from(raw.value.is_some()));
    for value in raw.values.into_iter().chain(raw.value) {
        samples.push(sample(value)?);
    }
    Ok(Labelled { labels: raw.metric, samples })
}

/// Label sets as they arrive.
#[derive(Debug)]
pub(super) struct ArrivingLabels {
    elements: Elements,
    found: Vec<Labels>,
}

impl Default for ArrivingLabels {
    fn default() -> Self {
        Self { elements: Elements::new(OF_LABELS), found: Vec::new() }
    }
}

impl ArrivingLabels {
    /// Takes the next piece of the body; fails with what is wrong with a label set.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), String> {
        let found = &mut self.found;
        self.elements.feed(piece, |element| {
            let labels: Result<Labels, _> = serde_json::from_slice(element);
            found.push(labels.map_err(|error| format!("{error} in a label set"))?);
            Ok(())
        })
    }

    /// The label sets; fails with what is wrong with the answer.
    pub(super) fn finish(self) -> Result<Vec<Labels>, String> {
        #[derive(Deserialize)]
        struct Around {
            status: String,
            data: Option<Vec<IgnoredAny>>,
        }
        let around: Result<Around, _> = serde_json::from_slice(self.elements.around());
        let around = around.map_err(|error| {
            let start = self.elements.beginning();
            format!("{error} in an answer that starts with `{start}`")
        })?;
        match around.data {
            _ if self.elements.is_broken() => Err("it ends within a label set".to_owned()),
            Some(_) if around.status == "success" => Ok(self.found),
            _ => Err(format!("the status is `{}` and not `success`", around.status)),
        }
    }
}

/// The reason in an answer that is an error; `None` where there is none.
pub(super) fn error_message(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Failure {
        error: String,
    }
    serde_json::from_slice::<Failure>(body).ok().map(|failure| failure.error)
}

/// The parts of one question, which share no instant, as one series per set of labels.
pub(super) fn stitch(parts: impl IntoIterator<Item = Labelled>) -> Vec<Labelled> {
    let mut whole: BTreeMap<Labels, Vec<Sample>> = BTreeMap::new();
    for part in parts {
        whole.entry(part.labels).or_default().extend(part.samples);
    }
    whole.into_iter().map(|(labels, samples)| Labelled { labels, samples }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer in `body`, which arrives in pieces of 7 bytes.
    fn parse(body: &[u8]) -> Result<Answer, String> {
        let mut arriving = Arriving::default();
        body.chunks(7).try_for_each(|piece| arriving.feed(piece))?;
        arriving.finish()
    }

    fn part(pod: &str, seconds: &[f64]) -> Labelled {
        let samples =
            seconds.iter().map(|&second| Sample { second, value: second / 2.0 }).collect();
        Labelled { labels: [("pod".to_owned(), pod.to_owned())].into(), samples }
    }

    #[test]
    fn matrices_and_vectors_are_read_with_their_warnings() {
        let matrix = br#"{"status":"success","warnings":["partial"],"data":{"resultType":"matrix",
            "result":[{"metric":{"pod":"a"},"values":[[2,"1"],[4,"2"]]}]}}"#;
        let answer = parse(matrix).unwrap();
        assert_eq!(answer.series, [part("a", &[2.0, 4.0])]);
        assert_eq!(answer.warnings, ["partial"]);
        let vector = br#"{"status":"success","data":{"resultType":"vector",
            "result":[{"metric":{"pod":"a"},"value":[1.5,"NaN"]}]}}"#;
        let answer = parse(vector).unwrap();
        assert!(answer.series[0].samples[0].value.is_nan());
    }

    #[test]
    fn label_sets_are_read_as_they_arrive() {
        let parse = |body: &[u8]| {
            let mut arriving = ArrivingLabels::default();
            body.chunks(7).try_for_each(|piece| arriving.feed(piece))?;
            arriving.finish()
        };
        let found = parse(br#"{"status":"success","data":[{"pod":"a","x":"}"},{"pod":"b"}]}"#);
        let pods: Vec<String> = found.unwrap().iter().map(|labels| labels["pod"].clone()).collect();
        assert_eq!(pods, ["a", "b"]);
        assert_eq!(parse(br#"{"status":"success","data":[]}"#), Ok(Vec::new()));
        for broken in ["<html>", r#"{"status":"error"}"#, r#"{"status":"success","data":[{"a""#] {
            assert!(parse(broken.as_bytes()).is_err(), "{broken}");
        }
    }

    #[test]
    fn what_is_not_an_answer_is_named() {
        let problem = |body: &str| parse(body.as_bytes()).unwrap_err();
        assert!(problem("<html>log in").contains("<html>log in"));
        assert!(problem(r#"{"status":"error","error":"no"}"#).contains("`error`"));
        let scalar =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"x"]}]}}"#;
        assert!(problem(scalar).contains("`x`"));
    }

    #[test]
    fn parts_of_a_series_become_one_without_repeated_instants() {
        let parts = [part("a", &[0.0, 60.0]), part("b", &[60.0]), part("a", &[120.0])];
        assert_eq!(stitch(parts), [part("a", &[0.0, 60.0, 120.0]), part("b", &[60.0])]);
    }
}
