//! `resources.csv`: what the machine and known processes used, a row a second.

use super::csv_text::{count, rows, text};
use crate::report::Report;
use std::io::{self, Write};

/// Writes it. `who` is `host`, `loadcmp`, or a target, marked if it is a stand-in.
pub fn resources_csv(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let label = |who: &str| report.targets.iter().find(|t| t.name == who).map_or(who.to_owned(), |t| t.label());
    let cells = report.resources.iter().flatten().map(|usage| {
        [
            format!("{:.3}", usage.t_s),
            text(&label(&usage.who)).into_owned(),
            usage.cpu_cores.map(|cores| format!("{cores:.3}")).unwrap_or_default(),
            count(usage.rss_bytes),
        ]
    });
    rows(out, ["t_s", "who", "cpu_cores", "rss_bytes"], cells)
}
