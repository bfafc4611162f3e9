//! Colours that can be read on a light and on a dark background alike.

use mora_scan::Severity;

/// The index in the palette of 256 colours. Each has a contrast of at least 3.8 to black and to white; the sixteen basic ones, which
/// every terminal paints as it likes, can promise that to neither.
const fn palette(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 196,
        Severity::Warning => 166,
        Severity::Ok => 31,
        Severity::Good => 28,
        Severity::Unknown => 243,
    }
}

/// How a piece of text is to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Style {
    /// As the terminal has it.
    #[default]
    Plain,
    /// As a heading.
    Bold,
    /// As what does not matter much.
    Faint,
    /// As urgent as that.
    Severity(Severity),
}

impl Style {
    /// The text, with the codes of the style around it if `colours`.
    pub(super) fn paint(self, text: &str, colours: bool) -> String {
        let code = match self {
            _ if !colours || text.trim().is_empty() => return text.to_owned(),
            Self::Plain => return text.to_owned(),
            Self::Bold => "1".to_owned(),
            Self::Faint => format!("38;5;{}", palette(Severity::Unknown)),
            Self::Severity(Severity::Critical) => format!("1;38;5;{}", palette(Severity::Critical)),
            Self::Severity(severity) => format!("38;5;{}", palette(severity)),
        };
        // What only fills the column stays outside, so that nothing but text is painted.
        let trimmed = text.trim_end();
        format!("\u{1b}[{code}m{trimmed}\u{1b}[0m{}", &text[trimmed.len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of an index from 16 on, as WCAG defines it.
    fn luminance(index: u8) -> f64 {
        let linear = |level: u8| {
            let share = f64::from(level) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        let cube = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        let [red, green, blue] = match index {
            grey @ 232.. => [8 + 10 * (grey - 232); 3],
            colour => [36, 6, 1].map(|unit| cube((colour - 16) / unit % 6)),
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    #[test]
    fn every_colour_can_be_read_on_black_and_on_white() {
        for severity in Severity::ALL {
            let light = luminance(palette(severity));
            let (on_white, on_black) = (1.05 / (light + 0.05), (light + 0.05) / 0.05);
            assert!(on_white >= 3.8 && on_black >= 3.8, "{severity}: {on_white}, {on_black}");
        }
    }

    #[test]
    fn nothing_is_painted_without_colours() {
        let critical = Style::Severity(Severity::Critical);
        assert_eq!(critical.paint("critical  ", false), "critical  ");
        assert_eq!(critical.paint("critical  ", true), "\u{1b}[1;38;5;196mcritical\u{1b}[0m  ");
    }
}
