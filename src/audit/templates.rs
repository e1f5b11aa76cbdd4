//! Whether engines put like templates around the same prompts: by their own word, and by the tokens they count.

use super::gather::ComparedRequest;
use super::judge::{Check, Judge};
use super::{AuditInputs, Gathered};
use crate::metrics::human::percent;
use crate::scenario::{PromptCache, PromptFormat, Task};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const CHECKS: [(&str, Check); 1] = [(RULE, templates_differ)];

const RULE: &str = "templates-differ";

/// Fewest pairs of prompts that make a difference constant.
const PAIRS: u64 = 10;

/// And where every pair differs by the same, though the prompts themselves have several lengths.
const FEW_PAIRS: u64 = 4;

/// Lengths that few prompts must have: of prompts that are all alike, a tokeniser's difference is the same, too.
const LENGTHS: usize = 3;

/// Share of the pairs that have the same difference where a template makes it. A tokeniser's own differs from text to text.
const SAME: f64 = 0.9;

/// Characters of a template that a sentence shows of each of its ends.
const END: usize = 90;

const MAKE_EQUAL: &str = " To make them equal: `system:` in the scenario, `SYSTEM` or `TEMPLATE` in Ollama's Modelfile, \
                          `--chat-template` of llama-server, or `format: raw` (docs/fair-setup.md).";

const MAKE_RAW_EQUAL: &str = " To make them equal: `template: { from: ollama }` of the `gg_core` target, or a template by name \
                              (docs/fair-setup.md); or `format: raw`.";

/// How two targets' prompt tokens differ where they do so by the same number nearly always.
struct Constant {
    /// Tokens of the first above those of the second.
    more: i64,
    /// Pairs that differ by this, and all.
    same: u64,
    pairs: u64,
}

/// The difference of prompt tokens, request by request, where it is constant.
fn constant(side: &Gathered, reference: &Gathered, bust: bool) -> Option<Constant> {
    let (mut differences, mut lengths) = (BTreeMap::<i64, u64>::new(), BTreeSet::new());
    // Where one alone leaves out what a cache gave, a count is smaller for that.
    let mut cache_hidden = [false; 2];
    for (number, mine) in &side.asked {
        let Some(other) = reference.asked.get(number) else { continue };
        if let (Some(a), Some(b)) = (mine.prompt, other.prompt) {
            *differences.entry(i64::try_from(a).ok()?.saturating_sub(i64::try_from(b).ok()?)).or_default() += 1;
            lengths.insert(b);
            let hidden = |asked: &ComparedRequest| !asked.cache_told;
            cache_hidden = [cache_hidden[0] | hidden(mine), cache_hidden[1] | hidden(other)];
        }
    }
    let pairs: u64 = differences.values().sum();
    let (more, same) = differences.into_iter().max_by_key(|(_, count)| *count)?;
    let told_whole = bust || !cache_hidden[usize::from(more > 0)];
    let enough = match pairs {
        PAIRS.. => same as f64 >= SAME * pairs as f64,
        FEW_PAIRS.. => same == pairs && lengths.len() >= LENGTHS,
        _ => false,
    };
    (told_whole && enough).then_some(Constant { more, same, pairs })
}

/// How the prompts of two targets differ: by the tokens they count, and by what both say of their templates, the same or not.
struct Difference<'a> {
    counted: Option<Constant>,
    told: Option<(&'a str, &'a str)>,
    /// Whether one alone gets the prompt as it is.
    raw: bool,
}

impl<'a> Difference<'a> {
    /// Between a target and the reference, from so many tokens on; `None` where there is none.
    fn of(evidence: &AuditInputs<'a>, at: usize, limit: f64) -> Option<Self> {
        let plan = evidence.plan;
        let (target, reference) = (plan.targets.get(at)?, plan.targets.get(plan.reference)?);
        if at == plan.reference {
            return None;
        }
        let gathered = evidence.gathered.get(at).zip(evidence.gathered.get(plan.reference));
        let counted = gathered
            .and_then(|(a, b)| constant(a, b, plan.workload.prompt_cache == PromptCache::Bust))
            .filter(|constant| constant.more.unsigned_abs() as f64 >= limit);
        let told = target.facts.template.as_deref().zip(reference.facts.template.as_deref());
        let chat = plan.workload.format == PromptFormat::Chat && plan.task != Task::Embed;
        let raw = chat && target.spec.is_raw() != reference.spec.is_raw();
        let found = Self { counted, told, raw };
        (found.counted.is_some() || found.unlike().is_some() || found.only_raw()).then_some(found)
    }

    /// Whether one alone gets the prompt as it is, where not both tell what they make of it.
    fn only_raw(&self) -> bool {
        self.raw && self.told.is_none()
    }

    fn unlike(&self) -> Option<(&'a str, &'a str)> {
        self.told.filter(|(a, b)| a != b)
    }
}

/// Whether `templates-differ` speaks of a target, as the scenario sets the rule.
pub(super) fn speak(evidence: &AuditInputs<'_>, at: usize) -> bool {
    let audit = &evidence.plan.audit;
    !audit.setting(RULE).off && Difference::of(evidence, at, audit.limit(RULE)).is_some()
}

fn templates_differ(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let plan = evidence.plan;
    let Some(reference) = plan.targets.get(plan.reference) else { return };
    for (at, target) in plan.targets.iter().enumerate() {
        let Some(difference) = Difference::of(evidence, at, judge.limit) else { continue };
        let (Difference { counted, told, raw }, unlike) = (&difference, difference.unlike());
        let (name, other) = (target.label(), reference.label());
        let tokens = |n: u64| if n == 1 { "1 token".to_owned() } else { format!("{n} tokens") };
        let mut figures: Vec<(&str, String)> = Vec::new();
        let mut sentence = match counted {
            Some(Constant { more, same, pairs }) => {
                let (more, length) = (tokens(more.unsigned_abs()), if *more > 0 { "longer" } else { "shorter" });
                figures.push(("difference", format!("{more} in {same} of {pairs} pairs")));
                let share = percent(*same as f64 / *pairs as f64);
                format!("The prompts of {name} are {more} {length} than those of {other} ({share} of {pairs} pairs): ")
            }
            None => format!("{name} and {other} render the same prompt differently: "),
        };
        sentence.push_str(match (told.is_some(), unlike.is_some()) {
            _ if difference.only_raw() => "one gets it as it is, the other's engine applies its template.",
            (true, true) => "their templates differ.",
            (true, false) => "they render it identically, so special tokens or tokenisers differ.",
            (false, _) if plan.workload.format == PromptFormat::Raw => {
                "they are sent raw, so special tokens or tokenisers differ."
            }
            (false, _) => "their templates most likely differ (not every engine reports its own).",
        });
        if let Some((mine, other_template)) = unlike {
            let (mine, theirs) = (shown(mine), shown(other_template));
            sentence.push_str(&format!(" {name}: `{mine}`; {other}: `{theirs}`."));
            figures.extend([("template", mine), ("reference's template", theirs)]);
        }
        if plan.workload.format == PromptFormat::Chat {
            sentence.push_str(if *raw { MAKE_RAW_EQUAL } else { MAKE_EQUAL });
        }
        judge.find(Some(at), sentence, &figures);
    }
}

/// A template in one line: both ends of a long one, line breaks and what steers a terminal spelled out.
fn shown(template: &str) -> String {
    let line: Vec<char> =
        template.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect();
    if line.len() <= 2 * END {
        return line.into_iter().collect();
    }
    line[..END].iter().chain(&['…']).chain(&line[line.len() - END..]).collect()
}
