//! `histograms.hlog`: every distribution as an HdrHistogram interval log, `Tag=target.metric`.

use crate::report::Report;
use crate::stats::write_interval_log;
use std::io::{self, Write};

/// Writes it. A stand-in is marked in its tags.
pub fn hlog(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut comments = vec![
        format!("[{} {}, {}]", report.tool, one_line(&report.plan.name), report.started),
        "Tag=target.metric; values in nanoseconds for times, thousandths of a token per second for rates,".to_owned(),
        "otherwise in the metric's unit".to_owned(),
    ];
    let stand_ins = report.targets.iter().filter(|target| target.stand_in);
    comments.extend(stand_ins.map(|t| format!("{} is a stand-in, not a real engine", one_line(&t.name))));
    let entries: Vec<_> = report
        .histograms
        .iter()
        .filter_map(|packed| {
            let target = report.targets.get(packed.target)?;
            let window = target.window?;
            let stand_in = if target.stand_in { "(stand-in)" } else { "" };
            let tag = format!("{}{stand_in}.{}", target.name, packed.metric);
            Some((tag, window.from.seconds(), window.to.seconds(), packed))
        })
        .collect();
    write_interval_log(out, &comments, &entries)
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
