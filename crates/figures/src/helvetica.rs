//! Widths of Helvetica, one of the fonts that every PDF reader has.

/// Widths of the characters from space to tilde in thousandths of the font's size, as in Adobe's metrics of the font.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278,
    278, // space to /
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, // 0 to ?
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, // @ to O
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, // P to _
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, // ` to o
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, // p to ~
];

/// Width of the text by the size of the font; what is not in the table is as wide as a digit.
pub(crate) fn width(text: &str) -> f64 {
    let of = |c: char| {
        let place = (c as usize).checked_sub(0x20);
        f64::from(place.and_then(|place| WIDTHS.get(place)).copied().unwrap_or(556))
    };
    text.chars().map(of).sum::<f64>() / 1000.0
}

/// The text in the encoding `WinAnsiEncoding`; what is not in it is a question mark.
pub(crate) fn encoded(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        ' '..='~' | '\u{a0}'..='\u{ff}' => c as u8,
        '\u{2013}' => 0x96,
        _ => b'?',
    };
    text.chars().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_as_wide_as_its_letters() {
        assert!((width("CPU") - (0.722 + 0.667 + 0.722)).abs() < 1e-12);
        assert!((width("mi~") - (0.833 + 0.222 + 0.584)).abs() < 1e-12);
        assert!((width("\u{2013}") - 0.556).abs() < 1e-12);
    }

    #[test]
    fn what_the_encoding_lacks_is_a_question_mark() {
        assert_eq!(encoded("5\u{2013}6 \u{d7} \u{2264}"), b"5\x966 \xd7 ?");
    }
}
