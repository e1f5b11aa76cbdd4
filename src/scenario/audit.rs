//! The rules that doubt a comparison, as a scenario may set them: every id with its unit, default and one line about it.
//!
//! The rules themselves are in `audit`, which binds a function to each id here. The schema, the docs and the README are
//! made from this one table.

mod rules;
mod setting;

pub use rules::{RULES, rule_groups};
pub(super) use setting::PATTERNS;
pub use setting::{AuditSpec, Setting};

use serde::{Deserialize, Serialize};

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information; the verdict stands.
    Note,
    /// A reason to be careful with the verdict; printed with it. (Earlier versions wrote `doubt`.)
    #[serde(alias = "doubt")]
    Warning,
    /// The comparison is not valid: exit code 4.
    Invalid,
}

impl Severity {
    /// Every severity, the mildest first.
    pub const ALL: [Severity; 3] = [Severity::Note, Severity::Warning, Severity::Invalid];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Invalid => "invalid",
        }
    }

    /// The severity of a word.
    pub fn parse(word: &str) -> Option<Self> {
        let word = if word == "doubt" { "warning" } else { word };
        Self::ALL.into_iter().find(|severity| severity.as_str() == word)
    }
}

/// What a rule's threshold is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share, written `20%`; held as a fraction.
    Share,
    /// A length of time, written `1ms`; held in microseconds.
    Time,
    /// A number of these things.
    Number(&'static str),
}

/// A value from which a rule speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What it is counted in.
    pub unit: Unit,
    /// Its value where the scenario sets none.
    pub default: f64,
}

/// A rule, as people meet it.
#[derive(Clone, Copy, Debug)]
pub struct RuleSpec {
    /// Its name in scenarios and reports.
    pub id: &'static str,
    /// How grave it is where the scenario says nothing else.
    pub severity: Severity,
    /// From where it speaks; `None` for a rule that only knows yes and no.
    pub threshold: Option<Threshold>,
    /// What it finds, in one line.
    pub about: &'static str,
    /// Whether it only speaks of how unlike the sides are: where it makes a run invalid, what one side did on its own is
    /// judged all the same.
    pub of_sides: bool,
}

/// Ids that earlier versions used, with those of today.
const FORMER: [(&str, &str); 6] = [
    ("unlike-requests", "different-requests"),
    ("unlike-transports", "different-transports"),
    ("unlike-cores", "different-cores"),
    ("unreadable-labels", "unparsed-labels"),
    ("generator-lag", "send-lag"),
    ("lag-of-difference", "send-lag-share"),
];

/// Today's id of a rule that may be called by its former one.
pub(super) fn current(id: &str) -> &str {
    FORMER.iter().find(|(former, _)| *former == id).map_or(id, |(_, now)| now)
}

/// The rule of an id, today's or a former one.
pub fn rule(id: &str) -> Option<&'static RuleSpec> {
    let id = current(id);
    RULES.iter().find(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kebab_case_and_each_stands_once() {
        let mut ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        for id in &ids {
            assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{id}");
            assert_eq!(rule(id).map(|rule| rule.id), Some(*id));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
        assert!(rule("no-such-rule").is_none());
        // Scenarios and reports of earlier versions name these rules otherwise.
        for (former, now) in FORMER {
            assert!(!ids.contains(&former) && ids.contains(&now), "{former}");
            assert_eq!(rule(former).map(|rule| rule.id), Some(now));
        }
    }

    #[test]
    fn the_page_of_the_gates_lists_the_rules_that_compare_sides() {
        let page = include_str!("../../docs/gates.md");
        let row = page.lines().find(|line| line.starts_with("| its sides differ")).unwrap();
        for rule in &RULES {
            assert_eq!(row.contains(&format!("`{}`", rule.id)), rule.of_sides, "{}", rule.id);
        }
    }

    #[test]
    fn each_rule_says_what_it_finds() {
        for rule in &RULES {
            assert!(rule.about.len() > 20 && !rule.about.ends_with('.'), "{}", rule.id);
            assert!(rule.threshold.is_none_or(|t| t.default.is_finite() && t.default >= 0.0), "{}", rule.id);
        }
    }

    #[test]
    fn severities_are_ordered_and_read_as_they_are_written() {
        assert!(Severity::Note < Severity::Warning && Severity::Warning < Severity::Invalid);
        for severity in Severity::ALL {
            assert_eq!(Severity::parse(severity.as_str()), Some(severity));
        }
        assert_eq!(Severity::parse("off"), None);
        // As earlier versions wrote it.
        assert_eq!(Severity::parse("doubt"), Some(Severity::Warning));
        assert_eq!(serde_json::from_str::<Severity>("\"doubt\"").unwrap(), Severity::Warning);
    }
}
