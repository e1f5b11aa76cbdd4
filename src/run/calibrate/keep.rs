//! The kept calibration: where it lies, and what runs read from it.

use super::super::say::wrapped;
use super::super::{Failure, tell};
use crate::host::{Ability, Calibration, Facts, Floor, calibration_path, facts};
use crate::scenario::plan::Plan;
use anyhow::anyhow;
use std::path::{Path, PathBuf};

/// The kept calibration, for a look at it; said on standard error if it isn't this machine's.
pub fn kept() -> Result<(Calibration, PathBuf), Failure> {
    let path = path()?;
    let read = Calibration::read(&path)
        .map_err(|error| Failure::Other(anyhow!("{error}; repeat it with: loadcmp calibrate")))?;
    let Some(calibration) = read else {
        return Err(Failure::Usage(format!(
            "error: no calibration in {}; make one with: loadcmp calibrate",
            path.display()
        )));
    };
    if let Err(why) = calibration.suits(&facts()) {
        tell(wrapped(&format!(
            "loadcmp: runs here don't use this calibration: {why}; make one with: loadcmp calibrate"
        )));
    }
    Ok((calibration, path))
}

/// The floors of a plan's targets, from the kept calibration. Why there are none is said on standard error, unless quiet.
pub(in crate::run) fn floors(plan: &Plan, quiet: bool) -> Vec<Option<Floor>> {
    let say = |text: &str| {
        // Once for all scenarios of a command.
        static SAID: std::sync::Once = std::sync::Once::new();
        if !quiet {
            SAID.call_once(|| tell(wrapped(text)));
        }
    };
    let none = vec![None; plan.targets.len()];
    let Some(path) = calibration_path() else { return none };
    let calibration = match Calibration::read(&path) {
        Ok(Some(calibration)) => calibration,
        Ok(None) => {
            say(
                "loadcmp: this machine is not calibrated, so its noise floor is not known; run once: loadcmp calibrate",
            );
            return none;
        }
        Err(error) => {
            say(&format!("loadcmp: {error}; repeat it with: loadcmp calibrate"));
            return none;
        }
    };
    if let Err(why) = calibration.suits(&facts()) {
        say(&format!("loadcmp: the saved calibration is not used: {why}; repeat it with: loadcmp calibrate"));
        return none;
    }
    let stream = plan.workload.stream && plan.task != crate::scenario::Task::Embed;
    plan.targets.iter().map(|target| calibration.floor(target, stream)).collect()
}

/// Whether there is a calibration of this machine that runs use.
pub(in crate::run) fn standing(machine: &Facts) -> Ability {
    const WHAT: &str = "calibration";
    const AGAIN: &str = "loadcmp calibrate";
    let Some(path) = calibration_path() else {
        return Ability::missing(WHAT, "there is no home directory to keep it in")
            .advised("set LOADCMP_CALIBRATION=FILE");
    };
    match Calibration::read(&path) {
        Err(error) => Ability::missing(WHAT, error.to_string()).advised(AGAIN),
        Ok(None) => Ability::missing(WHAT, format!("none in {}", path.display())).advised(AGAIN),
        Ok(Some(kept)) => match kept.suits(machine) {
            Err(why) => Ability::missing(WHAT, why).advised(AGAIN),
            Ok(()) => Ability::there(WHAT, format!("of {}, in {}", kept.made, path.display())),
        },
    }
}

pub(super) fn path() -> Result<PathBuf, Failure> {
    let none =
        || Failure::Usage("error: no home directory to save a calibration in; set LOADCMP_CALIBRATION=FILE".to_owned());
    calibration_path().ok_or_else(none)
}

/// Whether a file can be put there; makes its folder.
pub(super) fn writable(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |error: std::io::Error| {
        Failure::Other(anyhow!(
            "a calibration can't be saved in {}: {error}; set LOADCMP_CALIBRATION=FILE to another place",
            path.display()
        ))
    };
    std::fs::create_dir_all(folder).map_err(refused)?;
    if path.is_dir() {
        return Err(refused(std::io::Error::other("it is a directory")));
    }
    tempfile::tempfile_in(folder).map(drop).map_err(refused)
}
