//! One rule at work: its limit and severity as the scenario has them, and the findings it adds.

use super::{AuditInputs, Finding, RuleSpec, Severity, threshold_words};
use crate::scenario::AuditSpec;

/// A rule's function.
pub(super) type Check = fn(&AuditInputs<'_>, &mut Judge<'_>);

/// One rule, as this scenario sets it.
pub(super) struct Judge<'a> {
    rule: &'static RuleSpec,
    severity: Severity,
    /// Whether the scenario itself set the severity.
    set: bool,
    /// From where the rule speaks, in its unit; 0 where it has none.
    pub limit: f64,
    found: &'a mut Vec<Finding>,
}

impl<'a> Judge<'a> {
    /// The rule, ready to be asked; `None` if it is off.
    pub fn new(rule: &'static RuleSpec, settings: &AuditSpec, found: &'a mut Vec<Finding>) -> Option<Self> {
        let setting = settings.setting(rule.id);
        let severity = setting.severity.unwrap_or(rule.severity);
        let limit = settings.limit(rule.id);
        (!setting.off).then_some(Self { rule, severity, set: setting.severity.is_some(), limit, found })
    }

    /// Makes the findings no graver than this, unless the scenario set how grave they are.
    pub fn at_most(&mut self, severity: Severity) {
        if !self.set {
            self.severity = self.severity.min(severity);
        }
    }

    /// A finding.
    pub fn find(&mut self, target: Option<usize>, sentence: impl Into<String>, evidence: &[(&str, String)]) {
        self.found.push(Finding {
            id: self.rule.id.to_owned(),
            severity: self.severity,
            target,
            sentence: sentence.into(),
            evidence: evidence.iter().map(|(what, value)| ((*what).to_owned(), value.clone())).collect(),
            threshold: self.rule.threshold.map(|threshold| threshold_words(self.limit, threshold.unit)),
        });
    }
}

/// Standard normal quantile for two-sided 99 %: differences below this many standard errors may be chance. Stricter than
/// 95 %, since a run asks dozens of rules.
pub(super) const CHANCE: f64 = 2.576;

/// Whether two proportions, `a` of `n` and `b` of `m`, differ by more than chance: their difference against 2.576 standard
/// errors, with one success and one failure added to each (Agresti and Caffo, The American Statistician 54(4), 2000), so
/// that a handful of requests prove nothing.
pub(super) fn proportions_differ(a: f64, n: f64, b: f64, m: f64) -> bool {
    let (n, m) = (n + 2.0, m + 2.0);
    let (p, q) = ((a + 1.0) / n, (b + 1.0) / m);
    let error = (p * (1.0 - p) / n + q * (1.0 - q) / m).sqrt();
    (p - q).abs() > CHANCE * error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::audit::{Setting, rule};

    fn severity(settings: &AuditSpec, at_most: Severity) -> Option<Severity> {
        let mut found = Vec::new();
        let mut judge = Judge::new(rule("send-lag")?, settings, &mut found)?;
        judge.at_most(at_most);
        judge.find(Some(1), "x", &[("y", "z".to_owned())]);
        found.pop().map(|finding| finding.severity)
    }

    #[test]
    fn what_the_scenario_sets_is_not_softened() {
        let mut set = AuditSpec::default();
        assert_eq!(severity(&set, Severity::Warning), Some(Severity::Warning));
        assert_eq!(severity(&set, Severity::Invalid), Some(Severity::Invalid));
        set.set(rule("send-lag").unwrap(), Setting { severity: Some(Severity::Invalid), ..Setting::default() });
        assert_eq!(severity(&set, Severity::Note), Some(Severity::Invalid));
        set.set(rule("send-lag").unwrap(), Setting { off: true, ..Setting::default() });
        assert_eq!(severity(&set, Severity::Note), None);
    }

    #[test]
    fn a_finding_tells_the_limit_it_was_held_against() {
        let mut settings = AuditSpec::default();
        let limit = Setting { threshold: Some(5000.0), ..Setting::default() };
        settings.set(rule("send-lag").unwrap(), limit);
        let mut found = Vec::new();
        let mut judge = Judge::new(rule("send-lag").unwrap(), &settings, &mut found).unwrap();
        judge.find(None, "late", &[("lag", "6 ms".to_owned())]);
        let finding = &found[0];
        assert_eq!((finding.id.as_str(), finding.threshold.as_deref()), ("send-lag", Some("5.00 ms")));
        assert_eq!((finding.sentence.as_str(), finding.evidence_words().as_str()), ("late", "lag 6 ms"));
    }

    #[test]
    fn chance_is_told_from_a_difference() {
        // An error of 0.0356 at 200 each: 0.0916 is what chance may make, 0.0891 and 0.0990 are there.
        assert!(!proportions_differ(39.0, 200.0, 21.0, 200.0));
        assert!(proportions_differ(40.0, 200.0, 20.0, 200.0));
        assert!(proportions_differ(20.0, 200.0, 40.0, 200.0));
        assert!(!proportions_differ(0.0, 10.0, 0.0, 10.0));
        assert!(proportions_differ(10.0, 10.0, 0.0, 10.0));
        // All of two against none of many: two are too few.
        assert!(!proportions_differ(1.0, 2.0, 0.0, 200.0));
    }
}
