//! Earlier runs: the list, and a metric over time, for the terminal, for programs, and as a page.

mod list;
mod page;
mod prune;
mod trend;
mod words;

pub use list::{history_csv, history_json, history_table};
pub use page::trend_html;
pub use prune::pruned_table;
pub use trend::{trend_csv, trend_json, trend_table};
