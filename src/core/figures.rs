//! Numbers as people read them: bytes, ages, durations. Knows no screen.

use time::{Duration, OffsetDateTime};

/// Bytes with a binary unit, at most nine columns wide (`1.2 GiB`, `512 B`).
pub fn bytes(bytes: u64) -> String {
    let options = humansize::BINARY.decimal_places(1);
    let text = humansize::format_size(bytes, options);
    // "1023.9 KiB" is the only form wider than nine columns; its decimal says nothing.
    if text.len() > 9 {
        humansize::format_size(bytes, options.decimal_places(0))
    } else {
        text
    }
}

/// How long ago something was, in at most three columns (`now`, `5m`, `3h`, `12d`, `9w`, `2y`). What lies in the future
/// (a wrong clock, a forged time) has a plus before it and goes up to `+99y`.
pub fn age(now: OffsetDateTime, then: OffsetDateTime) -> String {
    let age = now - then;
    if age <= -Duration::minutes(1) {
        return format!("+{}", distance(age.abs().min(Duration::days(99 * 365))));
    }
    if age < Duration::minutes(1) {
        return "now".to_owned();
    }
    distance(age)
}

/// As [`age`], for a sentence (`just now`, `3d ago`, `3d in the future`).
pub fn ago(now: OffsetDateTime, then: OffsetDateTime) -> String {
    let age = age(now, then);
    match (age.as_str(), age.strip_prefix('+')) {
        ("now", _) => "just now".to_owned(),
        (_, Some(ahead)) => format!("{ahead} in the future"),
        (behind, None) => format!("{behind} ago"),
    }
}

/// A length of time, one minute or more, in its largest unit.
fn distance(length: Duration) -> String {
    let days = length.whole_days();
    match () {
        () if length < Duration::hours(1) => format!("{}m", length.whole_minutes()),
        () if days < 2 => format!("{}h", length.whole_hours()),
        () if days < 100 => format!("{days}d"),
        () if days < 700 => format!("{}w", days / 7),
        () => format!("{}y", days / 365),
    }
}

/// A duration in words for a sentence (`8 s`, `3 min 5 s`, `2 h 10 min`).
pub fn duration(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

/// A whole number with thin groups of three digits (`1 234 567`).
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A noun with its number (`1 mount`, `3 mounts`).
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The verb for so many: `has` for one, `have` for more.
pub fn verb<'a>(number: usize, one: &'a str, more: &'a str) -> &'a str {
    if number == 1 { one } else { more }
}

/// Entries of a mount with their number (`1 entry`, `3 entries`).
pub fn entries(number: u64) -> String {
    match number {
        1 => "1 entry".to_owned(),
        number => format!("{} entries", count(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_follow_their_number() {
        let has = |number| verb(number, "has", "have");
        assert_eq!([has(0), has(1), has(2)], ["have", "has", "have"]);
    }

    #[test]
    fn figures_keep_within_their_columns() {
        for shift in 0..64 {
            for n in [
                1u64 << shift,
                (1u64 << shift).wrapping_sub(1),
                (1u64 << shift) + (1u64 << shift) / 3,
            ] {
                assert!(bytes(n).len() <= 9, "{} for {n}", bytes(n));
            }
        }
        assert_eq!(
            (bytes(0), bytes(1536), bytes(1 << 40)),
            ("0 B".into(), "1.5 KiB".into(), "1 TiB".into())
        );
        let then = OffsetDateTime::UNIX_EPOCH;
        for minutes in 0..5_000_000 {
            if minutes % 977 == 0 {
                assert!(age(then + Duration::minutes(minutes), then).len() <= 3);
                assert!(age(then, then + Duration::minutes(minutes)).len() <= 4);
            }
        }
    }

    #[test]
    fn the_future_shows() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for (ahead, column, sentence) in [
            (Duration::ZERO, "now", "just now"),
            (Duration::seconds(59), "now", "just now"),
            (Duration::minutes(1), "+1m", "1m in the future"),
            (Duration::days(3), "+3d", "3d in the future"),
            (Duration::days(400), "+57w", "57w in the future"),
            (Duration::days(365 * 5000), "+99y", "99y in the future"),
        ] {
            assert_eq!(
                (age(now, now + ahead).as_str(), ago(now, now + ahead).as_str()),
                (column, sentence)
            );
        }
        assert_eq!(ago(now + Duration::days(3), now), "3d ago");
    }

    #[test]
    fn words_for_sentences() {
        assert_eq!(
            (duration(8), duration(185), duration(7800)),
            ("8 s".into(), "3 min 5 s".into(), "2 h 10 min".into())
        );
        assert_eq!(
            (count(1), count(1234), count(1234567)),
            ("1".into(), "1 234".into(), "1 234 567".into())
        );
        assert_eq!(counted(1, "mount"), "1 mount");
        assert_eq!(counted(0, "orphan"), "0 orphans");
    }
}
