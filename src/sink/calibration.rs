//! A calibration for people: a table made for 80 columns, and what its words mean.

use super::draw::wrapped;
use crate::host::{Bound, Calibration, Wire};
use crate::report::human::{three, time};
use comfy_table::{CellAlignment, Table};
use std::io::{self, Write};

/// Writes it.
pub fn calibration(calibration: &Calibration, out: &mut dyn Write) -> io::Result<()> {
    let machine = &calibration.machine;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    let form = if calibration.quick { ", the quick form" } else { "" };
    let cores = machine.logical_cores.map_or_else(String::new, |n| format!(", {n} cores"));
    wrapped(out, &format!("{}{cores}, kernel {}", text(&machine.cpu), text(&machine.kernel)), 80, "")?;
    wrapped(out, &format!("{}, {}{form}", calibration.tool, calibration.made), 80, "")?;
    writeln!(out)?;
    let mut table = Table::new();
    let style = comfy_table::presets::NOTHING.header_separator(comfy_table::LineStyle::none().fill('─').junction('─'));
    table.load_style(style);
    table.set_header(["wire", "p50", "p99", "repeats", "TTFT", "CPU", "server", "most"]);
    table.add_rows(calibration.wires.iter().map(row));
    let last = 7;
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last { 0 } else { 1 }));
        if at >= 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)?;
    for line in LEGEND {
        wrapped(out, line, 80, "  ")?;
    }
    for line in &calibration.method {
        wrapped(out, line, 80, "  ")?;
    }
    Ok(())
}

const LEGEND: [&str; 4] = [
    "p50, p99: response time of a server that does nothing, the floor of every time measured here; repeats: spread of \
     the median between repeats; TTFT: median.",
    "CPU: loadcmp's own per request; +: per additional token of many paced streams; server: the server's per request, \
     also included in the floor.",
    "most: the highest rate and its number of users; for streams, the number at once, and what limited it.",
    "Differences between two targets that are smaller than the repeats and the difference of their floors can't be \
     measured.",
];

fn row(wire: &Wire) -> [String; 8] {
    let floor = &wire.floor;
    let form = if floor.stream { "stream" } else { "whole" };
    let cpu = floor.cpu_per_request_us.map(time).unwrap_or_default();
    let token = floor.cpu_per_token_us.map(|us| format!("\n+{}", time(us))).unwrap_or_default();
    let most = match (&wire.highest, &wire.streams) {
        (Some(rate), _) => format!("{}/s\n{} users", three(rate.requests_per_s), rate.users),
        (None, Some(streams)) => match streams.bound {
            Bound::Tried => format!("{}\ntried", streams.at_once),
            Bound::Late => format!("{}\nthen late", streams.at_once),
            Bound::Cpu => format!("{}\nthen CPU", streams.at_once),
        },
        (None, None) => String::new(),
    };
    [
        format!("{}\n{form}, {}", floor.wire, floor.transport.as_str()),
        time(floor.response_p50_us),
        time(floor.response_p99_us),
        time(floor.between_us),
        floor.ttft_p50_us.map(time).unwrap_or_default(),
        format!("{cpu}{token}"),
        floor.server_cpu_per_request_us.map(time).unwrap_or_default(),
        most,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fixture;

    #[test]
    fn it_fits_into_eighty_columns() {
        let mut text = Vec::new();
        let told = Calibration { tool: "loadcmp 0.1.0".to_owned(), ..fixture::calibration() };
        calibration(&told, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }
}
