//! How KRR rounds, writes and reads quantities.

const MEBIBYTE: f64 = 1_048_576.0;

/// `cores` rounded up to a millicore in binary arithmetic, so that some whole numbers of millicores become one more;
/// at least `least` millicores.
#[must_use]
pub fn round_cpu(cores: f64, least: u32) -> f64 {
    ((cores * 1000.0).ceil() / 1000.0).max(0.001 * f64::from(least))
}

/// `bytes` rounded up to a MiB; at least `least` MiB.
#[must_use]
pub fn round_memory(bytes: f64, least: u32) -> f64 {
    ((bytes / MEBIBYTE).ceil() * MEBIBYTE).max(MEBIBYTE * f64::from(least))
}

/// A quantity as KRR shows it: in thousandths below 1, else in the largest binary unit of which there are ten; `is_whole`
/// where KRR holds it as an integer.
#[must_use]
pub fn format(value: f64, is_whole: bool) -> String {
    const UNITS: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    if value < 1.0 {
        return format!("{}m", (value * 1000.0) as u64);
    }
    let mut power = 0;
    while power + 1 < UNITS.len() && value / 1024_f64.powi(power as i32 + 1) >= 10.0 {
        power += 1;
    }
    match power {
        0 if is_whole => format!("{value}"),
        // Python shows that a number is not an integer.
        0 => format!("{value:?}"),
        _ => format!("{:.0}{}", value / 1024_f64.powi(power as i32), UNITS[power]),
    }
}

/// A quantity as KRR reads it: it knows neither `u` nor `n`, and takes a space before the unit; `None` where it fails.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("m", 0.001),
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
    ];
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, factor) =
        unit.map_or((text, 1.0), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    let number: f64 = number.trim().parse().ok()?;
    // Dividing is exact where multiplying by a thousandth is not.
    Some(if factor < 1.0 { number / 1000.0 } else { number * factor })
}
