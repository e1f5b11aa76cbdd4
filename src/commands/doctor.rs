//! `loadcmp doctor`.

use super::{CommandResult, block_on, show};
use loadcmp::sink;

pub(crate) fn doctor(json: bool) -> CommandResult {
    let found = block_on(loadcmp::run::doctor())??;
    show("what was found", |text| match json {
        true => loadcmp::report::pretty(text, &found),
        false => sink::doctor(&found, text),
    })
}
