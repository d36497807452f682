//! Kubernetes resource quantities, as far as memory needs them: `512Mi`, `1G`, `1073741824`.

/// Bytes of a quantity; `None` if it is not one or does not fit.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor: u64 = match suffix {
        "" => 1,
        "k" => 1000,
        "M" => 1000_u64.pow(2),
        "G" => 1000_u64.pow(3),
        "T" => 1000_u64.pow(4),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "P" => 1000_u64.pow(5),
        "E" => 1000_u64.pow(6),
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        "m" => return whole_or_fraction(number, 1, 1000),
        _ => return None,
    };
    whole_or_fraction(number, factor, 1)
}

/// `number` times `factor` by `divisor`, rounded up as Kubernetes does.
fn whole_or_fraction(number: &str, factor: u64, divisor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).map(|n| n.div_ceil(divisor));
    }
    let fraction: f64 = number.parse().ok()?;
    let value = fraction * factor as f64 / divisor as f64;
    (value.is_finite() && value < u64::MAX as f64).then_some(value.ceil() as u64)
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
    use super::{bytes, is_quantity};

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
