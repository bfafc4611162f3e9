//! How arms look: by colours that differ in lightness, by dashes and by shapes, so that grey is enough to tell them apart.

use mora_evaluation::ArmName;

use crate::scene::{Color, Mark, Point, Scene, Stroke};

/// A shape that marks a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Diamond,
    Up,
    Down,
    Right,
    Left,
    Cross,
    Plus,
}

/// How an arm is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmStyle {
    pub(crate) label: &'static str,
    pub(crate) color: Color,
    pub(crate) dashes: &'static [f64],
    pub(crate) shape: Shape,
}

/// How `arm` is drawn, everywhere.
pub(crate) const fn style(arm: ArmName) -> ArmStyle {
    let (label, color, dashes, shape): (_, _, &'static [f64], _) = match arm {
        ArmName::Stock => ("stock", Color(0xb8, 0xbc, 0xc0), &[1.0, 1.5], Shape::Plus),
        ArmName::Baseline => ("baseline", Color(0x2b, 0x2f, 0x36), &[6.0, 2.0], Shape::Square),
        ArmName::Vpa => ("VPA", Color(0x8a, 0x5a, 0x9e), &[4.0, 1.5, 1.0, 1.5], Shape::Diamond),
        ArmName::Hpa50 => ("HPA 50", Color(0xa9, 0xd0, 0xef), &[2.0, 1.0], Shape::Up),
        ArmName::Hpa70 => ("HPA 70", Color(0x5a, 0xa2, 0xd8), &[3.0, 1.5], Shape::Right),
        ArmName::Hpa80 => ("HPA 80", Color(0x2a, 0x6f, 0xb0), &[4.0, 1.0], Shape::Down),
        ArmName::Mora => ("MOrA", Color(0xbb, 0x2c, 0x1f), &[], Shape::Circle),
        ArmName::MoraNoGraph => {
            ("no call graph", Color(0xe8, 0x8b, 0x5a), &[5.0, 1.5], Shape::Left)
        }
        ArmName::MoraStatic => ("no schedule", Color(0x7a, 0x1b, 0x4b), &[2.0, 1.5], Shape::Square),
        ArmName::MoraNoRecent => {
            ("forecast alone", Color(0x9c, 0x46, 0x2e), &[4.0, 2.0], Shape::Down)
        }
        ArmName::MoraEveryMinute => {
            ("every minute", Color(0xd8, 0x6f, 0x8e), &[1.0, 2.0], Shape::Right)
        }
        ArmName::MoraNoLstm => ("no LSTM", Color(0xf3, 0xb8, 0x9a), &[1.0, 1.0], Shape::Up),
        ArmName::MoraNoProphet => {
            ("no Prophet", Color(0xc9, 0x5f, 0x3a), &[3.0, 1.0], Shape::Diamond)
        }
        ArmName::Oracle => ("oracle", Color(0x7c, 0xc0, 0x8a), &[1.5, 1.5], Shape::Cross),
    };
    ArmStyle { label, color, dashes, shape }
}

impl ArmStyle {
    pub(crate) const fn stroke(&self, width: f64) -> Stroke {
        Stroke { color: self.color, width, dashes: self.dashes }
    }
}

/// A line without gaps.
pub(crate) const fn solid(color: Color, width: f64) -> Stroke {
    Stroke { color, width, dashes: &[] }
}

impl Scene {
    /// Marks a point by a shape of about twice `radius` across, filled or open.
    pub(crate) fn marker(&mut self, at: Point, style: ArmStyle, radius: f64, filled: bool) {
        const WHITE: Color = Color(255, 255, 255);
        let ArmStyle { color, shape, .. } = style;
        let stroke = Some(solid(color, if filled { 0.6 } else { 0.9 }));
        let fill = Some(if filled { color } else { WHITE });
        let corners: &[(f64, f64)] = match shape {
            Shape::Circle => {
                self.marks.push(Mark::Circle { centre: at, radius, stroke, fill });
                return;
            }
            Shape::Cross | Shape::Plus => {
                let (a, b) = if shape == Shape::Cross { (0.8, 0.8) } else { (1.0, 0.0) };
                for (dx, dy) in [(a, b), (-b, a)] {
                    let end = |sign: f64| Point {
                        x: at.x + sign * dx * radius,
                        y: at.y + sign * dy * radius,
                    };
                    self.line(
                        vec![end(-1.0), end(1.0)],
                        solid(color, if filled { 1.6 } else { 0.9 }),
                    );
                }
                return;
            }
            Shape::Square => &[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
            Shape::Diamond => &[(0.0, -1.15), (1.15, 0.0), (0.0, 1.15), (-1.15, 0.0)],
            Shape::Up => &[(0.0, -1.1), (1.05, 0.8), (-1.05, 0.8)],
            Shape::Down => &[(0.0, 1.1), (1.05, -0.8), (-1.05, -0.8)],
            Shape::Right => &[(1.1, 0.0), (-0.8, 1.05), (-0.8, -1.05)],
            Shape::Left => &[(-1.1, 0.0), (0.8, 1.05), (0.8, -1.05)],
        };
        let points = corners.iter();
        let points = points.map(|(dx, dy)| Point { x: at.x + dx * radius, y: at.y + dy * radius });
        self.marks.push(Mark::Path { points: points.collect(), stroke, fill });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance, which is what is left in grey.
    fn grey(Color(red, green, blue): Color) -> f64 {
        let linear = |value: u8| (f64::from(value) / 255.0).powf(2.2);
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn arms_that_share_a_plot_differ_in_lightness_and_dashes() {
        use ArmName::{Baseline, Hpa70, Mora, Oracle};
        let together = [Baseline, Mora, Hpa70, Oracle].map(style);
        for pair in together.windows(2) {
            let (dark, light) =
                (grey(pair[0].color).powf(1.0 / 2.2), grey(pair[1].color).powf(1.0 / 2.2));
            assert!(light > dark + 0.06, "{pair:?} {dark} {light}");
        }
        let mut dashes: Vec<String> =
            ArmName::ALL.map(|arm| format!("{:?}", style(arm).dashes)).to_vec();
        dashes.sort_unstable();
        dashes.dedup();
        assert!(dashes.len() >= 11, "{dashes:?}");
    }
}
