//! What the work cost each engine: what its processes used and held, by the requests and tokens that came of it.
//!
//! The processes are those that listen at the target's endpoint with all that they started, on this machine; of others
//! nothing is known, and nothing is told.

use crate::host::Used;
use crate::metrics;
use crate::scenario::plan::TargetPlan;
use crate::stats::{Row, TargetSummary};

/// Least processor time that is divided by anything, in seconds: the kernel tells it in ticks of 10 ms, cut off in user and
/// kernel mode each, so that of less than ten ticks it may be a third off.
const LEAST_CPU_S: f64 = 0.1;

const GIB: f64 = (1_u64 << 30) as f64;

/// What is known of the model that a target serves, by which its memory is split.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loaded {
    /// Size of the model's file.
    pub model_bytes: Option<u64>,
    /// What the keys and values of the whole context take.
    pub context_bytes: Option<u64>,
    /// Whether the engine keeps states of earlier prompts in memory beside its context.
    pub keeps_prompts: bool,
}

impl Loaded {
    /// Of a target.
    pub fn of(target: &TargetPlan) -> Self {
        let facts = &target.facts;
        let keeps_prompts = target.host_prompt_cache().is_some();
        Self { model_bytes: facts.size_bytes, context_bytes: facts.context_bytes(), keeps_prompts }
    }
}

/// The rows of one target's costs; those that can't be told are left out.
///
/// - `cpu_cores`: processor time while measured / the measured time. Less than a tenth of a second isn't told: the kernel
///   counts in hundredths.
/// - `cpu_per_request`, `cpu_per_1k_tokens` (microseconds): the same time / the answers that were worked on in the window,
///   each by its part inside; / the output tokens that arrived in it, times a thousand.
/// - `memory_rest`, `memory_peak`, and of that peak `memory_anonymous` and `memory_file` (bytes); `threads`.
/// - `memory_share_rest`, `memory_share` (bytes): the same by proportional share, of pages that several processes hold each
///   its part; the most of few readings.
/// - `minor_faults_per_request`, `major_faults_per_request`, `voluntary_switches_per_request`,
///   `involuntary_switches_per_request`, `disk_read_per_request` (bytes): what was counted in the window / those answers.
/// - `gpu_memory` (bytes): at most, of all devices together.
/// - `energy_cpu`, `energy_gpu`: joules of the processor packages, of the graphics devices, in the window; only of a target
///   that worked alone. `joules_per_request`, `joules_per_token`: what is known of the two / answers; / their output tokens.
/// - `memory_weights` (bytes): the size of the model file.
/// - `memory_context` (bytes): the KV cache of the whole context, by the model's shape.
/// - `memory_prompts` (bytes): what memory grew by from the beginning of the measured time to its peak, of an engine that is
///   known to keep states of earlier prompts. What it kept before that is not in it.
/// - `memory_ratio`: peak / size of the model file. `memory_ratio_loaded`: the same without `memory_prompts`: weights,
///   context, program and buffers.
/// - `tokens_per_s_per_gib`: output tokens a second / GiB of the peak.
pub(super) fn rows(target: &TargetSummary, used: &Used, loaded: &Loaded) -> Vec<Row> {
    let cpu_s = used.cpu_s.filter(|seconds| *seconds >= LEAST_CPU_S);
    let seconds = target.value("window").map(|us| us / 1e6).filter(|seconds| *seconds > 0.0);
    let n = target.row("requests_per_s").and_then(|row| row.n).unwrap_or(0);
    let answers = Some(target.work.answers).filter(|answers| *answers > 0.0);
    let rate = target.value("output_tokens_per_s");
    let tokens = rate.map(|_| target.work.output_tokens);
    let each = |of: Option<f64>| cpu_s.zip(of.filter(|of| *of > 0.0)).map(|(cpu, of)| cpu * 1e6 / of);
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    let peak = bytes(used.peak_bytes).filter(|peak| *peak > 0.0);
    let ratio =
        |of: Option<f64>| of.zip(bytes(loaded.model_bytes).filter(|size| *size > 0.0)).map(|(of, size)| of / size);
    let begin = bytes(used.begin_bytes).filter(|_| loaded.keeps_prompts);
    let prompts = peak.zip(begin).map(|(peak, begin)| (peak - begin).max(0.0));
    let a_request = |of: Option<u64>| bytes(of).zip(answers).map(|(of, answers)| of / answers);
    let energy = match (used.energy_j, used.gpu_energy_j) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    let told = [
        (&metrics::CPU_CORES, cpu_s.zip(seconds).map(|(cpu, seconds)| cpu / seconds)),
        (&metrics::CPU_PER_REQUEST, each(answers)),
        (&metrics::CPU_PER_1K_TOKENS, each(tokens.map(|tokens| tokens / 1000.0))),
        (&metrics::MEMORY_REST, bytes(used.rest_bytes)),
        (&metrics::MEMORY_PEAK, peak),
        (&metrics::MEMORY_ANONYMOUS, bytes(used.peak_anonymous_bytes)),
        (&metrics::MEMORY_FILE, bytes(used.peak_file_bytes)),
        (&metrics::MEMORY_WEIGHTS, bytes(loaded.model_bytes.filter(|size| *size > 0 && peak.is_some()))),
        (&metrics::MEMORY_CONTEXT, bytes(loaded.context_bytes.filter(|_| peak.is_some()))),
        (&metrics::MEMORY_PROMPTS, prompts),
        (&metrics::MEMORY_RATIO, ratio(peak)),
        (&metrics::MEMORY_RATIO_LOADED, ratio(peak.map(|peak| peak - prompts.unwrap_or(0.0)))),
        (&metrics::TOKENS_PER_S_PER_GIB, rate.zip(peak).map(|(rate, peak)| rate / (peak / GIB))),
        (&metrics::THREADS, bytes(used.threads)),
        (&metrics::MEMORY_SHARE_REST, bytes(used.rest_proportional_bytes)),
        (&metrics::MEMORY_SHARE, bytes(used.peak_proportional_bytes)),
        (&metrics::MINOR_FAULTS_PER_REQUEST, a_request(used.minor_faults)),
        (&metrics::MAJOR_FAULTS_PER_REQUEST, a_request(used.major_faults)),
        (&metrics::DISK_READ_PER_REQUEST, a_request(used.disk_read_bytes)),
        (&metrics::VOLUNTARY_SWITCHES_PER_REQUEST, a_request(used.voluntary_switches)),
        (&metrics::INVOLUNTARY_SWITCHES_PER_REQUEST, a_request(used.involuntary_switches)),
        (&metrics::GPU_MEMORY, bytes(used.gpu_peak_bytes)),
        (&metrics::ENERGY_CPU, used.energy_j),
        (&metrics::ENERGY_GPU, used.gpu_energy_j),
        (&metrics::JOULES_PER_REQUEST, energy.zip(answers).map(|(joules, answers)| joules / answers)),
        (
            &metrics::JOULES_PER_TOKEN,
            energy.zip(tokens.filter(|tokens| *tokens > 0.0)).map(|(joules, tokens)| joules / tokens),
        ),
    ];
    let mut rows: Vec<Row> =
        told.into_iter().filter_map(|(metric, value)| Some(Row::total(metric, n, Some(value?)))).collect();
    // As sure as the rate that it is made of.
    let ends = target.row("output_tokens_per_s").and_then(|rate| rate.low.zip(rate.high)).zip(peak);
    if let (Some(row), Some(((low, high), peak))) =
        (rows.iter_mut().find(|row| row.metric == "tokens_per_s_per_gib"), ends)
    {
        (row.low, row.high) = (Some(low / (peak / GIB)), Some(high / (peak / GIB)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Work;

    fn target(tokens_per_s: Option<f64>) -> TargetSummary {
        TargetSummary {
            name: "a".to_owned(),
            stand_in: false,
            window: None,
            steady: None,
            drift: None,
            units: Vec::new(),
            work: Work {
                answers: 200.0,
                good: 0.0,
                output_tokens: tokens_per_s.unwrap_or(0.0) * 10.0,
                prompt_tokens: 0.0,
            },
            rows: vec![
                Row::total(&metrics::REQUESTS_PER_S, 200, Some(20.0)),
                Row::total(&metrics::OUTPUT_TOKENS_PER_S, 200, tokens_per_s),
                Row::total(&metrics::WINDOW, 200, Some(10e6)),
            ],
            outcomes: Vec::new(),
            failures: Vec::new(),
            confusion: None,
        }
    }

    fn told(target: &TargetSummary, used: &Used, model: Option<u64>) -> Vec<(String, f64)> {
        split(target, used, Loaded { model_bytes: model, ..Loaded::default() })
    }

    fn split(target: &TargetSummary, used: &Used, loaded: Loaded) -> Vec<(String, f64)> {
        rows(target, used, &loaded).into_iter().filter_map(|row| Some((row.metric, row.mean?))).collect()
    }

    #[test]
    fn memory_is_split_into_weights_context_and_what_is_kept_of_prompts() {
        let mib = 1_u64 << 20;
        let used = Used { peak_bytes: Some(900 * mib), begin_bytes: Some(400 * mib), ..Used::default() };
        let loaded = Loaded { model_bytes: Some(100 * mib), context_bytes: Some(180 * mib), keeps_prompts: true };
        let names = ["memory_weights", "memory_context", "memory_prompts", "memory_ratio", "memory_ratio_loaded"];
        let value = |loaded: Loaded| {
            let all = split(&target(None), &used, loaded);
            names.map(|name| all.iter().find(|(told, _)| told == name).map(|(_, value)| *value))
        };
        let [weights, context, prompts] = [100, 180, 500].map(|n| Some((n * mib) as f64));
        assert_eq!(value(loaded), [weights, context, prompts, Some(9.0), Some(4.0)]);
        // An engine that keeps none: what it grows by is its own, and both ratios are one.
        let keeps_none = Loaded { keeps_prompts: false, ..loaded };
        assert_eq!(value(keeps_none), [weights, context, None, Some(9.0), Some(9.0)]);
        assert_eq!(value(Loaded::default()), [None; 5]);
    }

    #[test]
    fn costs_are_by_what_came_of_them() {
        let used = Used {
            cpu_s: Some(5.0),
            rest_bytes: Some(1 << 28),
            peak_bytes: Some(1 << 30),
            peak_anonymous_bytes: Some(3 << 28),
            peak_file_bytes: Some(1 << 28),
            threads: Some(9),
            rest_proportional_bytes: Some(1 << 27),
            peak_proportional_bytes: Some(1 << 29),
            minor_faults: Some(1000),
            major_faults: Some(0),
            disk_read_bytes: Some(819_200),
            voluntary_switches: Some(400),
            involuntary_switches: Some(20),
            gpu_peak_bytes: Some(1 << 20),
            energy_j: Some(100.0),
            gpu_energy_j: Some(300.0),
            ..Used::default()
        };
        let all = told(&target(Some(400.0)), &used, Some(1 << 29));
        let value = |metric: &str| all.iter().find(|(name, _)| name == metric).unwrap().1;
        // 5 s of processors for 200 answers of 4,000 tokens in 10 s.
        assert_eq!(
            (value("cpu_cores"), value("cpu_per_request"), value("cpu_per_1k_tokens")),
            (0.5, 25_000.0, 1_250_000.0)
        );
        assert_eq!((value("memory_peak"), value("memory_rest")), (GIB, GIB / 4.0));
        assert_eq!((value("memory_anonymous"), value("memory_file"), value("threads")), (GIB * 0.75, GIB / 4.0, 9.0));
        assert_eq!((value("memory_ratio"), value("tokens_per_s_per_gib")), (2.0, 400.0));
        assert_eq!(
            (value("memory_share"), value("memory_share_rest"), value("gpu_memory")),
            (GIB / 2.0, GIB / 8.0, 1048576.0)
        );
        assert_eq!((value("minor_faults_per_request"), value("major_faults_per_request")), (5.0, 0.0));
        assert_eq!((value("voluntary_switches_per_request"), value("involuntary_switches_per_request")), (2.0, 0.1));
        assert_eq!((value("disk_read_per_request"), value("energy_cpu"), value("energy_gpu")), (4096.0, 100.0, 300.0));
        assert_eq!((value("joules_per_request"), value("joules_per_token")), (2.0, 0.1));
        let alone = told(&target(Some(400.0)), &Used { gpu_energy_j: None, ..used }, None);
        assert_eq!(alone.iter().find(|(name, _)| name == "joules_per_request").map(|(_, joules)| *joules), Some(0.5));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(told(&target(Some(400.0)), &Used::default(), Some(1)), []);
        let names = |all: Vec<(String, f64)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let cpu = Used { cpu_s: Some(1.0), ..Used::default() };
        assert_eq!(names(told(&target(None), &cpu, None)), ["cpu_cores", "cpu_per_request"]);
        let ticks = Used { cpu_s: Some(0.099), ..Used::default() };
        assert_eq!(told(&target(Some(400.0)), &ticks, None), []);
        let mut nothing = target(None);
        nothing.rows.clear();
        nothing.work = Work::default();
        assert_eq!(told(&nothing, &cpu, None), []);
        let memory = Used { peak_bytes: Some(8), ..Used::default() };
        assert_eq!(names(told(&nothing, &memory, Some(0))), ["memory_peak"]);
    }
}
