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

/// Every rule, by family.
pub const RULES: [RuleSpec; 96] = [
    // The work that was done.
    plain("interrupted", Invalid, "the run was stopped before its end"),
    number(
        "no-answers",
        Invalid,
        2.0,
        "answers",
        "a target has fewer answers than this, so nothing was measured of it",
    ),
    plain("first-requests", Note, "first requests to a target, before any load, failed and were sent again"),
    of_sides(share(
        "unequal-requests",
        Invalid,
        0.01,
        "targets that were given a number of requests completed different numbers of them, by more than one (a closed loop by duration is not judged: there it is throughput)",
    )),
    of_sides(plain("unlike-requests", Invalid, "requests with the same number differ between targets")),
    share("planned-requests", Warning, 0.0, "fewer requests were begun than were planned"),
    share("error-rate", Warning, 0.01, "requests without a complete answer: times are of the others"),
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
        "requests were sent again, since a kept-alive connection was dead when they were written",
    ),
    share(
        "reconnects",
        Warning,
        0.01,
        "three measured requests or more needed a new connection, since the engine closed the kept one (a note where loadcmp chose to keep none)",
    ),
    plain(
        "target-gone",
        Invalid,
        "a target took no connection for ten seconds on end: its lane was ended, and the others went on",
    ),
    share(
        "processes-missed",
        Warning,
        0.02,
        "a target's processes were gone for this share of its window, and found again: its CPU figures are of the rest",
    ),
    plain(
        "engine-count",
        Warning,
        "an engine counted other requests than loadcmp had answers of it: others ask it, too, or answers are not its own",
    ),
    share(
        "engine-mean",
        Warning,
        0.05,
        "an engine's own mean latency is longer than the client's: one of the two rulers is wrong",
    ),
    // The answers.
    share("zero-tokens", Invalid, 0.01, "generated answers count no tokens at all"),
    share(
        "missing-tokens",
        Warning,
        0.0,
        "generated answers without a count of tokens: rates of tokens are not reported (invalid only where they'd be compared, which is then not done)",
    ),
    share("empty-answers", Warning, 0.01, "answers came without any text or vector"),
    of_sides(share(
        "unequal-output",
        Warning,
        0.2,
        "answers of a target are longer than the reference's, in tokens on average, by more than one and by more than chance",
    )),
    of_sides(share(
        "output-lengths",
        Warning,
        0.2,
        "the distributions of answers' lengths in tokens lie this far apart (Kolmogorov-Smirnov), by more than a token and by more than chance",
    )),
    share("one-token-answers", Warning, 0.05, "generated answers of a single token, which have no rate"),
    of_sides(share(
        "finish-reasons",
        Warning,
        0.2,
        "targets stopped for different reasons (limit reached, end of text), by more than chance",
    )),
    share(
        "claimed-limit",
        Warning,
        0.2,
        "answers that ended by themselves count exactly the limit of tokens, as if it had been reported instead of counted",
    ),
    number(
        "tokens-per-chunk",
        Warning,
        4.0,
        "tokens",
        "a stream counts many more tokens than pieces of text that arrived",
    ),
    share(
        "same-answers",
        Warning,
        0.1,
        "different prompts got the same answers: fewer different ones than this share of the prompts",
    ),
    of_sides(plain(
        "thinking",
        Warning,
        "a target lets its model think, by its settings or its answers, and another does not",
    )),
    share(
        "no-stream",
        Warning,
        0.01,
        "answers came whole where streams were asked for, so they have no first-token times",
    ),
    share("no-end-mark", Note, 0.0, "streams ended after their reason to end, but without their end mark (`[DONE]`)"),
    share("bad-counts", Warning, 0.0, "answers held a count or a time that can't be read: it is blank"),
    share("bad-text", Note, 0.0, "answers held half a character or what is no UTF-8: U+FFFD stands there"),
    share(
        "open-thoughts",
        Warning,
        0.0,
        "answers began a block of reasoning and never closed it: the answer proper is missing",
    ),
    share(
        "schema-not-kept",
        Warning,
        0.0,
        "answers are outside the schema that was sent: no JSON, no label of the list, or cut at the limit of tokens",
    ),
    share(
        "unreadable-labels",
        Warning,
        0.5,
        "answers hold no label that can be read: accuracy and agreement are of the others, or of none",
    ),
    plain(
        "no-better-than-commonest",
        Warning,
        "no target is right more often than always giving the commonest label would be (from 10 answers on)",
    ),
    share(
        "bad-vectors",
        Warning,
        0.0,
        "embeddings have no direction: empty, all zeros, or with numbers that are not finite",
    ),
    plain(
        "vector-lengths",
        Warning,
        "embeddings of a target are not all of one length, or not of the reference's length",
    ),
    plain("undefined-cosines", Warning, "pairs of embeddings have no cosine: those of the others say nothing of them"),
    // Models and settings.
    plain("stand-in", Warning, "an embedded engine stands in for a real one (a note where all targets are stand-ins)"),
    of_sides(plain("quantisation", Warning, "engines report models of different quantisation")),
    of_sides(share("parameters", Warning, 0.1, "engines report models of different sizes")),
    of_sides(share(
        "model-size",
        Warning,
        0.1,
        "the files of the models differ in size, and not every engine reports its parameters",
    )),
    of_sides(plain("context-length", Note, "engines report different context lengths")),
    of_sides(plain(
        "slots",
        Warning,
        "engines serve different numbers of requests at once, and one serves fewer than the load has",
    )),
    of_sides(plain("threads", Warning, "engines use different numbers of threads (a note where one uses its default)")),
    of_sides(plain("batch", Note, "engines process prompts in batches of different sizes")),
    of_sides(plain(
        "flash-attention",
        Warning,
        "engines have different settings of flash attention (a note where one is on `auto`)",
    )),
    of_sides(plain("kv-cache-type", Warning, "engines use different types for the KV cache")),
    of_sides(plain(
        "drafting",
        Warning,
        "one side guesses tokens ahead (speculative decoding), by its answers or its settings, and another doesn't",
    )),
    plain(
        "own-sampling",
        Warning,
        "a target's own `options` or `extra` change the sampling or the length that the scenario sets for all (a note where \
         fields are only left out)",
    ),
    plain("cannot-honour", Note, "a target can't honour a part of the scenario: sampling, template, schema"),
    plain("own-history", Note, "each engine's own answers stand in the history of a conversation"),
    of_sides(plain("unlike-transports", Note, "one target is asked over a Unix socket and another over TCP")),
    of_sides(plain("tls-on-one-side", Note, "one target is asked over TLS and another isn't")),
    plain("unchecked-certificate", Note, "a target's certificate isn't checked, as its `tls: { insecure: true }` asks"),
    of_sides(plain(
        "same-endpoint",
        Warning,
        "two targets are the same model of the same server, whatever the wire (a note with `allow_same_endpoint`, without which \
         they are not driven at once)",
    )),
    // Prompts, caches and loads.
    of_sides(share(
        "unequal-prompts",
        Warning,
        0.25,
        "engines count different numbers of tokens in the same prompts: templates differ, or an engine cuts them",
    )),
    number(
        "requested-prompts",
        Note,
        0.0,
        "tokens",
        "prompts are shorter or longer than the scenario asks for, by the engine's own count",
    ),
    share("truncated-prompts", Warning, 0.01, "prompts fill the whole context, so they were cut"),
    time("cold-load", Warning, 100_000.0, "a measured request waited this long for its model to load"),
    time(
        "model-reload",
        Warning,
        100_000.0,
        "a model that had answered was loaded again in the measured window: it served nobody for this long, and for more than 1 % of the median latency",
    ),
    of_sides(number(
        "templates-differ",
        Warning,
        2.0,
        "tokens",
        "engines use different chat templates: their prompts differ by a constant number of tokens, this many or more, or the \
         rendered prompts they report differ",
    )),
    share(
        "cache-when-busting",
        Warning,
        0.3,
        "prompt tokens came from a prefix cache although the scenario busts it, beyond the head that all prompts have in common",
    ),
    share(
        "nonce-in-answers",
        Warning,
        0.01,
        "answers repeat the nonce that busts caches, so it changed the task (a note where accuracy is reported and a nonce \
         stands in what is classified, for want of a system message)",
    ),
    of_sides(share(
        "one-sided-cache",
        Warning,
        0.2,
        "a target served more of its prompt tokens from a cache than the reference, and had that much less work for it",
    )),
    // The generator.
    time(
        "generator-lag",
        Invalid,
        1_000.0,
        "loadcmp sent late: the 99th percentile is above this and above 1 % of the median latency (a warning in a closed loop, whose latencies hold no lag)",
    ),
    of_sides(share(
        "lag-of-difference",
        Warning,
        0.5,
        "the generator's median lag is a large part of the difference that was found",
    )),
    plain(
        "own-limits",
        Invalid,
        "a limit of this process or machine kept requests from being sent: open files, ports, memory for sockets",
    ),
    share("unsent-requests", Invalid, 0.001, "planned requests were never sent: too many were in flight"),
    share("missed-rate", Invalid, 0.01, "fewer requests were sent than the open loop's schedule holds"),
    share("generator-cpu", Invalid, 0.8, "loadcmp used nearly all of the processor time it is allowed"),
    share("low-concurrency", Warning, 0.2, "fewer requests were in flight than the closed loop has users"),
    // The machine.
    plain("same-host", Note, "targets ran at once on the machine that sent the load, and contend for it"),
    of_sides(number(
        "unlike-cores",
        Warning,
        1.5,
        "times",
        "one side used this many times the CPU cores of the other while it worked, and at least half a core more",
    )),
    plain(
        "which-process",
        Warning,
        "a server has processes for several models, and nothing says which serves the one that is measured: all are counted",
    ),
    share(
        "prompt-cache-growth",
        Note,
        0.1,
        "memory grew by this share, and by 32 MiB, while measured, of an engine that keeps states of earlier prompts in \
         memory (llama.cpp's `--cache-ram`)",
    ),
    time("clock-jump", Warning, 50_000.0, "the machine's clock jumped: it was set, or the machine slept"),
    share("cpu-frequency", Warning, 0.3, "the processor's frequency changed in mid-run"),
    number("swapping", Warning, 1.0, "MiB", "memory was swapped in or out in mid-run"),
    number("swap-in-use", Note, 64.0, "MiB", "swap is in use: memory is short, or was"),
    share(
        "other-load",
        Warning,
        0.1,
        "other processes took a part of the machine's processor time (with `order: isolated`, beside any target: no verdict then)",
    ),
    share("stolen-time", Warning, 0.02, "the hypervisor gave a part of the machine's processor time to others"),
    plain("precise-pacing", Note, "precise pacing spins on a machine of two cores or fewer"),
    share(
        "not-steady",
        Warning,
        0.5,
        "the measured window begins before the run is steady: latencies at its beginning differ from the rest by this share and by more than 2 ms",
    ),
    share("drift", Warning, 0.1, "the median latency changed over the measured window, by more than 2 ms"),
    share("server-time", Warning, 0.01, "answers for which the engine reports more time than the client waited"),
    // The shape of what was measured.
    share("equal-samples", Invalid, 0.1, "latencies repeat: fewer different ones than this share of the answers"),
    plain("identical-samples", Invalid, "two targets have the very same latencies"),
    time("impossible-times", Invalid, 1.0, "an answer came faster than any socket carries one"),
    share(
        "too-much-throughput",
        Invalid,
        0.05,
        "more requests were in flight, by latencies and time, than the load allows (Little's law)",
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
    plain("clamped-values", Note, "values lie outside of what a histogram holds"),
    // Answers that are long beside the window.
    share(
        "long-answers",
        Warning,
        0.1,
        "an answer takes more than this share of the measured window: what is in flight at its edges weighs too much",
    ),
    share(
        "short-warmup",
        Warning,
        0.05,
        "the warm-up is shorter than an answer that takes more than this share of the window (a note in a closed loop with a \
         warm-up, whose window waits for every user's first answer)",
    ),
    share(
        "unequal-contention",
        Warning,
        0.1,
        "with `requests`, a target ran on alone for more than this share of its time after the others had ended",
    ),
    // Samples enough.
    number(
        "few-samples",
        Warning,
        20.0,
        "answers",
        "too few answers for the percentiles that are asked for: a 95th needs 20",
    ),
];
