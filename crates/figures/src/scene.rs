//! What is drawn, in points from the upper left corner.

use crate::helvetica;

/// A place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// How a line is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) color: Color,
    pub(crate) width: f64,
    /// Lengths of dashes and gaps; none for a line without gaps.
    pub(crate) dashes: &'static [f64],
}

/// What of a text is at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// One thing that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mark {
    /// Straight lines from point to point; with a fill they enclose an area.
    Path { points: Vec<Point>, stroke: Option<Stroke>, fill: Option<Color> },
    /// A circle.
    Circle { centre: Point, radius: f64, stroke: Option<Stroke>, fill: Option<Color> },
    /// Text whose base line begins, has its middle or ends at a place.
    Text { at: Point, anchor: Anchor, text: String },
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Area {
    /// Whether they have more than an edge in common.
    #[cfg(test)]
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    pub(crate) fn grown(self, by: f64) -> Self {
        Self {
            left: self.left - by,
            top: self.top - by,
            right: self.right + by,
            bottom: self.bottom + by,
        }
    }
}

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) marks: Vec<Mark>,
}

/// Size of all text.
pub(crate) const FONT_SIZE: f64 = 8.0;

/// Ink of text and axes.
pub(crate) const INK: Color = Color(0x22, 0x26, 0x2b);

impl Scene {
    pub(crate) const fn new(width: f64, height: f64) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    pub(crate) fn line(&mut self, points: Vec<Point>, stroke: Stroke) {
        self.marks.push(Mark::Path { points, stroke: Some(stroke), fill: None });
    }

    pub(crate) fn fill(&mut self, points: Vec<Point>, fill: Color) {
        self.marks.push(Mark::Path { points, stroke: None, fill: Some(fill) });
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: impl Into<String>) {
        self.marks.push(Mark::Text { at: Point { x, y }, anchor, text: text.into() });
    }
}

impl Area {
    /// Its corners, in turn.
    pub(crate) fn corners(self) -> Vec<Point> {
        let Self { left, top, right, bottom } = self;
        [(left, top), (right, top), (right, bottom), (left, bottom)]
            .map(|(x, y)| Point { x, y })
            .to_vec()
    }
}

impl Mark {
    /// What it covers, line widths included.
    pub(crate) fn area(&self) -> Area {
        let half =
            |stroke: &Option<Stroke>| stroke.as_ref().map_or(0.0, |stroke| stroke.width / 2.0);
        match self {
            Self::Path { points, stroke, .. } => {
                let none =
                    Area { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN };
                let around = points.iter().fold(none, |area, point| Area {
                    left: area.left.min(point.x),
                    top: area.top.min(point.y),
                    right: area.right.max(point.x),
                    bottom: area.bottom.max(point.y),
                });
                around.grown(half(stroke))
            }
            Self::Circle { centre: Point { x, y }, radius, stroke, .. } => {
                Area { left: *x, top: *y, right: *x, bottom: *y }.grown(radius + half(stroke))
            }
            Self::Text { at, anchor, text } => {
                let width = helvetica::width(text) * FONT_SIZE;
                let left = match anchor {
                    Anchor::Start => at.x,
                    Anchor::Middle => at.x - width / 2.0,
                    Anchor::End => at.x - width,
                };
                // Ascender and descender of Helvetica: 718 and -207 thousandths.
                let (top, bottom) = (at.y - 0.718 * FONT_SIZE, at.y + 0.207 * FONT_SIZE);
                Area { left, top, right: left + width, bottom }
            }
        }
    }
}
