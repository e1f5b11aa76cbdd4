//! What is written for a rule: `off`, a severity, a threshold, or both of these (`note 40%`).

use super::{RULES, RuleSpec, Severity, Unit, rule};
use crate::scenario::{Share, Span};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Serialize};

/// What the scenario says of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Setting {
    /// Whether the rule is not asked at all.
    pub off: bool,
    /// How grave its findings are; `None` leaves it as it is.
    pub severity: Option<Severity>,
    /// From where it speaks, in its unit (a fraction, microseconds, a number); `None` leaves it as it is.
    pub threshold: Option<f64>,
}

impl Setting {
    /// Reads what was written for a rule whose threshold has this unit; `None` for anything else.
    pub fn parse(text: &str, unit: Option<Unit>) -> Option<Self> {
        if text == "off" {
            return Some(Self { off: true, ..Self::default() });
        }
        let (first, rest) = text.split_once(' ').map_or((text, None), |(first, rest)| (first, Some(rest)));
        match (Severity::parse(first), rest) {
            (Some(severity), None) => Some(Self { severity: Some(severity), ..Self::default() }),
            (Some(severity), Some(rest)) => {
                Some(Self { severity: Some(severity), threshold: Some(amount(rest, unit?)?), off: false })
            }
            (None, _) => Some(Self { threshold: Some(amount(text, unit?)?), ..Self::default() }),
        }
    }

    /// As it is written; what [`Setting::parse`] reads.
    fn text(self, unit: Option<Unit>) -> String {
        if self.off {
            return "off".to_owned();
        }
        let severity = self.severity.map(|severity| severity.as_str().to_owned());
        let threshold = self.threshold.zip(unit).map(|(value, unit)| written(value, unit));
        severity.into_iter().chain(threshold).collect::<Vec<_>>().join(" ")
    }
}

/// A threshold as it is written in a scenario: `20%`, `1ms`, `20`.
pub(super) fn written(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => Share(value).to_string(),
        Unit::Time => Span(std::time::Duration::from_nanos((value * 1e3).round() as u64)).to_string(),
        Unit::Number(_) => value.to_string(),
    }
}

fn amount(text: &str, unit: Unit) -> Option<f64> {
    match unit {
        Unit::Share => Share::parse(text).map(|share| share.0),
        Unit::Time => Span::parse(text).map(|span| span.0.as_secs_f64() * 1e6),
        Unit::Number(_) => {
            let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.len() < 16;
            text.parse().ok().filter(|_| plain)
        }
    }
}

/// How the rules of the audit are set: by id, `off`, a severity (`note`, `warning`, `invalid`), a threshold in
/// the rule's unit (`20%`, `1ms`, `20`), or both (`note 40%`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditSpec(IndexMap<&'static str, Setting>);

impl AuditSpec {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is set for a rule.
    pub fn setting(&self, id: &str) -> Setting {
        self.0.get(id).copied().unwrap_or_default()
    }

    /// Sets a rule.
    pub fn set(&mut self, rule: &'static RuleSpec, setting: Setting) {
        self.0.insert(rule.id, setting);
    }

    /// From where a rule speaks: what is set, else its default; 0 for a rule without a threshold.
    pub fn limit(&self, id: &str) -> f64 {
        let default = || Some(rule(id)?.threshold?.default);
        self.setting(id).threshold.or_else(default).unwrap_or(0.0)
    }
}

fn unit(rule: &RuleSpec) -> Option<Unit> {
    rule.threshold.map(|threshold| threshold.unit)
}

impl Serialize for AuditSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, setting)| (id, setting.text(rule(id).and_then(unit)))))
    }
}

impl<'de> Deserialize<'de> for AuditSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Self::default();
        for (id, value) in IndexMap::<String, serde_json::Value>::deserialize(deserializer)? {
            let rule = rule(&id).ok_or_else(|| D::Error::custom(format!("unknown rule `{id}`")))?;
            let text = match value {
                serde_json::Value::String(text) => text,
                number => number.to_string(),
            };
            let wrong = || D::Error::custom(format!("`{id}` can't be set to `{text}`"));
            all.set(rule, Setting::parse(&text, unit(rule)).ok_or_else(wrong)?);
        }
        Ok(all)
    }
}

/// A pattern, what matches it, and what it asks for.
type Written = (&'static str, fn(&str) -> bool, &'static str);

/// What may be written, by unit: the schema's patterns, and what [`Setting::parse`] takes.
pub(in crate::scenario) const PATTERNS: [Written; 4] = [
    (
        r"^(off|note|warning|doubt|invalid)$",
        |text| Setting::parse(text, None).is_some(),
        "off, note, warning or invalid",
    ),
    (
        r"^(off|((note|warning|doubt|invalid) )?[0-9]+(\.[0-9]+)?%|note|warning|doubt|invalid)$",
        |text| Setting::parse(text, Some(Unit::Share)).is_some(),
        "a share such as 20%, a severity (note, warning, invalid), both (note 20%), or off",
    ),
    (
        r"^(off|((note|warning|doubt|invalid) )?(0|[0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))|note|warning|doubt|invalid)$",
        |text| Setting::parse(text, Some(Unit::Time)).is_some(),
        "a duration such as 5ms, a severity (note, warning, invalid), both (note 5ms), or off",
    ),
    (
        r"^(off|((note|warning|doubt|invalid) )?[0-9]+(\.[0-9]+)?|note|warning|doubt|invalid)$",
        |text| Setting::parse(text, Some(Unit::Number(""))).is_some(),
        "a number, a severity (note, warning, invalid), both (note 20), or off",
    ),
];

impl JsonSchema for AuditSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditSpec".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let field = |rule: &RuleSpec| {
            let default = rule.threshold.map(|t| format!(" {}", written(t.default, t.unit))).unwrap_or_default();
            let about = format!("{}. Default: {}{default}", rule.about, rule.severity.as_str());
            let [(plain, ..), (share, ..), (time, ..), (number, ..)] = PATTERNS;
            match unit(rule) {
                None => serde_json::json!({ "description": about, "type": "string", "pattern": plain }),
                Some(Unit::Share) => serde_json::json!({ "description": about, "type": "string", "pattern": share }),
                Some(Unit::Time) => serde_json::json!({ "description": about, "type": "string", "pattern": time }),
                Some(Unit::Number(_)) => serde_json::json!({
                    "description": about, "type": ["string", "number"], "pattern": number, "minimum": 0
                }),
            }
        };
        let fields: serde_json::Map<String, serde_json::Value> =
            RULES.iter().map(|rule| (rule.id.to_owned(), field(rule))).collect();
        schemars::json_schema!({
            "title": "`audit`",
            "description": "Settings of the audit rules, by id: off, a severity, a threshold, or both",
            "type": "object",
            "properties": fields,
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: Unit) -> Option<Setting> {
        Setting::parse(text, Some(unit))
    }

    #[test]
    fn what_is_written_is_read_in_the_rules_unit() {
        let limit = |threshold| Some(Setting { threshold: Some(threshold), ..Setting::default() });
        assert_eq!(read("20%", Unit::Share), limit(0.2));
        assert_eq!(read("1.5ms", Unit::Time), limit(1500.0));
        assert_eq!(read("0.5", Unit::Number("x")), limit(0.5));
        let both = Setting { severity: Some(Severity::Note), threshold: Some(0.4), off: false };
        assert_eq!(read("note 40%", Unit::Share), Some(both));
        let severity = Setting { severity: Some(Severity::Invalid), ..Setting::default() };
        assert_eq!(Setting::parse("invalid", None), Some(severity));
        assert_eq!(Setting::parse("off", None), Some(Setting { off: true, ..Setting::default() }));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in ["", "20", "1ms", "no", "note  20%", "20% note", "off 20%", "note off", "-5%", "Note"] {
            assert_eq!(read(text, Unit::Share), None, "{text}");
        }
        for text in ["-1", "1e9", "inf", "nan", "1.2.3", "+1"] {
            assert_eq!(read(text, Unit::Number("x")), None, "{text}");
        }
        assert_eq!(Setting::parse("note 20%", None), None);
        assert_eq!(Setting::parse("20%", None), None);
    }

    #[test]
    fn settings_survive_a_manifest() {
        let text =
            r#"{"unequal-output":"note 40%","send-lag":"off","few-samples":"5","thinking":"invalid","cold-load":"2s"}"#;
        let spec: AuditSpec = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
        assert_eq!((spec.limit("unequal-output"), spec.limit("cold-load"), spec.limit("few-samples")), (0.4, 2e6, 5.0));
        assert!(spec.setting("send-lag").off && !spec.is_empty() && AuditSpec::default().is_empty());
        // What isn't set has its default; a rule without a threshold has none.
        assert_eq!((spec.limit("error-rate"), spec.limit("thinking"), spec.limit("nope")), (0.01, 0.0, 0.0));
        assert_eq!(serde_json::from_str::<AuditSpec>(r#"{"few-samples":7}"#).unwrap().limit("few-samples"), 7.0);
        let former: AuditSpec = serde_json::from_str(r#"{"unlike-cores":"note 2"}"#).unwrap();
        assert_eq!(serde_json::to_string(&former).unwrap(), r#"{"different-cores":"note 2"}"#);
        for wrong in [r#"{"nope":"off"}"#, r#"{"thinking":"5%"}"#, r#"{"error-rate":3}"#] {
            assert!(serde_json::from_str::<AuditSpec>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_default_is_written_as_it_is_read() {
        for rule in &RULES {
            if let Some(threshold) = rule.threshold {
                let text = written(threshold.default, threshold.unit);
                let back = Setting::parse(&text, Some(threshold.unit)).and_then(|setting| setting.threshold);
                assert!(back.is_some_and(|back| (back - threshold.default).abs() < 1e-9), "{}: {text}", rule.id);
            }
        }
    }
}
