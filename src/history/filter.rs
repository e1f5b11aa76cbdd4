//! Which runs are meant.

use super::entry::{RunEntry, RunState};
use crate::stats::StepsBy;
use jiff::{SignedDuration, Timestamp};

/// Which runs are meant; nothing stands for all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this scenario.
    pub scenario: Option<String>,
    /// With a target of this name.
    pub target: Option<String>,
    /// Begun at this instant or later.
    pub since: Option<Timestamp>,
    /// Begun at this instant or earlier.
    pub until: Option<Timestamp>,
    /// Of which this became.
    pub state: Option<RunState>,
    /// With stand-ins, or without.
    pub stand_ins: Option<bool>,
}

impl Filter {
    /// Whether a run is meant.
    pub fn takes(&self, entry: &RunEntry) -> bool {
        let started: Option<Timestamp> = entry.started.parse().ok();
        self.scenario.as_ref().is_none_or(|name| *name == entry.plan.name)
            && self.target.as_ref().is_none_or(|name| entry.targets.iter().any(|target| target.name == *name))
            && self.since.is_none_or(|since| started.is_some_and(|at| at >= since))
            && self.until.is_none_or(|until| started.is_some_and(|at| at <= until))
            && self.state.is_none_or(|state| entry.state() == state)
            && self.stand_ins.is_none_or(|there| entry.has_stand_in() == there)
    }
}

/// An instant as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its beginning: of a day, midnight UTC.
    pub first: Timestamp,
    /// Its end: of a day, the last instant before midnight.
    pub last: Timestamp,
}

impl Stamp {
    /// Reads `2026-11-21`, `2026-11-21T02:00:00Z`, or so long before `now`: `14d`, `36h`, `2w`. `None` for anything else.
    pub fn parse(text: &str, now: Timestamp) -> Option<Self> {
        if let Some(back) = ago(text) {
            let at = now.checked_sub(back).ok()?;
            return Some(Self { first: at, last: at });
        }
        if let Ok(at) = text.parse::<Timestamp>() {
            return Some(Self { first: at, last: at });
        }
        let day: jiff::civil::Date = text.parse().ok()?;
        let at = |time: jiff::civil::Time| Some(day.to_datetime(time).in_tz("UTC").ok()?.timestamp());
        Some(Self { first: at(jiff::civil::Time::midnight())?, last: at(jiff::civil::Time::MAX)? })
    }
}

/// Reads a length of time in whole hours, days or weeks: `36h`, `30d`, `2w`.
pub(super) fn ago(text: &str) -> Option<SignedDuration> {
    let (number, hours) = [("h", 1), ("d", 24), ("w", 168)]
        .into_iter()
        .find_map(|(unit, hours)| Some((text.strip_suffix(unit)?, hours)))?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A century is more than any history has.
    let hours = number.parse::<i64>().ok()?.checked_mul(hours).filter(|hours| *hours <= 876_600)?;
    Some(SignedDuration::from_hours(hours))
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct TrendQuery {
    /// The figure, by its word: `ttft.p95`.
    pub metric: String,
    /// Which runs; its `target` is the only one that gets a line.
    pub filter: Filter,
    /// Whether runs stand in the lines that their audit found invalid.
    pub invalid: bool,
    /// What steps are looked for by.
    pub by: StepsBy,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_as_people_write_them() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for (text, first, last) in [
            ("2026-11-20", "2026-11-20T00:00:00Z", "2026-11-20T23:59:59.999999999Z"),
            ("2026-11-20T02:00:00Z", "2026-11-20T02:00:00Z", "2026-11-20T02:00:00Z"),
            ("2026-11-20T02:00:00+01:00", "2026-11-20T01:00:00Z", "2026-11-20T01:00:00Z"),
            ("36h", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z"),
            ("14d", "2026-11-07T12:00:00Z", "2026-11-07T12:00:00Z"),
            ("2w", "2026-11-07T12:00:00Z", "2026-11-07T12:00:00Z"),
        ] {
            let stamp = Stamp::parse(text, now).map(|stamp| (stamp.first.to_string(), stamp.last.to_string()));
            assert_eq!(stamp, Some((first.to_owned(), last.to_owned())), "{text}");
        }
        for text in ["", "d", "-3d", "1.5d", "3", "3 d", "yesterday", "2026-13-01", "99999999999999999999d", "999999w"]
        {
            assert_eq!(Stamp::parse(text, now), None, "{text}");
        }
    }
}
