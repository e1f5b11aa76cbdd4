use super::*;
use proptest::prelude::*;

fn read(text: &str) -> Gate {
    Gate::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn gates_of_every_form_are_read() {
    let gate = read("native.latency.p95<=20ms");
    assert_eq!(gate.subject.target.as_deref(), Some("native"));
    assert_eq!((gate.subject.path().as_str(), gate.relation), ("latency.p95", Relation::AtMost));
    assert_eq!(gate.bound, Bound { from: From::Constant, factor: 1.0, plus: 20_000.0 });
    assert_eq!(gate.text, "native.latency.p95 <= 20ms");

    let gate = read("native.tokens_per_s >= 25");
    assert_eq!((gate.subject.path().as_str(), gate.bound.plus), ("tokens_per_s.mean", 25.0));

    let gate = read("native.latency.p95 <= 1.05 * ollama.latency.p95");
    let From::Target(of) = &gate.bound.from else { panic!("{gate:?}") };
    assert_eq!((of.target.as_deref(), gate.bound.factor, gate.bound.plus), (Some("ollama"), 1.05, 0.0));
    assert_eq!(gate.targets().collect::<Vec<_>>(), ["native", "ollama"]);

    let gate = read("native.accuracy >= ollama-q4.accuracy - 1pp");
    assert_eq!((gate.bound.factor, gate.bound.plus), (1.0, -0.01));
    assert_eq!(gate.targets().last(), Some("ollama-q4"));

    // Of one target, what has one unit.
    let gate = read("native.latency.p99 <= 2 * native.latency.p50");
    let From::Target(of) = &gate.bound.from else { panic!("{gate:?}") };
    assert_eq!((of.path().as_str(), gate.bound.factor), ("latency.p50", 2.0));
    assert_eq!(read("native.memory_peak <= native.memory_rest + 6GB").bound.plus, 6e9);

    let gate = read("native.ttft.p95 <= 1.10 * baseline");
    assert!(gate.needs_baseline() && !gate.is_absolute());
    assert_eq!(read("native.ttft.p95 <= 1.1 * baseline.ttft.p95").bound, gate.bound);

    // By a name of an earlier version.
    assert_eq!(read("native.gap_max.p95 <= 20ms").subject.path(), "itl_max.p95");

    let gate = read("errors == 0");
    assert_eq!((gate.subject.target, gate.subject.metric.id, gate.relation), (None, "error_rate", Relation::Equal));
    assert_eq!(read("native.memory_ratio <= 1.35").bound.plus, 1.35);
    assert_eq!(read("native.memory_peak <= 2 GiB").bound.plus, 2_147_483_648.0);
    assert_eq!(read("a.ttft.p99.5 < 1 s").subject.path(), "ttft.p99.5");
    assert_eq!(read("a.ttft.p999 < 1 s").subject.path(), "ttft.p999");
    assert_eq!(read("a.ttft.p50 <= b.ttft.p50 + 5ms").bound.plus, 5000.0);

    // Names with dots, and such as begin or end like something else.
    let gate = read("llama.cpp.latency.p99.5 <= 1.5 * 7b.q4.latency.p99.5");
    assert_eq!(gate.subject.path(), "latency.p99.5");
    assert_eq!(gate.targets().collect::<Vec<_>>(), ["llama.cpp", "7b.q4"]);
    assert_eq!(read("errors.errors == 0").subject.target.as_deref(), Some("errors"));
    let From::Baseline(of) = read("llama.cpp.accuracy >= baseline.llama.cpp.accuracy").bound.from else { panic!() };
    assert_eq!(of.target.as_deref(), Some("llama.cpp"));
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (text, at, what) in [
        ("", (0, 1), "a metric is missing"),
        ("native.latency.p95", (18, 1), "a comparison is missing"),
        ("native.latency.p95 <=", (21, 1), "a bound is missing"),
        ("native.latncy.p95 <= 20ms", (7, 6), "unknown metric `latncy`"),
        ("latncy.p95 <= 20ms", (0, 6), "unknown metric `latncy`"),
        ("llama.cpp.latncy.p95 <= 20ms", (10, 6), "unknown metric `latncy`"),
        ("native.latency <= 20ms", (0, 14), "the figure of `latency` is missing"),
        ("native.latency.p0 <= 20ms", (15, 2), "unknown figure `p0`"),
        ("native.accuracy.p95 >= 90%", (16, 3), "`accuracy` is a single value"),
        ("native.latency.p95 = 20ms", (19, 1), "`=` is not a comparison"),
        ("native.latency.p95 == 20ms", (19, 2), "measured values are never exactly equal"),
        ("requests_per_s == 70", (15, 2), "measured values are never exactly equal"),
        ("macro_f1 == 1", (9, 2), "measured values are never exactly equal"),
        ("accuracy == 90%", (12, 3), "a measured share is never exactly"),
        ("native.latency.p95 <= 20", (22, 2), "`20` has the wrong unit"),
        ("native.latency.p95 <= 20MB", (22, 4), "`20MB` has the wrong unit"),
        ("native.memory_peak <= 20ms", (22, 4), "has the wrong unit"),
        ("native.latency.p95 <= x * ollama.latency.p95", (22, 1), "`x` is not a factor"),
        ("native.latency.p95 <= 0 * ollama.latency.p95", (22, 1), "`0` is not a factor"),
        ("native.latency.p95 <= ollama.latency.p95 * 1.05", (22, 18), "`ollama.latency.p95` is not a factor"),
        ("native.latency.p95 <= ollama.latency.p50", (22, 18), "is another metric"),
        ("native.latency.p95 <= native.memory_peak", (22, 18), "is another metric"),
        ("native.latency.p95 <= 2 * native.latency.p95", (26, 18), "is compared with itself"),
        ("native.latency.p95 <= baseline.latency.p50", (22, 20), "is another metric"),
        ("native.latency.p95 <= latency.p95", (22, 11), "has no target"),
        ("native.latency.p95 <= 1.1 *", (27, 1), "the metric after the factor is missing"),
        ("native.accuracy >= ollama.accuracy - 1%", (37, 2), "has the wrong unit"),
        ("native.accuracy >= 150%", (19, 4), "is too large"),
        ("errors <= 100%", (10, 4), "always passes"),
        ("native.latency.p95 >= 0ms", (22, 3), "always passes"),
        ("native.latency.p95 <= 0ms", (22, 3), "always fails"),
        ("a.errors == b.errors", (12, 8), "== needs a number"),
        ("native.latency.p95 <= 20ms and errors == 0", (27, 3), "`and` where the gate should end"),
    ] {
        let error = Gate::parse(text).expect_err(text);
        assert!(error.what.contains(what), "{text}: {error}");
        assert_eq!(error.at, at, "{text}: {error}");
    }
    let error = Gate::parse("native.latncy.p95 <= 20ms").unwrap_err();
    assert!(error.help.starts_with("did you mean `latency`? `loadcmp metrics`") && error.help.len() < 70, "{error}");
    // A label that is nearly right names its id.
    let error = Gate::parse("native.unparsd <= 1%").unwrap_err();
    assert!(error.help.starts_with("did you mean `unparsed_rate`?"), "{error}");
}

#[test]
fn labels_are_read_as_ids() {
    for (label, id) in [
        ("native.TTFT p95 <= 20ms", "native.ttft.p95 <= 20ms"),
        ("latency p95 <= 1.05 * ollama.latency P95", "latency.p95 <= 1.05 * ollama.latency.p95"),
        ("native.output tokens/s >= 20 tok/s", "native.output_tokens_per_s >= 20tok/s"),
        ("requests/s >= 20 requests/s", "requests_per_s >= 20requests/s"),
        ("peak RSS <= 1.1 * baseline", "memory_peak <= 1.1 * baseline"),
        ("unparsed == 0", "unparsed_rate == 0"),
    ] {
        let gate = Gate::parse(label).unwrap_or_else(|error| panic!("{label}: {error}"));
        assert_eq!(gate.text, id);
    }
    // Mistakes are shown where they were typed.
    let error = Gate::parse("native.output tokens/s >= 20ms").unwrap_err();
    assert_eq!((error.at, error.what.contains("wrong unit")), ((26, 4), true), "{error}");
    let error = Gate::parse("output tokens/s.p95 >= 20").unwrap_err();
    assert!(error.at.0 <= 16 && error.what.contains("single value"), "{error}");
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in "\\PC{0,60}") {
        if let Ok(gate) = Gate::parse(&text) {
            prop_assert_eq!(Gate::parse(&gate.text), Ok(gate));
        }
    }

    #[test]
    fn a_gate_reads_back_from_its_own_text(
        at in 0..METRICS.len(), target in "[a-z][a-z-]{0,8}(\\.[a-z0-9-]{1,4}){0,2}", q in 1..=999u32, most in any::<bool>(), factor in 1..300u32,
    ) {
        let known = METRICS[at];
        let figure = if known.spread { format!(".p{}", f64::from(q.max(10)) / 10.0) } else { String::new() };
        prop_assume!(target.split('.').all(|part| metric(part).is_none() && part != "baseline"));
        let relation = if most { "<=" } else { ">=" };
        let path = format!("{}{figure}", known.id);
        let text = format!("{target}.{path} {relation} {} * other.{path}", f64::from(factor) / 100.0);
        let gate = Gate::parse(&text).unwrap();
        prop_assert_eq!(&gate.text, &text);
        prop_assert_eq!(Gate::parse(&gate.text), Ok(gate));
    }
}
