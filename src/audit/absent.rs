//! Whether a target was there all the time: gone in mid-run, its processes lost from sight, or asked by others, too.

use super::judge::{Check, Judge};
use super::{AuditInputs, AuditedTarget};
use crate::metrics::human::{percent, three};
use crate::record::{GONE, Nanos, Outcome, Phase, Sample};
use crate::scenario::plan::{Counted, LoadPlan};
use crate::stats::Window;

pub(super) const CHECKS: [(&str, Check); 4] = [
    ("target-gone", target_gone),
    ("processes-missed", processes_missed),
    ("engine-count", engine_count),
    ("engine-mean", engine_mean),
];

/// What is gathered of how a target was there.
#[derive(Clone, Debug, Default)]
pub(super) struct Presence {
    since: Option<Nanos>,
    /// The first stretch of refusals that was long enough: its begin and its end.
    gone: Option<(Nanos, Nanos)>,
    /// How it has been silent of late.
    silence: Silence,
    /// Requests after the first ones, which the engine may have counted: those with a whole answer, and those whose answer
    /// didn't reach us whole though the engine may have made it.
    answered: u64,
    perhaps: u64,
    /// Milliseconds that the answered ones took, in all.
    took_ms: f64,
}

/// Requests that got no answer within their time, one after another, from an engine that has sent nothing meanwhile.
#[derive(Clone, Copy, Debug, Default)]
struct Silence {
    /// The engine's last sign of life.
    heard: Nanos,
    /// Requests since then, and the end of the last one's time.
    requests: u64,
    until: Nanos,
}

impl Silence {
    /// Of a request's own time, how much must have been silent: another one's last piece may have come after it was sent.
    const SHARE: f64 = 0.9;

    fn push(&mut self, sample: &Sample) {
        let (Some(sent), Some(end)) = (sample.stamps.sent, sample.stamps.end) else { return };
        match sample.outcome {
            Outcome::Unsent | Outcome::Unfinished => {}
            Outcome::Timeout => {
                let last = sample.stamps.last_token.or(sample.stamps.first_byte).unwrap_or_default();
                self.heard = self.heard.max(last);
                let silent = end.since(self.heard).seconds() >= Self::SHARE * end.since(sent).seconds();
                self.requests = if silent { self.requests + 1 } else { 0 };
                self.until = end;
            }
            _ => *self = Self { heard: self.heard.max(end), ..Self::default() },
        }
    }

    /// Whether it lasted to the end of the run, and took everyone: `at_once` is how many wait for an answer at a time, as far
    /// as that is known. A single lost request leaves the others' answers.
    fn lasting(&self, at_once: u64, window: Option<Window>) -> bool {
        self.requests >= at_once
            && self.until.since(self.heard) >= GONE
            && window.is_none_or(|window| self.heard < window.to)
    }
}

impl Presence {
    pub(super) fn push(&mut self, sample: &Sample) {
        self.silence.push(sample);
        if sample.refused() {
            let begun = *self.since.get_or_insert(sample.stamps.planned);
            if let Some(end) = sample.stamps.end.filter(|end| end.since(begun) >= GONE) {
                self.gone = Some((begun, end.max(self.gone.map_or(end, |(_, end)| end))));
            }
        } else if !matches!(sample.outcome, Outcome::Unsent | Outcome::Unfinished) {
            self.since = None;
        }
        if sample.phase == Phase::Cold {
            return;
        }
        match sample.outcome {
            outcome if outcome.answered() => {
                self.answered += 1;
                self.took_ms += sample.latency().map_or(0.0, |latency| latency.seconds() * 1e3);
            }
            Outcome::Unsent | Outcome::Rejected => {}
            _ => self.perhaps += u64::from(sample.stamps.sent.is_some()),
        }
    }

    /// Their mean latency in milliseconds.
    fn mean_ms(&self) -> f64 {
        self.took_ms / self.answered as f64
    }
}

fn target_gone(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for side in evidence.sides() {
        let Some((from, to)) = side.gathered.presence.gone else {
            silent(evidence, side, judge);
            continue;
        };
        let [since, time] = stretch_words(from, to);
        let sentence = format!(
            "{} has accepted no connection since {since} into the run. After {time} no more requests were sent to it; \
             its figures cover the time before.",
            side.name()
        );
        judge.find(Some(side.at), sentence, &[("since", since), ("refused for", time)]);
    }
}

/// When a stretch began, and how long it was.
fn stretch_words(from: Nanos, to: Nanos) -> [String; 2] {
    [from, to.since(from)].map(|time| format!("{:.1} s", time.seconds()))
}

/// The finding of a target that is there, takes requests, and answers nobody any more.
fn silent(evidence: &AuditInputs<'_>, side: AuditedTarget<'_>, judge: &mut Judge<'_>) {
    let at_once = match &evidence.plan.load {
        LoadPlan::Closed(closed) => u64::from(closed.users),
        LoadPlan::Open(_) => 2,
    };
    let silence = side.gathered.presence.silence;
    if !silence.lasting(at_once, side.summary.window) {
        return;
    }
    let [since, time] = stretch_words(silence.heard, silence.until);
    let requests = silence.requests;
    let (s, were) = if requests == 1 { ("", "was") } else { ("s", "were") };
    let sentence = format!(
        "{} has answered nothing since {since} into the run: {requests} request{s} {were} waited for until the timeout. Its \
         figures cover a time in which it hung.",
        side.name()
    );
    let evidence = [("since", since), ("silent for", time), ("requests", requests.to_string())];
    judge.find(Some(side.at), sentence, &evidence);
}

fn processes_missed(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    let used = evidence.conditions.map(|conditions| conditions.targets.as_slice()).unwrap_or_default();
    for side in evidence.sides() {
        let Some(used) = used.get(side.at).filter(|used| used.cpu_s.is_some()) else { continue };
        let window = side.summary.window.map_or(0.0, |window| window.seconds());
        if window > 0.0 && used.missed_s > judge.limit * window {
            let share = percent(used.missed_s / window);
            let sentence = format!(
                "{}: its processes were gone for {} s of {} s ({share}), as when an engine is restarted. Its CPU \
                 figures cover only the rest and are too low.",
                side.name(),
                three(used.missed_s),
                three(window)
            );
            judge.find(Some(side.at), sentence, &[("missed", format!("{} s", three(used.missed_s))), ("share", share)]);
        }
    }
}

/// What an engine says that it counted, with the target that it is.
fn counts<'a>(evidence: &AuditInputs<'a>) -> impl Iterator<Item = (AuditedTarget<'a>, Counted)> + use<'a> {
    let plan = evidence.plan;
    evidence.sides().filter_map(move |side| Some((side, plan.targets.get(side.at)?.facts.counted?)))
}

fn engine_count(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, counted) in counts(evidence) {
        let (least, most) =
            (side.gathered.presence.answered, side.gathered.presence.answered + side.gathered.presence.perhaps);
        if (least..=most).contains(&counted.requests) {
            continue;
        }
        let how = if counted.requests > most {
            "someone else sends it requests, too"
        } else {
            "the answers came from elsewhere, or it was restarted"
        };
        let sentence = format!(
            "{} reports {} answered requests in this time, loadcmp received {least} answers from it: {how}.",
            side.name(),
            counted.requests
        );
        judge.find(
            Some(side.at),
            sentence,
            &[("by the engine", counted.requests.to_string()), ("answers", least.to_string())],
        );
    }
}

fn engine_mean(evidence: &AuditInputs<'_>, judge: &mut Judge<'_>) {
    for (side, counted) in counts(evidence) {
        let presence = &side.gathered.presence;
        if presence.answered == 0 || counted.requests != presence.answered {
            continue;
        }
        let (engine, client) = (counted.mean_ms, presence.mean_ms());
        // A millisecond is what a clock of whole ones may add.
        if engine > client * (1.0 + judge.limit) + 1.0 {
            let sentence = format!(
                "{} reports a mean of {} ms per answer, loadcmp's clock {} ms: one of the two clocks is wrong.",
                side.name(),
                three(engine),
                three(client)
            );
            let figures =
                [("by the engine", format!("{} ms", three(engine))), ("by loadcmp", format!("{} ms", three(client)))];
            judge.find(Some(side.at), sentence, &figures);
        }
    }
}
