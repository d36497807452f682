//! Kubernetes resource quantities, like `512Mi`, `1G` and `100m`: exact and with their sign, as the admitters compare them.

use crate::yaml::{Cursor, Scalar};

/// In billionths: Kubernetes keeps nothing finer (apimachinery `resource.ParseQuantity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

const WHOLE: i128 = 1_000_000_000;
/// Kubernetes caps a quantity at the largest whole number of 64 bits.
const MOST: i128 = i64::MAX as i128 * WHOLE;

impl Quantity {
    pub(crate) const ZERO: Quantity = Quantity(0);

    pub(crate) const fn whole(n: i64) -> Quantity {
        Quantity(n as i128 * WHOLE)
    }

    /// What stands there; `None` if it is no quantity.
    pub(crate) fn of(at: Cursor<'_>) -> Option<Quantity> {
        match at.scalar()? {
            Scalar::Int(n) => Some(Quantity::whole(n)),
            Scalar::Text(text) => Quantity::parse(text.trim()),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Quantity> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.len() + fraction.len() == 0 || fraction.contains('.') {
            return None;
        }
        let (factor, ten) = scale(suffix)?;
        let mut units: i128 = 0;
        let mut exponent = ten + 9;
        for digit in whole.bytes().chain(fraction.bytes()) {
            // More digits than that are beyond the cap, or below what is kept.
            match units.checked_mul(10).filter(|n| *n <= MOST) {
                Some(n) => units = n + i128::from(digit - b'0'),
                None => exponent += 1,
            }
        }
        exponent -= i32::try_from(fraction.len()).ok()?;
        units = units.saturating_mul(factor);
        for _ in 0..exponent.unsigned_abs().min(60) {
            units = if exponent > 0 { units.saturating_mul(10) } else { units / 10 + i128::from(units % 10 != 0) };
        }
        let units = units.min(MOST);
        Some(Quantity(if text.starts_with('-') { -units } else { units }))
    }

    /// It is the largest that there is, or more.
    pub(crate) fn is_capped(self) -> bool {
        self.0 >= MOST
    }

    /// In whole units, rounded up.
    pub(crate) fn value(self) -> i128 {
        -(-self.0).div_euclid(WHOLE)
    }

    /// In thousandths, rounded up.
    pub(crate) fn milli(self) -> i128 {
        -(-self.0).div_euclid(WHOLE / 1000)
    }
}

/// A suffix's factor, and its power of ten.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    let two = |power: u32| Some((1_i128 << power, 0));
    let ten = |power: i32| Some((1, power));
    match suffix {
        "" => ten(0),
        "n" => ten(-9),
        "u" => ten(-6),
        "m" => ten(-3),
        "k" => ten(3),
        "M" => ten(6),
        "G" => ten(9),
        "T" => ten(12),
        "P" => ten(15),
        "E" => ten(18),
        "Ki" => two(10),
        "Mi" => two(20),
        "Gi" => two(30),
        "Ti" => two(40),
        "Pi" => two(50),
        "Ei" => two(60),
        _ => ten(suffix.strip_prefix(['e', 'E'])?.parse::<i8>().ok()?.into()),
    }
}

/// Whole bytes of a quantity, rounded up; `None` if it is not one, or below 0, or does not fit.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    Quantity::parse(text).filter(|quantity| !quantity.is_capped()).and_then(|quantity| quantity.value().try_into().ok())
}

/// Whether Kubernetes takes a text for a quantity (the CRD's pattern).
pub(crate) fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |t: &str| t.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let rest = &text[whole..];
    let (rest, fraction) = match rest.strip_prefix('.') {
        Some(after) => (&after[digits(after)..], digits(after)),
        None => (rest, 0),
    };
    if whole == 0 && fraction == 0 {
        return false;
    }
    let exponent = |e: &str| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e) == e.len()
    };
    matches!(rest, "" | "Ki" | "Mi" | "Gi" | "Ti" | "Pi" | "Ei" | "n" | "u" | "m" | "k" | "M" | "G" | "T" | "P" | "E")
        || rest.strip_prefix(['e', 'E']).is_some_and(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact() {
        for (text, value, milli) in [
            ("0", 0, 0),
            ("1", 1, 1000),
            ("-1", -1, -1000),
            ("+2k", 2000, 2_000_000),
            ("100m", 1, 100),
            ("1500m", 2, 1500),
            ("-100m", 0, -100),
            ("1n", 1, 1),
            ("1.5Gi", 3 << 29, (3 << 29) * 1000),
            (".5Ki", 512, 512_000),
            ("1e3", 1000, 1_000_000),
            ("1E-3", 1, 1),
            ("0.0000000001", 1, 1),
            ("9e99", i64::MAX.into(), i128::from(i64::MAX) * 1000),
            ("99999999999999999999999999999999999999999", i64::MAX.into(), i128::from(i64::MAX) * 1000),
        ] {
            let found = Quantity::parse(text).map(|q| (q.value(), q.milli()));
            assert_eq!(found, Some((value, milli)), "{text}");
        }
        for text in ["", ".", "-", "Gi", "1GB", "1 Gi", "1.2.3", "1e", "1e999"] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("512Mi", Some(512 << 20)),
            ("1G", Some(1_000_000_000)),
            ("1.5Gi", Some(3 << 29)),
            ("2k", Some(2_000)),
            ("2M", Some(2_000_000)),
            ("2T", Some(2_000_000_000_000)),
            ("2P", Some(2_000_000_000_000_000)),
            ("2E", Some(2_000_000_000_000_000_000)),
            ("2Ki", Some(1 << 11)),
            ("2Ti", Some(1 << 41)),
            ("2Ei", Some(1 << 61)),
            ("0.5m", Some(1)),
            ("1500.5m", Some(2)),
            ("16.5Ei", None),
            ("1073741824", Some(1 << 30)),
            ("", None),
            ("Mi", None),
            ("1Pi", Some(1 << 50)),
            ("1500m", Some(2)),
            ("12Q", None),
            ("1.2.3", None),
            ("99999999999Ti", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn what_kubernetes_takes() {
        for (text, takes) in [
            ("512Mi", true),
            ("1.5Gi", true),
            (".5", true),
            ("5.", true),
            ("-1", true),
            ("1e3", true),
            ("1E-3", true),
            ("100m", true),
            ("", false),
            (".", false),
            ("Mi", false),
            ("1 Gi", false),
            ("1GB", false),
            ("1e", false),
            ("12Q", false),
        ] {
            assert_eq!(is_quantity(text), takes, "{text}");
        }
    }
}
