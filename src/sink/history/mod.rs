//! Earlier runs: the list, and a metric over time, for the terminal, for programs, and as a page.

mod list;
mod nights;
mod page;
mod prune;
mod trend;
mod words;

pub use list::{history_csv, history_json, history_table};
pub(super) use nights::{Drawings, drawings};
pub use page::trend_html;
pub(super) use page::{PageSeries, StepLine, page_of, page_series};
pub use prune::pruned_table;
pub use trend::{trend_csv, trend_json, trend_table};
pub(super) use words::{counts, method};

use crate::history::{Series, StepTold, Trend};

/// A step in a sentence that says whose it is, and one of what differs at it.
pub(super) fn step_words(trend: &Trend, series: &Series, step: &StepTold) -> (String, String) {
    let text = format!("{}: {}.", words::title(trend, series), words::step(trend, series, step));
    (super::html::unbroken(&text), words::differs(step))
}
