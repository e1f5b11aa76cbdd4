//! `loadcmp capacity`, and its results told again.

use super::{CommandResult, Shipped, block_on, look, overrides, show};
use crate::{ByArg, CapacityArgs, CapacityFormat, Format, ReportArgs};
use loadcmp::capacity::{By, Capacity, Ended};
use loadcmp::report::human::printable;
use loadcmp::run::{Failure, Options, Search, SearchResult, tell};
use loadcmp::scenario::{Share, Slo, Span};
use loadcmp::sink;
use std::time::Duration;

pub(crate) fn capacity(args: CapacityArgs) -> CommandResult {
    let search = search(&args)?;
    // A mistake in the limits is told before a scenario is looked for.
    search
        .slo
        .as_deref()
        .map_or(Ok(()), |text| Slo::parse(text).map(drop).map_err(|error| Failure::Usage(error.to_string())))?;
    let overrides = overrides(&args.over);
    let shipped = Shipped::default();
    let loaded = shipped.load(&args.scenario, &overrides)?;
    if loaded.scenario.sweep.is_some() {
        return Err(Failure::Usage(
            "error: `capacity` searches one workload, and this scenario has a `sweep`\n  leave the sweep out and run \
             capacity once per point, with --set"
                .to_owned(),
        ));
    }
    super::tell_followed([&loaded], args.quiet);
    let options = Options {
        overrides,
        out: args.out,
        real: args.over.real,
        quiet: args.quiet,
        allow_commands: args.over.allow_commands,
        ..Options::default()
    };
    let sought = block_on(loadcmp::run::capacity(loaded, &search, &options))??;
    told(&sought, args.format, args.quiet)
}

pub(crate) fn again(args: &ReportArgs) -> CommandResult {
    let format = match args.format {
        Format::Table => CapacityFormat::Table,
        Format::Json => CapacityFormat::Json,
        Format::Csv => CapacityFormat::Csv,
        Format::Markdown => CapacityFormat::Markdown,
    };
    told(&loadcmp::run::search_again(&args.dir)?, format, false)
}

fn told(sought: &SearchResult, format: CapacityFormat, quiet: bool) -> CommandResult {
    let capacity = &sought.capacity;
    show("the result", |text| match format {
        CapacityFormat::Table => sink::capacity_table(capacity, look(), Some(&sought.dir), text),
        CapacityFormat::Json => sink::capacity_json(capacity, text),
        CapacityFormat::Csv => sink::capacity_csv(capacity, text),
        CapacityFormat::Markdown => sink::capacity_markdown(capacity, text),
    })?;
    // A table ends with the page's path.
    if !quiet && !matches!(format, CapacityFormat::Table) {
        tell(format_args!("\nfiles: {}", sought.dir.display()));
    }
    Ok(standing(capacity))
}

/// The exit code of a search, and a line that says why it isn't 0.
fn standing(capacity: &Capacity) -> u8 {
    if let Some(why) = &capacity.settings.refused {
        tell(why.lines().map(printable).collect::<Vec<_>>().join("\n"));
        return 3;
    }
    let ended = |ended: &[Option<Ended>]| capacity.targets.iter().find(|target| ended.contains(&target.searched.ended));
    if ended(&[Some(Ended::Interrupted), None]).is_some() {
        tell("loadcmp: interrupted: the files hold what was found so far");
        return 4;
    }
    if let Some(target) = ended(&[Some(Ended::Generator)]) {
        let name = &target.searched.name;
        tell(format_args!("loadcmp: invalid: loadcmp itself was the limit, not `{name}`"));
        return 4;
    }
    if let Some(target) = capacity.targets.iter().find(|target| !target.capacity.known()) {
        tell(format_args!(
            "loadcmp: inconclusive: no certain pass and fail around the capacity of `{}`",
            target.searched.name
        ));
        return 5;
    }
    0
}

/// Longest search.
const MOST_BUDGET: Duration = Duration::from_secs(24 * 3600);

fn search(args: &CapacityArgs) -> Result<Search, Failure> {
    let usage = |why: String| Failure::Usage(format!("error: {why}"));
    let time = |name: &str, text: &str, least: Duration, most: Duration| {
        let span = Span::parse(text).filter(|span| span.0 >= least && span.0 <= most);
        let (least, most) = (Span(least), Span(most));
        span.map(|span| span.0).ok_or_else(|| {
            usage(format!("--{name} must be a time from {least} to {most}, such as 30s or 5m, not `{text}`"))
        })
    };
    let precision = Share::parse(&args.precision).filter(|share| (0.005..=0.5).contains(&share.0));
    let precision = precision.ok_or_else(|| {
        usage(format!("--precision must be a share from 0.5% to 50%, such as 3%, not `{}`", args.precision))
    })?;
    let by = match args.by {
        ByArg::Rate => By::Rate,
        ByArg::Users => By::Users,
    };
    let (least, most) = match by {
        By::Rate => (0.001, 1e6),
        By::Users => (1.0, 10_000.0),
    };
    for (name, load) in [("start", args.start), ("most", args.most)] {
        if let Some(load) = load.filter(|load| !(least..=most).contains(load)) {
            return Err(usage(format!("--{name} must be from {least} to {most}, not {load}")));
        }
    }
    if args.start.zip(args.most).is_some_and(|(start, most)| start > most) {
        return Err(usage("--start is above --most".to_owned()));
    }
    Ok(Search {
        slo: args.slo.clone(),
        by,
        precision: precision.0,
        budget: time("budget", &args.budget, Duration::from_secs(1), MOST_BUDGET)?,
        probe: time("probe", &args.probe, Duration::from_millis(200), Duration::from_secs(60))?,
        start: args.start,
        most: args.most,
    })
}
