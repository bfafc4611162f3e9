//! A plot with its axes, and legends.

use crate::axis::Scale;
use crate::helvetica;
use crate::scene::{Anchor, Area, Color, FONT_SIZE, INK, Point, Scene};
use crate::style::{ArmStyle, solid};

const GRID: Color = Color(0xe2, 0xe5, 0xe8);
/// Left of a plot, for the values at its lines.
pub(crate) const GUTTER: f64 = 24.0;
/// Between lines of text.
pub(crate) const LINE: f64 = 11.0;

/// A plot: where values are drawn, and how they lie there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Panel {
    pub(crate) area: Area,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
}

impl Panel {
    pub(crate) fn at(&self, x: f64, y: f64) -> Point {
        Point { x: self.across(self.x.share(x)), y: self.down(self.y.share(y)) }
    }

    fn across(&self, share: f64) -> f64 {
        self.area.left + share * (self.area.right - self.area.left)
    }

    fn down(&self, share: f64) -> f64 {
        self.area.bottom - share * (self.area.bottom - self.area.top)
    }

    /// Lines at round values of `y` with their values, and what they are above them.
    pub(crate) fn rows(&self, scene: &mut Scene, title: &str) {
        let Area { left, top, right, bottom } = self.area;
        let most = ((bottom - top) / 16.0) as usize;
        let ticks = self.y.ticks(most);
        for (value, label) in ticks {
            let y = self.down(self.y.share(value));
            scene.line(vec![Point { x: left, y }, Point { x: right, y }], solid(GRID, 0.5));
            scene.text(left - 4.0, y + 0.36 * FONT_SIZE, Anchor::End, label);
        }
        scene.text(left - GUTTER, top - 8.0, Anchor::Start, title);
    }

    /// The axis of `x` with its round values, and what they are below them.
    pub(crate) fn columns(&self, scene: &mut Scene, label: &str) {
        let Area { left, right, bottom, .. } = self.area;
        let most = ((right - left) / 32.0) as usize;
        for (value, label) in self.x.ticks(most) {
            let x = self.across(self.x.share(value));
            scene.line(vec![Point { x, y: bottom }, Point { x, y: bottom + 2.5 }], solid(INK, 0.5));
            scene.text(x, bottom + 2.5 + FONT_SIZE, Anchor::Middle, label);
        }
        self.foot(scene);
        if !label.is_empty() {
            let middle = f64::midpoint(left, right);
            scene.text(middle, bottom + 4.0 + FONT_SIZE + LINE, Anchor::Middle, label);
        }
    }

    /// Lines across at round values of `x`.
    pub(crate) fn verticals(&self, scene: &mut Scene) {
        let Area { top, bottom, .. } = self.area;
        for (value, _) in self.x.ticks(((self.area.right - self.area.left) / 32.0) as usize) {
            let x = self.across(self.x.share(value));
            scene.line(vec![Point { x, y: top }, Point { x, y: bottom }], solid(GRID, 0.5));
        }
    }

    /// The line at the bottom.
    pub(crate) fn foot(&self, scene: &mut Scene) {
        let Area { left, right, bottom: y, .. } = self.area;
        scene.line(vec![Point { x: left, y }, Point { x: right, y }], solid(INK, 0.6));
    }
}

/// What stands before a name in a legend.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key {
    Line(ArmStyle),
    Marker(ArmStyle),
    /// An open marker.
    Open(ArmStyle),
    /// Line and marker.
    Both(ArmStyle),
    Box(Color),
}

/// Names in lines from the upper left corner of the drawing; the answer is the height they take.
pub(crate) fn legend(scene: &mut Scene, entries: &[(Key, String)]) -> f64 {
    const SAMPLE: f64 = 18.0;
    let (mut x, mut y) = (2.0, 10.0);
    for (key, label) in entries {
        let width = SAMPLE + 4.0 + helvetica::width(label) * FONT_SIZE;
        if x > 2.0 && x + width > scene.width - 2.0 {
            (x, y) = (2.0, y + LINE + 1.0);
        }
        sample(scene, *key, Area { left: x, top: y - 6.5, right: x + SAMPLE, bottom: y + 0.5 });
        scene.text(x + SAMPLE + 4.0, y, Anchor::Start, label.as_str());
        x += width + 12.0;
    }
    if entries.is_empty() { 0.0 } else { y + 6.0 }
}

fn sample(scene: &mut Scene, key: Key, area: Area) {
    let middle = f64::midpoint(area.top, area.bottom);
    let centre = Point { x: f64::midpoint(area.left, area.right), y: middle };
    let line = vec![Point { x: area.left, y: middle }, Point { x: area.right, y: middle }];
    match key {
        Key::Line(style) => scene.line(line, style.stroke(1.4)),
        Key::Marker(style) => scene.marker(centre, style, 3.0, true),
        Key::Open(style) => scene.marker(centre, style, 2.2, false),
        Key::Both(style) => {
            scene.line(line, style.stroke(1.0));
            scene.marker(centre, style, 3.0, true);
        }
        Key::Box(color) => scene
            .fill(Area { left: area.left + 5.0, right: area.right - 1.0, ..area }.corners(), color),
    }
}
