//! A resource quantity as the admitters compare it: exact and with its sign (`manifest/quantity.rs` is what a guest gets: whole
//! bytes, never negative).

use crate::yaml::{Cursor, Scalar};

/// In billionths: Kubernetes keeps nothing finer (apimachinery `resource.ParseQuantity`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(i128);

const WHOLE: i128 = 1_000_000_000;
/// Kubernetes caps a quantity at the largest whole number of 64 bits.
const MOST: i128 = i64::MAX as i128 * WHOLE;

impl Quantity {
    pub(super) const ZERO: Quantity = Quantity(0);

    pub(super) const fn whole(n: i64) -> Quantity {
        Quantity(n as i128 * WHOLE)
    }

    /// What stands there; `None` if it is no quantity.
    pub(super) fn of(at: Cursor<'_>) -> Option<Quantity> {
        match at.scalar()? {
            Scalar::Int(n) => Some(Quantity::whole(n)),
            Scalar::Text(text) => Quantity::parse(text.trim()),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Quantity> {
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
    pub(super) fn is_capped(self) -> bool {
        self.0 >= MOST
    }

    /// In whole units, rounded up.
    pub(super) fn value(self) -> i128 {
        -(-self.0).div_euclid(WHOLE)
    }

    /// In thousandths, rounded up.
    pub(super) fn milli(self) -> i128 {
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
}
