//! Numbers as people read them: three digits and a unit. All rooms write figures by this.

use super::unit;

/// Three significant digits, without an exponent; whole numbers below 10,000 as they are.
pub fn three(x: f64) -> String {
    match x.abs() {
        size if !size.is_finite() => x.to_string(),
        size if size >= 9_999.5 => {
            let unit = 10_f64.powf(size.log10().floor() - 2.0);
            grouped(&format!("{:.0}", (x / unit).round() * unit))
        }
        size if size >= 99.95 => grouped(&format!("{x:.0}")),
        size if size >= 9.995 => format!("{x:.1}"),
        size if size >= 0.9995 => format!("{x:.2}"),
        0.0 => "0".to_owned(),
        size => decimals(x, 2 - size.log10().floor() as i32),
    }
}

/// A number with so many decimals, as far as they are read.
fn decimals(x: f64, n: i32) -> String {
    let n = n.clamp(0, 9) as usize;
    format!("{x:.n$}")
}

/// A number, as it is written in digits, with a comma after each third one of its whole part.
pub fn grouped(number: &str) -> String {
    let (sign, digits) = number.split_at(number.find(|c: char| c.is_ascii_digit()).unwrap_or(0));
    let (whole, part) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    let comma = |(at, digit): (usize, char)| {
        let left = whole.len() - at;
        [Some(digit), (left > 1 && left % 3 == 1).then_some(',')].into_iter().flatten()
    };
    sign.chars().chain(whole.chars().enumerate().flat_map(comma)).chain(part.chars()).collect()
}

/// A number of things: `1,440`.
pub fn count(n: u64) -> String {
    grouped(&n.to_string())
}

/// A number of things, and what they are: `1 answer`, `1,440 answers`.
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A time given in microseconds.
pub fn time(us: f64) -> String {
    match us.abs() {
        // Nothing here is measured to less than that.
        size if size < 0.1 => if us > 0.0 { "< 0.1 µs" } else { "0 µs" }.to_owned(),
        size if size < 999.5 => format!("{} µs", three(us)),
        size if size < 999_500.0 => format!("{} ms", three(us / 1e3)),
        _ => format!("{} s", three(us / 1e6)),
    }
}

/// How long something takes or took, given in seconds: hours and minutes from a minute and a half on, whole seconds from ten
/// on, and as [`time`] below. What isn't a length is a dash.
pub fn length(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round();
    let minutes = (whole / 60.0).round() as u64;
    match () {
        () if seconds == 0.0 => "0 s".to_owned(),
        () if seconds < 9.95 => {
            let text = time(seconds * 1e6);
            // `3 s`, and not `3.00 s`: of a length nobody reads the second decimal.
            if seconds >= 0.9995 { format!("{} s", (seconds * 10.0).round() / 10.0) } else { text }
        }
        () if whole < 90.0 => format!("{whole} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        () => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// How long something takes at the least and at the most, in seconds: `1 to 3 min`, and as one length where they read alike.
pub fn lengths(least: f64, most: f64) -> String {
    let (from, to) = (length(least), length(most));
    if from == to {
        return to;
    }
    let unit = |text: &str| text.split_once(' ').map(|(number, unit)| (number.to_owned(), unit.to_owned()));
    match (unit(&from), unit(&to)) {
        (Some((number, one)), Some((_, other))) if one == other => format!("{number} to {to}"),
        _ => format!("{from} to {to}"),
    }
}

/// The ends of an interval, as they are written: `0.4–11.4 %`, `980 µs–1.02 ms`; with a word where a sign would meet the dash.
pub fn between(low: &str, high: &str) -> String {
    let dash = if [low, high].iter().any(|end| end.starts_with(['-', '+'])) { " to " } else { "–" };
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, one)), Some((_, other))) if one == other => format!("{number}{dash}{high}"),
        _ => format!("{low}{dash}{high}"),
    }
}

/// A share, in per cent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A change by a share, in per cent and with its sign.
pub fn change(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}

/// A share that somebody set, in per cent: no decimal that nobody wrote.
pub fn share(share: f64) -> String {
    format!("{} %", (share * 1e4).round() / 100.0)
}

/// A ratio: two decimals, one from ten on, more where they'd be lost.
pub fn ratio(x: f64) -> String {
    match x {
        x if x >= 99.95 => three(x),
        x if x >= 9.995 => format!("{x:.1}"),
        x if !(0.0..0.0995).contains(&x) => format!("{x:.2}"),
        0.0 => "0".to_owned(),
        x => decimals(x, (1 - x.log10().floor() as i32).max(3)),
    }
}

/// A size in bytes.
pub fn bytes(n: u64) -> String {
    let gib = n as f64 / f64::from(1 << 30);
    if gib >= 1.0 {
        format!("{} GiB", grouped(&format!("{gib:.1}")))
    } else {
        format!("{:.0} MiB", n as f64 / f64::from(1 << 20))
    }
}

/// A text that engines or people wrote, without what would move a cursor.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text as a part of a file's name: ASCII letters, digits and `-_.`, anything else is a dash; 60 characters at most.
pub fn file_part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    text.chars().map(plain).take(60).collect()
}

/// The lines of a message as one sentence.
pub fn one_sentence(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// A text of so many characters at most; one that is cut ends with `…`.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A value in its unit.
pub fn value(x: f64, of: &str) -> String {
    match of {
        unit::MICROS => time(x),
        unit::ONE => percent(x),
        unit::REQUESTS_PER_S => format!("{} /s", three(x)),
        unit::TOKENS_PER_S => format!("{} tok/s", three(x)),
        unit::BYTES => bytes(x.max(0.0) as u64),
        unit::CORES => format!("{} cores", three(x)),
        unit::THREADS => format!("{x:.0}"),
        unit::JOULES => format!("{} J", three(x)),
        unit::TOKENS_PER_S_PER_GIB => format!("{} tok/s/GiB", three(x)),
        _ => three(x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (us, text) in [
            (0.0, "0 µs"),
            (0.001, "< 0.1 µs"),
            (-0.05, "0 µs"),
            (0.25, "0.250 µs"),
            (0.9994, "0.999 µs"),
            (0.9995, "1.00 µs"),
            (9.994, "9.99 µs"),
            (9.995, "10.0 µs"),
            (99.94, "99.9 µs"),
            (99.95, "100 µs"),
            (999.4, "999 µs"),
            (999.5, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (999_500.0, "1.00 s"),
            (123e6, "123 s"),
        ] {
            assert_eq!(time(us), text);
        }
        for (x, text) in [
            (0.0, "0"),
            (0.00123, "0.0012"),
            (0.0123, "0.012"),
            (0.0648, "0.065"),
            (0.0994, "0.099"),
            (0.0995, "0.10"),
            (0.6123, "0.61"),
            (9.99, "9.99"),
            (15.44, "15.4"),
            (99.94, "99.9"),
            (99.95, "100"),
            (1234.5, "1,234"),
        ] {
            assert_eq!(ratio(x), text);
        }
        for (x, text) in [
            (0.0, "0"),
            (0.000_123, "0.000123"),
            (0.0123, "0.0123"),
            (0.123, "0.123"),
            (-1.5, "-1.50"),
            (-1234.0, "-1,234"),
            (1440.4, "1,440"),
            (9999.0, "9,999"),
            (54_762.0, "54,800"),
            (1_234_567.0, "1,230,000"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(three(x), text);
        }
        assert_eq!(percent(0.9166), "91.7 %");
        assert_eq!([share(0.02), share(0.025), share(1.0), share(0.0)], ["2 %", "2.5 %", "100 %", "0 %"]);
        assert_eq!([count(0), count(999), count(1440), count(1_234_567)], ["0", "999", "1,440", "1,234,567"]);
        assert_eq!(
            [counted(1, "answer", "answers"), counted(1440, "answer", "answers")],
            ["1 answer", "1,440 answers"]
        );
        assert_eq!([grouped("12345.6"), grouped("-1234"), grouped("")], ["12,345.6", "-1,234", ""]);
        assert_eq!([bytes(8 << 30), bytes(1 << 30), bytes((1 << 30) - 1)], ["8.0 GiB", "1.0 GiB", "1024 MiB"]);
        assert_eq!(bytes(5 << 19), "2 MiB");
    }

    #[test]
    fn lengths_are_told_in_hours_and_minutes() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.25, "250 ms"),
            (0.9996, "1 s"),
            (3.0, "3 s"),
            (3.12, "3.1 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (89.4, "89 s"),
            (89.6, "2 min"),
            (90.0, "2 min"),
            (100.0, "2 min"),
            (554.0, "9 min"),
            (1560.0, "26 min"),
            (3569.0, "59 min"),
            (3580.0, "1 h"),
            (4320.0, "1 h 12 min"),
            (20_564.0, "5 h 43 min"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
            (-1.0, "–"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }

    #[test]
    fn two_lengths_are_told_as_a_range() {
        for (least, most, text) in [
            (60.0, 60.4, "60 s"),
            (95.0, 185.0, "2 to 3 min"),
            (25.0, 185.0, "25 s to 3 min"),
            (20.0, 65.0, "20 to 65 s"),
        ] {
            assert_eq!(lengths(least, most), text);
        }
    }

    #[test]
    fn intervals_have_one_form() {
        for (low, high, text) in [
            ("0.4 %", "11.4 %", "0.4–11.4 %"),
            ("980 µs", "1.02 ms", "980 µs–1.02 ms"),
            ("0.61", "0.75", "0.61–0.75"),
            ("-1.2 %", "3.4 %", "-1.2 to 3.4 %"),
            ("+1.0 pp", "+2.0 pp", "+1.0 to +2.0 pp"),
            ("< 0.1 µs", "3 µs", "< 0.1 µs–3 µs"),
        ] {
            assert_eq!(between(low, high), text);
        }
    }

    #[test]
    fn values_are_told_in_their_units() {
        for (x, of, text) in [
            (1500.0, unit::MICROS, "1.50 ms"),
            (0.125, unit::ONE, "12.5 %"),
            (12.0, unit::REQUESTS_PER_S, "12.0 /s"),
            (1234.0, unit::TOKENS_PER_S, "1,234 tok/s"),
            (7.0, "tokens", "7.00"),
            (1.5 * 1024.0 * 1024.0 * 1024.0, unit::BYTES, "1.5 GiB"),
            (1.25, unit::CORES, "1.25 cores"),
            (12.0, unit::THREADS, "12"),
            (0.25, unit::JOULES, "0.250 J"),
            (310.0, unit::TOKENS_PER_S_PER_GIB, "310 tok/s/GiB"),
        ] {
            assert_eq!(value(x, of), text);
        }
        assert_eq!(printable("a\u{1b}[2J\n"), "a [2J ");
    }
}
