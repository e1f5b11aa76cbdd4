//! Prometheus's text format (exposition format 0.0.4), as far as figures of engines come in it: a line a figure, its labels
//! in braces, its value; comments and times are passed over. Pure.

/// One figure of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels as they stand there, without the braces; often empty.
    pub labels: &'a str,
    /// Its value.
    pub value: f64,
}

/// The figures worth keeping of the engines that are known: gauges and counters, no buckets of histograms.
const KNOWN: [&str; 26] = [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "llamacpp:prompt_tokens_total",
    "llamacpp:prompt_tokens_cached_total",
    "llamacpp:prompt_seconds_total",
    "llamacpp:tokens_predicted_total",
    "llamacpp:tokens_predicted_seconds_total",
    "llamacpp:n_decode_total",
    "llamacpp:n_tokens_max",
    "llamacpp:prompt_tokens_seconds",
    "llamacpp:predicted_tokens_seconds",
    "llamacpp:kv_cache_usage_ratio",
    "llamacpp:requests_processing",
    "llamacpp:requests_deferred",
    "llamacpp:n_busy_slots_per_decode",
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:gpu_cache_usage_perc",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions_total",
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:request_success_total",
    "vllm:cpu_cache_usage_perc",
];

/// Most figures kept of one page: a server with a label for each of a thousand models is cut short.
const MOST: usize = 256;

/// Longest set of labels that is kept, in bytes.
const LONGEST: usize = 1024;

/// The known figures of a page, in its order. What is no line of the format is passed over.
pub fn known(page: &str) -> impl Iterator<Item = Figure<'_>> {
    page.lines().filter_map(figure).filter(|figure| KNOWN.contains(&figure.name)).take(MOST)
}

fn figure(line: &str) -> Option<Figure<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => {
            let end = end_of_labels(inside)?;
            (inside[..end].trim().trim_end_matches(','), &inside[end + 1..])
        }
        None => ("", rest),
    };
    // A time may follow the value.
    let value: f64 = rest.split_ascii_whitespace().next()?.parse().ok()?;
    (!name.is_empty() && labels.len() <= LONGEST).then_some(Figure { name, labels, value })
}

/// Where the brace is that ends the labels: none inside a value in quotes, in which a backslash takes the next as it is.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut quoted, mut taken) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if taken => taken = false,
            b'\\' if quoted => taken = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_page_of_llama_servers_is_read() {
        let capture = include_str!("../../tests/captures/llama.cpp-2026.10.11549/metrics.txt");
        let (_, page) = capture.split_once("\r\n\r\n").or_else(|| capture.split_once("\n\n")).unwrap();
        let all: Vec<_> = known(page).collect();
        let value = |name: &str| all.iter().find(|figure| figure.name == name).unwrap().value;
        assert_eq!((value("llamacpp:prompt_tokens_total"), value("llamacpp:tokens_predicted_total")), (2121.0, 342.0));
        assert_eq!((value("llamacpp:prompt_seconds_total"), value("llamacpp:requests_deferred")), (0.120818, 0.0));
        assert_eq!(all.len(), 12, "{all:?}");
    }

    #[test]
    fn labels_may_hold_anything() {
        for (line, want) in [
            ("process_resident_memory_bytes 1.5e9", Some(("", 1.5e9))),
            ("  process_resident_memory_bytes\t7 1700000000000 ", Some(("", 7.0))),
            (r#"process_resident_memory_bytes{a="b",c="}\"x",} 2"#, Some((r#"a="b",c="}\"x""#, 2.0))),
            (r#"process_resident_memory_bytes {a="\\"} +Inf"#, Some((r#"a="\\""#, f64::INFINITY))),
            (r#"process_resident_memory_bytes{a="b 2"#, None),
            ("process_resident_memory_bytes", None),
            ("process_resident_memory_bytes x", None),
            ("process_resident_memory_bytes_more 1", None),
            ("# process_resident_memory_bytes 1", None),
            ("{} 1", None),
        ] {
            assert_eq!(known(line).map(|f| (f.labels, f.value)).next(), want, "{line}");
        }
        assert!(known(&"process_cpu_seconds_total 1\n".repeat(1000)).count() == MOST);
    }

    proptest! {
        #[test]
        fn no_page_makes_it_fail(page in r#"((process_cpu_seconds_total|vllm:x|#)?[{}"\\ ,=a-z0-9.éß\n\t+-]{0,20}){0,20}"#) {
            for figure in known(&page) {
                prop_assert!(!figure.name.is_empty() && figure.labels.len() <= LONGEST);
            }
        }

        #[test]
        fn what_is_written_is_read(value in -1e12_f64..1e12, label in r#"[a-z {},=]{0,12}"#) {
            let page = format!("# HELP x y\nvllm:num_requests_running{{model=\"{label}\"}} {value}\n");
            let all: Vec<_> = known(&page).collect();
            prop_assert_eq!(all.len(), 1);
            let labels = format!("model=\"{label}\"");
            prop_assert_eq!((all[0].labels, all[0].value), (labels.as_str(), value));
        }
    }
}
