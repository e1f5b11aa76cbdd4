//! Figures that are kept, and of which code they are.

#[path = "../../tests/common/sources.rs"]
mod sources;

use serde_json::{Value, json};
use sources::sources;

/// Where they are kept.
const PATH: &str = "bench/figures/truth.json";

/// Keeps figures; what was kept.
pub fn keep(told: Value, real: Option<Value>, short: Value, wrong: &[String]) -> Result<String, String> {
    let mut kept = json!({ "commit": commit(), "of": sources() });
    if let (Some(kept), Value::Object(told)) = (kept.as_object_mut(), told) {
        kept.extend(told);
        kept.insert("real_sockets".to_owned(), json!(real));
        kept.insert("outside".to_owned(), json!(wrong));
        kept.insert("short".to_owned(), short);
    }
    write(&kept)?;
    Ok(format!("Kept in {PATH}."))
}

/// Compares the short form's figures with those kept: where they are the same, the others are of today's code, too.
pub fn same(short: &Value) -> Result<String, String> {
    let text = std::fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    let mut kept: Value = serde_json::from_str(&text).map_err(|error| format!("{PATH}: {error}"))?;
    // As they are read back.
    let short: Value = serde_json::from_str(&short.to_string()).map_err(|error| error.to_string())?;
    let parts = ["simulated", "capacity", "steps", "gates"];
    let others: Vec<&str> = parts.into_iter().filter(|part| kept["short"][part] != short[part]).collect();
    if !others.is_empty() {
        let words = others.join(", ");
        return Err(format!("other figures than those kept ({words}): make truth ARGS=--keep"));
    }
    kept["of"] = sources();
    kept["commit"] = json!(commit());
    write(&kept)?;
    Ok(format!("The same figures as those kept: {PATH} says that they are of this code."))
}

fn write(kept: &Value) -> Result<(), String> {
    let text = serde_json::to_string_pretty(kept).unwrap_or_default();
    std::fs::write(PATH, text + "\n").map_err(|error| format!("writing {PATH}: {error}"))
}

/// The commit of the working tree, and whether it has changes beside; `None` where it isn't known.
fn commit() -> Option<String> {
    let told =
        std::process::Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output().ok()?;
    let name = String::from_utf8(told.stdout).ok()?.trim().to_owned();
    Some(name).filter(|name| told.status.success() && !name.is_empty())
}
