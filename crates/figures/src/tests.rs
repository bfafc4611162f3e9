//! The standard set of figures.

use std::collections::BTreeMap;

use mora_evaluation::Comparison;

use crate::scene::{Area, Mark};
use crate::{Evidence, Figure, figures, goals_table, main_table, sample};

fn standard() -> Vec<Figure> {
    sample::figures(&sample::comparison())
}

fn texts(figure: &Figure) -> Vec<(Area, &str)> {
    let texts = figure.scene().marks.iter().filter_map(|mark| match mark {
        Mark::Text { text, .. } => Some((mark.area(), text.as_str())),
        _ => None,
    });
    texts.collect()
}

#[test]
fn every_mark_lies_within_its_figure() {
    let figures = standard();
    let names: Vec<&str> = figures.iter().map(Figure::name).collect();
    let expected = [
        "cpu-realistic",
        "cost-and-risk-realistic",
        "scenarios",
        "latency-realistic",
        "ablations",
        "simulator",
    ];
    assert_eq!(names, expected);
    for figure in &figures {
        let scene = figure.scene();
        assert!(scene.marks.len() > 30, "{}", figure.name());
        for mark in &scene.marks {
            let area = mark.area();
            let inside = area.left >= 0.0
                && area.top >= 0.0
                && area.right <= scene.width
                && area.bottom <= scene.height;
            assert!(inside, "{}: {mark:?} {area:?}", figure.name());
        }
    }
}

#[test]
fn no_text_lies_on_another_and_no_line_crosses_a_name_in_a_legend() {
    for figure in standard() {
        let texts = texts(&figure);
        for (index, (area, text)) in texts.iter().enumerate() {
            let other = texts[..index].iter().find(|(other, _)| other.overlaps(*area));
            assert_eq!(other.map(|(_, other)| (*other, *text)), None, "{}", figure.name());
        }
        // The legend is above the plots: what is not text there is a sample, left of its name.
        let lowest = texts.iter().map(|(area, _)| area.top).fold(f64::MAX, f64::min) + 8.0;
        let legend: Vec<_> = texts.iter().filter(|(area, _)| area.top < lowest).collect();
        for mark in figure.scene().marks.iter().filter(|mark| !matches!(mark, Mark::Text { .. })) {
            let hit = legend.iter().find(|(area, _)| area.overlaps(mark.area()));
            assert_eq!(hit, None, "{}: {mark:?}", figure.name());
        }
    }
}

/// The objects that the cross-reference table of `pdf` points at, by number, as the text that begins there.
fn objects(pdf: &[u8]) -> BTreeMap<usize, String> {
    let text: String = pdf.iter().map(|&byte| char::from(byte)).collect();
    let start = text.rsplit_once("startxref\n").unwrap().1.lines().next().unwrap();
    let table = &text[text.char_indices().nth(start.parse().unwrap()).unwrap().0..];
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("xref"));
    let count: usize = lines.next().unwrap().split_once(' ').unwrap().1.parse().unwrap();
    let entries =
        lines.take(count).enumerate().filter(|(_, entry)| entry.trim_end().ends_with('n'));
    let begins = |entry: &str| {
        let offset: usize = entry[..10].parse().unwrap();
        pdf[offset..].iter().take(400).map(|&byte| char::from(byte)).collect()
    };
    entries.map(|(number, entry)| (number, begins(entry))).collect()
}

#[test]
fn a_pdf_can_be_read_back_by_its_table_of_references() {
    for figure in standard() {
        let pdf = figure.pdf();
        assert!(pdf.starts_with(b"%PDF-1.") && pdf.ends_with(b"%%EOF"), "{}", figure.name());
        let objects = objects(&pdf);
        assert_eq!(objects.len(), 6, "{:?}", objects.keys());
        for (number, object) in &objects {
            assert!(object.starts_with(&format!("{number} 0 obj\n")), "{number}: {object}");
        }
        let stream = &objects[&5];
        let length = stream.split_once("/Length ").unwrap().1;
        let length: usize =
            length.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        let text: Vec<char> = pdf.iter().map(|&byte| char::from(byte)).collect();
        let content: String = text.iter().collect();
        let content = content.split_once("stream\n").unwrap().1;
        assert!(
            content.chars().skip(length).collect::<String>().trim_start().starts_with("endstream")
        );
        let (saved, restored) =
            (content.matches("\nq\n").count(), content.matches("\nQ\n").count());
        assert!(saved.abs_diff(restored) <= 1, "{saved} {restored}");
    }
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let (one, other) = (standard(), standard());
    assert!(one.iter().zip(&other).all(|(a, b)| a.svg() == b.svg() && a.pdf() == b.pdf()));
}

#[test]
fn what_cannot_be_shown_is_left_out() {
    let none = Comparison::of(&[], 1);
    let evidence = Evidence { comparison: &none, traces: &[], objective: None, validation: &[] };
    assert_eq!(figures(&evidence, "realistic"), []);
    assert!(crate::html(&none, &[]).contains("0 runs"));
}

#[test]
fn tables_are_as_they_were_looked_at() {
    let comparison = sample::comparison();
    let realistic = &comparison.scenarios["realistic"];
    insta::assert_snapshot!("tables", main_table(realistic) + "\n" + &goals_table(realistic));
}
