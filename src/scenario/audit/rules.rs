//! The table.

use super::Severity::{self, Invalid, Note, Warning};
use super::{RuleSpec, Threshold, Unit};

const fn plain(id: &'static str, severity: Severity, about: &'static str) -> RuleSpec {
    RuleSpec { id, severity, threshold: None, about, of_sides: false }
}

const fn share(id: &'static str, severity: Severity, default: f64, about: &'static str) -> RuleSpec {
    RuleSpec { id, severity, threshold: Some(Threshold { unit: Unit::Share, default }), about, of_sides: false }
}

/// `default` in microseconds.
const fn time(id: &'static str, severity: Severity, default: f64, about: &'static str) -> RuleSpec {
    RuleSpec { id, severity, threshold: Some(Threshold { unit: Unit::Time, default }), about, of_sides: false }
}

const fn number(id: &'static str, severity: Severity, default: f64, of: &'static str, about: &'static str) -> RuleSpec {
    RuleSpec { id, severity, threshold: Some(Threshold { unit: Unit::Number(of), default }), about, of_sides: false }
}

/// A rule that speaks of how unlike the sides are: what each of them did on its own stands.
const fn of_sides(rule: RuleSpec) -> RuleSpec {
    RuleSpec { of_sides: true, ..rule }
}

/// The families of [`RULES`], in their order: the first rule of each, and what they are about.
const GROUPS: [(&str, &str); 9] = [
    ("interrupted", "The work that was done"),
    ("zero-tokens", "The answers"),
    ("stand-in", "Models and settings"),
    ("unequal-prompts", "Prompts, caches and loads"),
    ("send-lag", "The load generator"),
    ("same-host", "The machine"),
    ("equal-samples", "The shape of the measurements"),
    ("long-answers", "Long answers and short windows"),
    ("few-samples", "Number of samples"),
];

/// The rules by family: what it is about, and its rules.
pub fn rule_groups() -> Vec<(&'static str, &'static [RuleSpec])> {
    static ALL: &[RuleSpec] = &RULES;
    let mut groups = Vec::with_capacity(GROUPS.len());
    let mut rest = ALL;
    for (at, (_, about)) in GROUPS.iter().enumerate() {
        let next = GROUPS.get(at + 1).and_then(|(first, _)| rest.iter().position(|rule| rule.id == *first));
        let (own, others) = rest.split_at(next.unwrap_or(rest.len()));
        groups.push((*about, own));
        rest = others;
    }
    groups
}

/// Every rule, by family.
pub const RULES: [RuleSpec; 99] = [
    // The work that was done.
    plain("interrupted", Invalid, "the run was stopped before its end"),
    plain("shard-lost", Invalid, "one of several generators was lost, or ended the run for all before its end"),
    number("no-answers", Invalid, 2.0, "answers", "a target has fewer answers than this: too few to measure anything"),
    plain("first-requests", Note, "first requests to a target, before any load, failed and were sent again"),
    of_sides(share(
        "unequal-requests",
        Invalid,
        0.01,
        "with a fixed number of requests, the targets completed different numbers of them, by more than one (not \
         judged in a closed loop by duration: there it is throughput)",
    )),
    of_sides(plain("different-requests", Invalid, "requests with the same number differ between targets")),
    share("planned-requests", Warning, 0.0, "fewer requests were started than planned"),
    share("error-rate", Warning, 0.01, "requests without a complete answer: times are from the others"),
    of_sides(share(
        "one-sided-failures",
        Warning,
        0.01,
        "a target failed more often than the reference, by more than chance",
    )),
    share(
        "retries",
        Note,
        0.0,
        "requests were sent again, because a kept-alive connection was dead when they were written",
    ),
    share(
        "reconnects",
        Warning,
        0.01,
        "three or more measured requests needed a new connection, because the engine closed the kept-alive one (a note \
         where loadcmp chose to keep none)",
    ),
    plain(
        "target-gone",
        Invalid,
        "a target accepted no connection for ten seconds (no more requests were sent to it, the others went on), or \
         answered none of its users from some moment to the end",
    ),
    share(
        "processes-missed",
        Warning,
        0.02,
        "a target's processes were gone for this share of its window and then found again: its CPU figures cover only \
         the rest",
    ),
    plain(
        "engine-count",
        Warning,
        "an engine counted a different number of requests than loadcmp received answers: others use it, too, or the \
         answers came from elsewhere",
    ),
    share(
        "engine-mean",
        Warning,
        0.05,
        "an engine's own mean latency is longer than the client's: one of the two clocks is wrong",
    ),
    // The answers.
    share("zero-tokens", Invalid, 0.01, "generated answers report 0 tokens"),
    share(
        "missing-tokens",
        Warning,
        0.0,
        "generated answers have no token count: token rates are neither reported nor compared",
    ),
    share("empty-answers", Warning, 0.01, "answers are empty: no text, no vector"),
    of_sides(share(
        "unequal-output",
        Warning,
        0.2,
        "answers of a target are longer or shorter than the reference's, in mean tokens, by more than one token and by \
         more than chance",
    )),
    of_sides(share(
        "output-lengths",
        Warning,
        0.2,
        "answer lengths in tokens are distributed differently by this much (Kolmogorov-Smirnov distance), by more than \
         one token and by more than chance",
    )),
    share("one-token-answers", Warning, 0.05, "generated answers of a single token, which has no rate"),
    of_sides(share(
        "finish-reasons",
        Warning,
        0.2,
        "answers ended for different reasons (limit reached, end of text), by more than chance",
    )),
    share(
        "claimed-limit",
        Warning,
        0.2,
        "answers that ended by themselves report exactly the token limit, as if it had been reported instead of the \
         count",
    ),
    number("tokens-per-chunk", Warning, 4.0, "tokens", "a stream reports more than this many tokens per piece of text"),
    share(
        "same-answers",
        Warning,
        0.1,
        "different prompts got the same answers: fewer distinct ones than this share of the prompts",
    ),
    of_sides(plain(
        "thinking",
        Warning,
        "one target's model reasons before it answers, by its settings or its answers, and another's doesn't",
    )),
    share(
        "no-stream",
        Warning,
        0.01,
        "answers came whole where streams were asked for, so they have no first-token times",
    ),
    share("no-end-mark", Note, 0.0, "streams ended with a finish reason, but without the end mark (`[DONE]`)"),
    share("bad-counts", Warning, 0.0, "answers hold a count or a time that can't be read: it is left blank"),
    share("bad-text", Note, 0.0, "answers hold invalid UTF-8 or half a character: replaced by U+FFFD"),
    share("open-thoughts", Warning, 0.0, "answers start reasoning and never finish it: the answer itself is missing"),
    share(
        "schema-not-kept",
        Warning,
        0.0,
        "answers don't match the schema that was sent: no JSON, no label of the list, or cut at the token limit",
    ),
    share(
        "unparsed-labels",
        Warning,
        0.5,
        "answers hold no readable label: accuracy and agreement are from the others, if any",
    ),
    plain(
        "no-better-than-commonest",
        Warning,
        "no target is right more often than by always giving the commonest label (with 10 or more answers)",
    ),
    share("bad-vectors", Warning, 0.0, "embeddings are unusable: empty, all zeros, or with non-finite numbers"),
    plain("vector-lengths", Warning, "embeddings vary in length, or differ in length from the reference's"),
    plain("undefined-cosines", Warning, "pairs of embeddings have no cosine: the reported cosine leaves them out"),
    // Models and settings.
    plain("stand-in", Warning, "a stand-in took the place of a real engine (a note where all targets are stand-ins)"),
    of_sides(plain("quantisation", Warning, "engines report models of different quantisation")),
    of_sides(share("parameters", Warning, 0.1, "engines report models of different sizes")),
    of_sides(share(
        "model-size",
        Warning,
        0.1,
        "the model files differ in size, and not every engine reports its number of parameters",
    )),
    of_sides(plain("context-length", Note, "engines report different context lengths")),
    of_sides(plain(
        "slots",
        Warning,
        "engines serve different numbers of requests at once (a note where all serve as many as the load has in flight)",
    )),
    of_sides(plain("threads", Warning, "engines use different numbers of threads (a note where one uses its default)")),
    of_sides(plain("batch", Note, "engines process prompts in different batch sizes")),
    of_sides(plain(
        "flash-attention",
        Warning,
        "engines have different flash attention settings (a note where one is `auto`)",
    )),
    of_sides(plain("kv-cache-type", Warning, "engines use different KV cache types")),
    of_sides(plain(
        "drafting",
        Warning,
        "one side uses speculative decoding, by its answers or its settings, and another doesn't",
    )),
    plain(
        "own-sampling",
        Warning,
        "a target's own `options` or `extra` change the sampling or length that the scenario sets for all (a note \
         where fields are only left out)",
    ),
    plain("cannot-honour", Note, "a target can't do part of what the scenario asks: sampling, template, schema"),
    plain("own-history", Note, "each conversation continues with the engine's own answers"),
    of_sides(plain("different-transports", Note, "one target is reached over a Unix socket and another over TCP")),
    of_sides(plain("tls-on-one-side", Note, "one target is reached over TLS and another isn't")),
    plain("unchecked-certificate", Note, "a target's certificate isn't checked (`tls: { insecure: true }`)"),
    of_sides(plain(
        "same-endpoint",
        Warning,
        "two targets are the same model on the same server (a note with `allow_same_endpoint`, without which they \
         can't be driven at once)",
    )),
    // Prompts, caches and loads.
    of_sides(share(
        "unequal-prompts",
        Warning,
        0.25,
        "engines count different numbers of tokens in the same prompts: templates differ, or one engine cuts them",
    )),
    number(
        "requested-prompts",
        Note,
        0.0,
        "tokens",
        "prompts are shorter or longer than requested, by the engine's own count",
    ),
    share("truncated-prompts", Warning, 0.01, "prompts fill the whole context, so they were cut"),
    time("cold-load", Warning, 100_000.0, "a measured request waited this long for its model to load"),
    time(
        "model-reload",
        Warning,
        100_000.0,
        "a model was loaded again in the measured window, after it had answered: that took this long, and more than 1 \
         % of the median latency",
    ),
    of_sides(number(
        "templates-differ",
        Warning,
        2.0,
        "tokens",
        "engines use different chat templates: the same prompts differ by a constant number of tokens (this many or \
         more), or in the rendered text that the engines report",
    )),
    share(
        "cache-when-busting",
        Warning,
        0.3,
        "prompt tokens came from a prefix cache although the scenario busts it, not counting the beginning that all \
         prompts share",
    ),
    share(
        "nonce-in-answers",
        Warning,
        0.01,
        "answers repeat the cache-busting nonce, so it changed the task (a note where accuracy is reported and, \
         without a system message, the nonce is part of the text to classify)",
    ),
    of_sides(share(
        "one-sided-cache",
        Warning,
        0.2,
        "a target served more of its prompt tokens from a cache than the reference, and so had less work",
    )),
    // The generator.
    time(
        "send-lag",
        Invalid,
        1_000.0,
        "loadcmp's send lag p99 is above this and above 1 % of the median latency (a warning in a closed loop, whose \
         latencies don't include it)",
    ),
    of_sides(share(
        "send-lag-share",
        Warning,
        0.5,
        "loadcmp's median send lag is a large part of the difference between the targets",
    )),
    plain(
        "own-limits",
        Invalid,
        "a limit of this process or machine kept requests from being sent: open files, ports, memory for sockets",
    ),
    share("unsent-requests", Invalid, 0.001, "planned requests were never sent, because too many were in flight"),
    share("missed-rate", Invalid, 0.01, "fewer requests were sent than the open loop scheduled"),
    share("generator-cpu", Invalid, 0.8, "loadcmp used nearly all of the CPU it may use"),
    time(
        "different-generators",
        Warning,
        1_000.0,
        "of several generators, one's median send lag or time to connect is longer than another's by more than this and by \
         more than 1 % of the median latency",
    ),
    plain("unchecked-clocks", Note, "several generators started by the time of day, and their clocks were not checked"),
    share("low-concurrency", Warning, 0.2, "fewer requests were in flight than the closed loop has users"),
    // The machine.
    plain("same-host", Note, "targets ran at once on the machine that sent the load, and competed for it"),
    of_sides(number(
        "different-cores",
        Warning,
        1.5,
        "times",
        "while busy, one side used this many times the CPU cores of the other, and at least half a core more",
    )),
    plain(
        "which-process",
        Warning,
        "a server has processes for several models, and it isn't known which serves the measured one: all are counted",
    ),
    share(
        "prompt-cache-growth",
        Note,
        0.1,
        "memory of an engine that keeps the state of earlier prompts (llama.cpp's `--cache-ram`) grew by this share, \
         and by 32 MiB, during the run",
    ),
    time("clock-jump", Warning, 50_000.0, "the machine's clock jumped: it was set, or the machine slept"),
    share("cpu-frequency", Warning, 0.3, "the CPU frequency changed during the run"),
    number("swapping", Warning, 1.0, "MiB", "memory was swapped in or out during the run"),
    number("swap-in-use", Note, 64.0, "MiB", "swap is in use: memory is or was short"),
    share(
        "other-load",
        Warning,
        0.1,
        "other processes used part of the machine's CPU (with `order: isolated`, during any one target's turn; then \
         there is no verdict)",
    ),
    share("stolen-time", Warning, 0.02, "the hypervisor gave part of the machine's CPU time to others (steal)"),
    plain("precise-pacing", Note, "precise pacing uses a core on a machine with two or fewer"),
    share(
        "not-steady",
        Warning,
        0.5,
        "the measured window begins before the run is steady: latencies at its beginning differ from the rest by this \
         share, and by more than 2 ms",
    ),
    share("drift", Warning, 0.1, "the median latency changed over the measured window, by more than 2 ms"),
    share("server-time", Warning, 0.01, "for some answers the engine reports more time than the client waited"),
    // The shape of what was measured.
    share("equal-samples", Invalid, 0.1, "latencies repeat: fewer distinct ones than this share of the answers"),
    plain("identical-samples", Invalid, "two targets have exactly the same latencies"),
    time("impossible-times", Invalid, 1.0, "an answer came faster than any socket allows"),
    share(
        "too-much-throughput",
        Invalid,
        0.05,
        "more requests were in flight than the load allows, by latencies and elapsed time (Little's law)",
    ),
    share("flat-latency", Warning, 0.1, "latency does not change with the length of answers or prompts"),
    plain(
        "fixed-percentiles",
        Invalid,
        "percentiles are the same multiple of the mean, or of each other, for all targets or seconds",
    ),
    plain(
        "impossible-figures",
        Invalid,
        "figures contradict each other: a mean below the minimum, a p95 below the median",
    ),
    plain("clamped-values", Note, "values lie outside the histogram's range"),
    // Answers that are long beside the window.
    share(
        "long-answers",
        Warning,
        0.1,
        "an answer takes more than this share of the measured window: requests cut by its edges weigh too much",
    ),
    share(
        "short-warmup",
        Warning,
        0.05,
        "the warm-up is shorter than an answer, and an answer takes more than this share of the window (a note in a \
         closed loop with a warm-up, whose window waits for every user's first answer)",
    ),
    share(
        "unequal-contention",
        Warning,
        0.1,
        "with `requests`, a target ran alone for more than this share of its time, after the others had ended",
    ),
    // Samples enough.
    number("few-samples", Warning, 20.0, "answers", "too few answers for the requested percentiles: p95 needs 20"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_in_one_family_that_its_first_rule_begins() {
        let groups = rule_groups();
        assert_eq!(groups.iter().map(|(_, rules)| rules.len()).sum::<usize>(), RULES.len());
        for ((first, _), (about, rules)) in GROUPS.iter().zip(&groups) {
            assert_eq!(rules.first().map(|rule| rule.id), Some(*first), "{about}");
        }
    }
}
