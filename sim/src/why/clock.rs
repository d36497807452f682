//! When something was seen, by whichever clock the evidence has.

/// A time; two are compared only if they are by the same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Seconds since 1970, UTC.
    Clock(i64),
    /// Seconds before the table was printed.
    Ago(i64),
    /// Milliseconds of the guest's uptime.
    Uptime(i64),
}

impl When {
    /// Seconds from `earlier` to this; `None`: by another clock.
    pub fn since(self, earlier: When) -> Option<i64> {
        match (self, earlier) {
            (When::Clock(a), When::Clock(b)) => Some(a.saturating_sub(b)),
            (When::Ago(a), When::Ago(b)) => Some(b.saturating_sub(a)),
            (When::Uptime(a), When::Uptime(b)) => Some(a.saturating_sub(b) / 1000),
            _ => None,
        }
    }
}

impl std::fmt::Display for When {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            When::Clock(seconds) => {
                let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
                let (year, month, day) = date(days);
                write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
            }
            When::Ago(seconds) => write!(f, "{seconds} s before"),
            When::Uptime(millis) => write!(f, "uptime {}.{:03} s", millis / 1000, millis % 1000),
        }
    }
}

/// Days since 1970 of a date of the Gregorian calendar, counted from March so that the leap day is a year's last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day since 1970.
fn date(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year + i64::from(month <= 2), month, of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// A number without a sign.
fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `2026-08-01T10:00:00Z`, with a fraction and an offset if there are; nothing of years that no cluster has seen.
pub(super) fn rfc3339(text: &str) -> Option<When> {
    let number = |range: std::ops::Range<usize>| digits(text.get(range)?);
    let marks = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
    if !marks.iter().all(|(at, mark)| text.get(*at..at + 1).is_some_and(|c| c.starts_with(*mark))) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    let rest = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match rest {
        "Z" => 0,
        _ => {
            let (hours, minutes) = (digits(rest.get(1..3)?)?, digits(rest.get(4..)?)?);
            if rest.get(3..4)? != ":" || rest.len() != 6 || hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = hours * 60 + minutes;
            match rest.get(..1)? {
                "+" => minutes * 60,
                "-" => -minutes * 60,
                _ => return None,
            }
        }
    };
    Some(When::Clock(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset))
}

/// `2m13s`, `3d4h`, `<unknown>`: an age as kubectl prints it, seconds.
pub(super) fn age(text: &str) -> Option<i64> {
    let (mut total, mut number) = (0_i64, None::<i64>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'y' => 365 * 86_400,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    (number.is_none() && !text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z")),
            ("2024-02-29T23:59:59Z", Some("2024-02-29T23:59:59Z")),
            ("2026-08-01T10:00:00.123456Z", Some("2026-08-01T10:00:00Z")),
            ("2026-08-01T10:00:00+02:00", Some("2026-08-01T08:00:00Z")),
            ("2026-03-01T00:00:00-00:30", Some("2026-03-01T00:30:00Z")),
            ("2026-13-01T10:00:00Z", None),
            ("2026-+8-01T10:00:00Z", None),
            ("2026-08-01T10:00:00+9223372036854775807:00", None),
            ("2026-08-01T10:00:00+24:00", None),
            ("2026-08-01T10:00:00+02:60", None),
            ("2026-08-01T10:00:00+-2:00", None),
            ("2026-08-01T10:00:00+02", None),
            ("2026-08-01 10:00:00Z", None),
            ("2026-08-01T10:00:00", None),
            ("Ünix", None),
        ] {
            assert_eq!(rfc3339(text).map(|w| w.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn ages() {
        for (text, expected) in [
            ("13s", Some(13)),
            ("2m13s", Some(133)),
            ("3d4h", Some(273_600)),
            ("<unknown>", None),
            ("5", None),
            ("", None),
            ("99999999999999999999d", None),
        ] {
            assert_eq!(age(text), expected, "{text}");
        }
        assert_eq!(When::Ago(60).since(When::Ago(90)), Some(30));
        assert_eq!(When::Ago(60).since(When::Clock(90)), None);
    }
}
