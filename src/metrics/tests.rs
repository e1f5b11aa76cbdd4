use super::*;
use std::collections::BTreeSet;

#[test]
fn each_word_stands_once_and_is_found() {
    let all: BTreeSet<_> = ids().collect();
    assert_eq!(all.len(), METRICS.len() + ALIASES.len());
    assert!(ids().all(|word| metric(word).is_some()));
    assert_eq!(metric("errors").map(|known| known.id), Some("error_rate"));
    assert!(metric("baseline").is_none() && metric("latency.p95").is_none());
    assert_eq!(metric_of("latency.p95"), metric("latency"));
    assert!(metric_of("slowest_user.latency.mean").is_none());
    let of = |word: fn(&Definition) -> &str| METRICS.iter().map(word).collect::<BTreeSet<_>>().len();
    assert_eq!(of(|known| known.about), METRICS.len(), "two metrics are said to be the same");
    assert_eq!(of(|known| known.label), METRICS.len(), "two metrics have one label");
    assert!(METRICS.iter().all(|known| known.about.len() > 8 && !known.about.contains('.')));
}

#[test]
fn figures_are_of_their_metric() {
    for known in METRICS {
        for path in known.compared.iter().chain(known.followed).chain(known.shown.iter().map(|line| &line.path)) {
            assert_eq!(metric_of(path), Some(known), "{path}");
            assert_eq!(path.contains('.'), known.spread || *path == "accuracy.interval", "{path}");
        }
    }
    let lines: BTreeSet<_> = lines().map(|(_, line)| line.path).collect();
    assert!(compared().all(|(_, path)| lines.contains(path)), "what is compared is shown");
}

#[test]
fn figures_stand_in_the_order_they_are_told_in() {
    let compared: Vec<_> = compared().map(|(_, path)| path).collect();
    assert_eq!(
        compared,
        [
            "response.p50",
            "response.p95",
            "response.mean",
            "response_ttft.p50",
            "response_ttft.p95",
            "latency.p50",
            "latency.p95",
            "latency.mean",
            "ttft.p50",
            "ttft.p95",
            "ttfat.p50",
            "ttft_later.p50",
            "itl.mean",
            "tpot.mean",
            "tokens_per_s.p50",
            "requests_per_s",
            "goodput",
            "output_tokens_per_s",
        ]
    );
    let lines: Vec<_> = lines().collect();
    assert!(lines.windows(2).all(|two| two[0].0.section <= two[1].0.section));
    assert_eq!((lines.len(), lines[0].1.path, lines[82].1.path), (83, "response.p50", "send_lag.p99"));
}

#[test]
fn what_is_counted_or_read_is_told_from_what_is_estimated() {
    let exact = |id: &str| metric(id).unwrap().exact;
    for id in ["requests", "outcome_ok", "memory_peak", "cpu_per_request", "model_size", "window"] {
        assert!(exact(id), "{id}");
    }
    for id in ["requests_per_s", "macro_f1", "cached_share", "errors", "time_prompt", "latency", "memory_growth"] {
        assert!(!exact(id), "{id}");
    }
    assert!(METRICS.iter().all(|known| !(known.spread && known.exact)));
    assert!(METRICS.iter().filter(|known| known.of == Of::Content).count() > 7);
}

/// By hand, each: a direction guessed from a name or a unit was wrong for goodput and for cosines that don't exist.
#[test]
fn which_way_each_is_better() {
    let more = [
        "requests_per_s",
        "goodput",
        "goodput_share",
        "output_tokens_per_s",
        "prompt_tokens_per_s",
        "tokens_per_s",
        "prefill_tokens_per_s",
        "decode_tokens_per_s",
        "accuracy",
        "macro_f1",
        "agreement",
        "same_answers",
        "answer_similarity",
        "valid_json",
        "draft_acceptance",
        "cosine",
        "tokens_per_s_per_gib",
        "server_prefill_per_s",
        "server_decode_per_s",
    ];
    let neither = [
        "accuracy_commonest",
        "requested_prompt_tokens",
        "prompt_tokens",
        "output_tokens",
        "cached_first",
        "cached_later",
        "thought_tokens",
        "answer_tokens",
        "thought_pieces",
        "answer_logprob",
        "dimensions",
        "cached_share",
        "requests",
        "ok",
        "outcome_ok",
        "outcome_unfinished",
        "warmup_requests",
        "window",
        "threads",
        "voluntary_switches_per_request",
    ];
    for known in METRICS {
        let want = match known.id {
            id if more.contains(&id) => Some(true),
            id if neither.contains(&id) => None,
            _ => Some(false),
        };
        assert_eq!(known.better.more(), want, "{}", known.id);
        assert_eq!(more_is_better(&format!("{}.p95", known.id)), want, "{}", known.id);
        // What a verdict or a limit is about has a direction.
        assert!(want.is_some() || known.compared.is_empty() && !known.slo, "{}", known.id);
    }
    assert_eq!(more_is_better("of_no_metric"), None);
    assert!(more.iter().chain(&neither).all(|id| metric(id).is_some()));
}

#[test]
fn kinds_go_with_units() {
    for known in METRICS {
        let fits = match known.kind {
            Kind::Time => known.unit == unit::MICROS,
            Kind::PerSecond => [unit::TOKENS_PER_S, unit::REQUESTS_PER_S].contains(&known.unit),
            Kind::Share => known.unit == unit::ONE,
            Kind::Bytes => [unit::BYTES, unit::BYTES_PER_H].contains(&known.unit),
            Kind::Number => ![unit::MICROS, unit::BYTES].contains(&known.unit),
        };
        assert!(fits, "{}", known.id);
    }
}

#[test]
fn figures_and_values_in_words() {
    for (path, words) in [
        ("latency.p50", "latency p50"),
        ("requests_per_s", "requests/s"),
        ("response_ttft.p95", "response TTFT p95"),
        ("ttfat.p50", "TTFT (answer) p50"),
        ("itl.mean", "ITL mean"),
        ("error_rate", "errors"),
        ("slowest_user.latency.mean", "slowest user latency mean"),
    ] {
        assert_eq!(metric_words(path), words);
    }
    for (path, unit, x, words) in [
        ("latency.p50", unit::MICROS, 1500.0, "1.50 ms"),
        ("accuracy", unit::ONE, 0.125, "12.5 %"),
        ("macro_f1", unit::ONE, 0.8125, "0.812"),
        ("cosine.min", unit::ONE, 0.9996, "1.000"),
        ("memory_ratio", unit::ONE, 1.4, "1.40"),
        ("dimensions.p50", unit::ONE, 384.0, "384"),
        ("dimensions.mean", unit::ONE, 383.5, "384"),
        ("cosine_undefined", unit::ONE, 2.0, "2"),
        ("fairness", unit::ONE, 0.5, "50.0 %"),
    ] {
        assert_eq!(value_words(path, unit, x), words, "{path}");
    }
}

#[test]
fn the_document_has_a_row_a_metric() {
    let text = document();
    assert_eq!(text.lines().count(), METRICS.len() + 2);
    assert!(text.contains(
        "| `ttft` | TTFT | us | less | mean, min, max, percentiles | compared (p50, p95), gates, slo, followed (p50) |"
    ));
    assert!(text.lines().all(|line| line.matches('|').count() == 8), "no cell may hold a bar");
}
