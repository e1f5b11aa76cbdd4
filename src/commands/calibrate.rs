//! `loadcmp calibrate`.

use super::{CommandResult, block_on, show};
use crate::{CalibrateArgs, CalibrateFormat};
use loadcmp::run::{CalibrateOptions, tell};
use loadcmp::sink;

pub(crate) fn calibrate(args: &CalibrateArgs) -> CommandResult {
    let (calibration, path) = if args.show {
        loadcmp::run::kept_calibration()?
    } else {
        let options = CalibrateOptions { quick: args.quick, quiet: args.quiet };
        block_on(loadcmp::run::calibrate(options))??
    };
    show("the calibration", |text| match args.format {
        CalibrateFormat::Table => sink::calibration(&calibration, text),
        CalibrateFormat::Json => loadcmp::report::pretty(text, &calibration),
    })?;
    if !args.quiet {
        tell(format_args!("\nfile: {}", path.display()));
    }
    Ok(0)
}
