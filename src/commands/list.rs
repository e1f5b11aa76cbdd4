//! `loadcmp list`: what is shipped.

use super::shipped::SHIPPED;
use super::{CommandResult, show};

/// Prints the shipped scenarios and suites, and what each is.
pub(crate) fn list() -> CommandResult {
    let scenarios = SHIPPED.iter().filter_map(|(file, text)| Some((file.strip_suffix(".yaml")?, *text)));
    let (suites, scenarios): (Vec<_>, Vec<_>) =
        scenarios.filter(|(name, _)| !name.contains("scenarios/")).partition(|(name, _)| name.starts_with("suites/"));
    show("the list", |out| {
        let parts = [("Scenarios", "loadcmp run NAME", scenarios), ("Suites", "loadcmp suite run NAME", suites)];
        for (number, (head, command, all)) in parts.into_iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            writeln!(out, "{head} ({command}):")?;
            for (name, text) in all {
                writeln!(out, "  {:12}{}", name.trim_start_matches("suites/"), about(text))?;
            }
        }
        writeln!(out, "\nWrite your own with `loadcmp init NAME`.")
    })
}

/// Prints the shipped suites.
pub(crate) fn suites() -> CommandResult {
    let suites = SHIPPED.iter().filter_map(|(file, text)| {
        let name = file.strip_prefix("suites/")?.strip_suffix(".yaml")?;
        (!name.contains('/')).then_some((name, *text))
    });
    show("the list", |out| {
        for (name, text) in suites {
            writeln!(out, "{name:12}{}", about(text))?;
        }
        writeln!(out, "\nRun one: loadcmp suite run NAME. Write a suite: loadcmp init NAME --suite.")
    })
}

/// What a scenario or a suite says it is.
fn about(text: &str) -> String {
    text.lines().find_map(|line| line.strip_prefix("about: ")).unwrap_or_default().trim().to_owned()
}
