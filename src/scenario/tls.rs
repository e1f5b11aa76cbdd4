//! How a server that is asked over https is checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest file of certificates that is read, in bytes: the system's own has a quarter of it.
const LARGEST: u64 = 1 << 20;

/// How a PEM certificate begins.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// How the certificate of an https server is checked. Default: against the authorities that this machine trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "`tls`")]
pub struct TlsSpec {
    /// PEM file of certificates to trust instead of this machine's authorities: the server's CA, or its self-signed
    /// certificate. Relative to the scenario's directory, or, on the command line, to the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Accepts any certificate without a check. The report says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
}

impl TlsSpec {
    /// Whether nothing is written.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The path of `ca` as seen from here: until then it starts from the scenario's directory.
    pub(super) fn resolve(&mut self, base: &Path) {
        if let Some(ca) = self.ca.as_mut().filter(|_| base != Path::new(".")) {
            *ca = base.join(&*ca);
        }
    }

    /// What is wrong with the file of certificates, in words that follow `ca`; the path is resolved.
    ///
    /// It may lie anywhere, unlike a scenario's data: a CA's usual place is the system's, and nothing of it is ever shown.
    pub(super) fn wrong_ca(&self) -> Option<String> {
        let path = self.ca.as_deref()?;
        let at = path.display();
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(format!("doesn't exist: {at}")),
            Err(error) => return Some(format!("can't be read: {at}: {error}")),
            Ok(facts) if !facts.is_file() => return Some(format!("is not a regular file: {at}")),
            Ok(facts) if facts.len() > LARGEST => return Some(format!("is larger than 1 MiB: {at}")),
            Ok(_) => {}
        }
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes));
        match read {
            Err(error) => Some(format!("can't be read: {at}: {error}")),
            Ok(_) if String::from_utf8_lossy(&bytes).contains(BEGIN) => None,
            Ok(_) => Some(format!("has no certificate in PEM format (`{BEGIN}`): {at}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_with};

    #[test]
    fn a_path_starts_from_where_it_was_written_and_is_told_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), BEGIN).unwrap();
        let text = "name: t\ntask: generate\ntargets: { a: { openai: { url: \"https://h:1\", tls: { ca: ca.pem } } } }\nworkload: { \
                    prompts: { inline: [ { text: x } ] } }\nload: { closed: { users: 1, requests: 1 } }\n";
        let load = |set: &[&str]| {
            let overrides =
                Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), ..Overrides::default() };
            let (path, none) = (folder.path().join("t.yaml"), |_: &str| Err(std::env::VarError::NotPresent));
            load_with(&path, folder.path(), text.to_owned(), &overrides, &none).map(|loaded| loaded.scenario)
        };
        let ca = |scenario: &crate::scenario::Scenario| scenario.targets["a"].tls().unwrap().ca.clone();
        let scenario = load(&[]).unwrap();
        assert_eq!(ca(&scenario), Some(folder.path().join("ca.pem")));
        assert_eq!(ca(scenario.shown.as_ref().unwrap()), Some(PathBuf::from("ca.pem")));
        let given = load(&["targets.a.openai.tls.ca=nosuch/ca.pem"]).unwrap_err().to_string();
        assert!(given.contains("doesn't exist: nosuch/ca.pem"), "{given}");
    }
}
