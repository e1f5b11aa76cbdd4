//! Bounds that are numbers, scaled by how fast this machine is beside the one that the baseline was made on.

use super::GateInputs;
use crate::host::Probe;
use crate::scenario::gate::{Definition, Kind};

/// How many times as long things take here as on the baseline's machine.
pub(super) struct Adapt {
    /// By the processor's measure, by the memory's; `None` where nothing is scaled.
    slower: Option<(f64, f64)>,
    why: &'static str,
}

/// What a metric depends on, as far as one word can say: prompts are worked through at the processor's pace, tokens come at
/// the pace at which the weights are read.
fn leans_on(metric: &str) -> (f64, f64) {
    match metric {
        "ttft"
        | "ttfat"
        | "ttft_first"
        | "ttft_later"
        | "response_ttft"
        | "server_prompt"
        | "time_prompt"
        | "prompt_tokens_per_s" => (1.0, 0.0),
        "prefill_tokens_per_s" | "server_prefill_per_s" => (1.0, 0.0),
        "cpu_per_request" | "cpu_per_1k_tokens" => (1.0, 0.0),
        "itl" | "tpot" | "itl_max" | "tokens_per_s" | "output_tokens_per_s" => (0.0, 1.0),
        "server_output" | "server_decode_per_s" | "decode_tokens_per_s" | "time_decode" => (0.0, 1.0),
        _ => (0.5, 0.5),
    }
}

impl Adapt {
    pub(super) fn new(evidence: &GateInputs<'_>) -> Self {
        let off = |why| Self { slower: None, why };
        if !evidence.plan.gates.adaptive {
            return off("");
        }
        let past = match evidence.past {
            Ok(past) => past,
            Err(why) => return off(why),
        };
        let (Some(then), Some(now)) = (past.probe, evidence.probe) else {
            return off("the baseline's machine was not probed (its scenario has no `adaptive`)");
        };
        let slower = |of: fn(&Probe) -> f64| of(then) / of(now);
        let (processor, memory) = (slower(|p| p.rounds_per_s), slower(|p| p.bytes_per_s));
        match [processor, memory].iter().all(|x| x.is_finite() && *x > 0.0) {
            true => Self { slower: Some((processor, memory)), why: "" },
            false => off("a probe has no values"),
        }
    }

    /// What a bound on a metric is multiplied by; `None` where it stands as it is written.
    pub(super) fn factor(&self, metric: &Definition) -> Option<f64> {
        let (processor, memory) = self.slower?;
        let (p, m) = leans_on(metric.id);
        let longer = processor.powf(p) * memory.powf(m);
        match metric.kind {
            Kind::Time => Some(longer),
            Kind::PerSecond => Some(1.0 / longer),
            Kind::Share | Kind::Bytes | Kind::Number => None,
        }
    }

    /// What was done, in a sentence.
    pub(super) fn words(&self) -> String {
        match self.slower {
            None => format!("Bounds are used as written: {}.", self.why),
            Some((processor, memory)) => format!(
                "Bounds on times and rates are scaled to this machine's speed: compared with the baseline's machine, \
                 its CPU takes {} times and its memory {} times as long. Gates that compare measured values are not \
                 scaled.",
                crate::metrics::human::ratio(processor),
                crate::metrics::human::ratio(memory)
            ),
        }
    }
}
