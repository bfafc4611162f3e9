//! Kubernetes resource quantities as integers, with all parsing and rounding in one place.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use thiserror::Error;

use crate::text::serde_as_text;

/// Why a text or number is not a usable Kubernetes quantity.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum QuantityError {
    /// The text has no digits, or more than one number in it.
    #[error(
        "`{0}` is not a quantity; write a number with an optional suffix, as in 250m, 1.5, 512Mi or 1e3"
    )]
    Malformed(String),
    /// The suffix is none of those Kubernetes knows.
    #[error(
        "`{text}` has the unknown suffix `{suffix}`; use one of n u m k M G T P E Ki Mi Gi Ti Pi Ei or e<digits>"
    )]
    UnknownSuffix {
        /// The whole text.
        text: String,
        /// The part that was not understood.
        suffix: String,
    },
    /// A request or limit cannot be below zero.
    #[error("`{0}` is negative; requests and limits start at 0")]
    Negative(String),
    /// The value does not fit in 63 bits.
    #[error("`{0}` is larger than any cluster; check its suffix")]
    TooLarge(String),
    /// A measured value was not a finite number.
    #[error("{0} is not a finite, non-negative amount")]
    NotFinite(f64),
}

/// An exact non-negative decimal `mantissa * 2^binary * 10^decimal`.
struct Exact {
    mantissa: u128,
    binary: u32,
    decimal: i32,
}

impl Exact {
    /// The value times `10^shift`, rounded up to a whole number: Kubernetes never rounds a request down.
    fn ceil_scaled(&self, shift: i32) -> Option<u64> {
        let exponent = self.decimal.checked_add(shift)?;
        let scaled =
            self.mantissa.checked_shl(self.binary).filter(|s| s >> self.binary == self.mantissa)?;
        if scaled == 0 {
            return Some(0);
        }
        let power = 10u128.checked_pow(exponent.unsigned_abs());
        let value = match (exponent >= 0, power) {
            (true, Some(p)) => scaled.checked_mul(p)?,
            (true, None) => return None,
            (false, Some(p)) => scaled.div_ceil(p),
            (false, None) => 1,
        };
        u64::try_from(value).ok().filter(|v| i64::try_from(*v).is_ok())
    }
}

fn parse_exact(text: &str) -> Result<Exact, QuantityError> {
    let malformed = || QuantityError::Malformed(text.to_owned());
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err(QuantityError::Negative(text.to_owned()));
    }
    let unsigned = trimmed.strip_prefix('+').unwrap_or(trimmed);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let fraction = fraction.trim_end_matches('0');
    let digits = format!("{whole}{fraction}");
    let mantissa = match digits.trim_start_matches('0') {
        "" => 0,
        significant => significant.parse().map_err(|_| QuantityError::TooLarge(text.to_owned()))?,
    };
    let (binary, decimal) = suffix_scale(text, suffix)?;
    let decimal = decimal
        .checked_sub(i32::try_from(fraction.len()).map_err(|_| malformed())?)
        .ok_or_else(malformed)?;
    Ok(Exact { mantissa, binary, decimal })
}

fn suffix_scale(text: &str, suffix: &str) -> Result<(u32, i32), QuantityError> {
    let scale = match suffix {
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        other => {
            let exponent = other
                .strip_prefix(['e', 'E'])
                .and_then(|digits| digits.parse::<i16>().ok())
                .ok_or_else(|| QuantityError::UnknownSuffix {
                    text: text.to_owned(),
                    suffix: other.to_owned(),
                })?;
            (0, i32::from(exponent))
        }
    };
    Ok(scale)
}

fn parse_units(text: &str, shift: i32) -> Result<u64, QuantityError> {
    parse_exact(text)?.ceil_scaled(shift).ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

fn ceil_units(value: f64) -> Result<u64, QuantityError> {
    if !value.is_finite() || value < 0.0 || value > i64::MAX as f64 {
        return Err(QuantityError::NotFinite(value));
    }
    // A measured 0.1 cores is 100.00000000000001 millicores: ignore what is far below any measurement.
    Ok((value - value * 1e-12).ceil() as u64)
}

/// An amount of CPU in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millicores(u64);

impl Millicores {
    /// No CPU.
    pub const ZERO: Self = Self(0);

    /// An amount of `millicores` thousandths of a core.
    #[must_use]
    pub const fn new(millicores: u64) -> Self {
        Self(millicores)
    }

    /// Measured `cores`, rounded up to 1m.
    ///
    /// Fails when `cores` is negative, infinite or not a number.
    pub fn from_cores(cores: f64) -> Result<Self, QuantityError> {
        ceil_units(cores * 1000.0).map(Self)
    }

    /// The amount in thousandths of a core.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount in cores.
    #[must_use]
    pub fn cores(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The amount times `factor` (finite, at least 0), rounded up to 1m; a factor that is not is taken as 0.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        ceil_units(self.0 as f64 * factor).map_or(Self::ZERO, Self)
    }

    /// What is left after taking `other` away, never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// An amount of memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(u64);

impl Bytes {
    /// No memory.
    pub const ZERO: Self = Self(0);
    /// One mebibyte, the unit recommendations are rounded up to.
    pub const MEBIBYTE: Self = Self(1 << 20);

    /// An amount of `bytes` bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// An amount of `mebibytes` times 2^20 bytes.
    #[must_use]
    pub const fn from_mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes.saturating_mul(1 << 20))
    }

    /// Measured `bytes`, rounded up to 1 MiB.
    ///
    /// Fails when `bytes` is negative, infinite or not a number.
    pub fn from_measured(bytes: f64) -> Result<Self, QuantityError> {
        ceil_units(bytes).map(|b| Self(b).ceil_mebibyte())
    }

    /// The amount in bytes.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The amount rounded up to a whole MiB.
    #[must_use]
    pub const fn ceil_mebibyte(self) -> Self {
        Self(self.0.div_ceil(1 << 20).saturating_mul(1 << 20))
    }

    /// The amount times `factor` (finite, at least 0), rounded up to 1 MiB; a factor that is not is taken as 0.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self::from_measured(self.0 as f64 * factor).unwrap_or(Self::ZERO)
    }

    /// What is left after taking `other` away, never below zero.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl FromStr for Millicores {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse_units(text, 3).map(Self)
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse_units(text, 0).map(Self)
    }
}

impl fmt::Display for Millicores {
    /// The canonical form: whole cores without a suffix, else millicores.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            f.pad(&(self.0 / 1000).to_string())
        } else {
            f.pad(&format!("{}m", self.0))
        }
    }
}

impl fmt::Display for Bytes {
    /// The canonical form: the largest binary suffix that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        let mut value = self.0;
        let mut power = 0;
        while value != 0 && value.is_multiple_of(1024) && power + 1 < suffixes.len() {
            value /= 1024;
            power += 1;
        }
        f.pad(&format!("{value}{}", suffixes[power]))
    }
}

macro_rules! quantity_traits {
    ($name:ident) => {
        impl Add for $name {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
                amounts.fold(Self::ZERO, Add::add)
            }
        }
    };
}

quantity_traits!(Millicores);
quantity_traits!(Bytes);
serde_as_text!(Millicores);
serde_as_text!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kubernetes_form_of_cpu_parses() {
        for (text, millicores) in [
            ("250m", 250),
            ("0.5", 500),
            ("1", 1000),
            ("2.5", 2500),
            (".25", 250),
            ("3.", 3000),
            ("100u", 1),
            ("1500000n", 2),
            ("0.1m", 1),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("12e-1", 1200),
            ("2k", 2_000_000),
            ("+4", 4000),
            ("0", 0),
            ("1Ki", 1_024_000),
            ("007", 7000),
        ] {
            assert_eq!(text.parse(), Ok(Millicores::new(millicores)), "{text}");
        }
    }

    #[test]
    fn every_kubernetes_form_of_memory_parses() {
        for (text, bytes) in [
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("128974848000m", 128_974_848),
            ("123Mi", 128_974_848),
            ("1.5Gi", 1_610_612_736),
            ("1Ei", 1 << 60),
            ("2E", 2_000_000_000_000_000_000),
            ("0.5Ki", 512),
            ("1m", 1),
        ] {
            assert_eq!(text.parse(), Ok(Bytes::new(bytes)), "{text}");
        }
    }

    #[test]
    fn bad_quantities_are_refused_by_reason() {
        let parse = |text: &str| text.parse::<Bytes>().unwrap_err();
        assert!(matches!(parse(""), QuantityError::Malformed(_)));
        assert!(matches!(parse("Mi"), QuantityError::Malformed(_)));
        assert!(matches!(parse("1.2.3"), QuantityError::Malformed(_)));
        assert!(matches!(parse("-1Mi"), QuantityError::Negative(_)));
        assert!(matches!(parse("1mi"), QuantityError::UnknownSuffix { .. }));
        assert!(matches!(parse("1e"), QuantityError::UnknownSuffix { .. }));
        assert!(matches!(parse("64Ei"), QuantityError::TooLarge(_)));
        assert!(matches!(parse("1e99"), QuantityError::TooLarge(_)));
        assert!(matches!(Millicores::from_cores(f64::NAN), Err(QuantityError::NotFinite(_))));
    }

    #[test]
    fn printing_is_canonical_and_parses_back() {
        for millicores in [0, 1, 250, 1000, 1001, 64_000] {
            let amount = Millicores::new(millicores);
            assert_eq!(amount.to_string().parse(), Ok(amount));
        }
        assert_eq!(Millicores::new(2000).to_string(), "2");
        assert_eq!(Bytes::from_mebibytes(1536).to_string(), "1536Mi");
        assert_eq!(Bytes::from_mebibytes(2048).to_string(), "2Gi");
        assert_eq!(Bytes::new(1000).to_string(), "1000");
    }

    #[test]
    fn measurements_round_up_once() {
        assert_eq!(Millicores::from_cores(0.1), Ok(Millicores::new(100)));
        assert_eq!(Millicores::from_cores(0.1001), Ok(Millicores::new(101)));
        assert_eq!(Bytes::from_measured(1.0), Ok(Bytes::MEBIBYTE));
        assert_eq!(Bytes::from_measured(1_048_577.0), Ok(Bytes::from_mebibytes(2)));
    }
}
