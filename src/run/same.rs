//! Whether two targets are one: the same server and the same model, whatever wire it is asked on and however its address is
//! written.

use super::Failure;
use crate::host::listens_at_both;
use crate::scenario::plan::{Endpoint, Plan, TargetPlan};
use crate::scenario::same_model;
use crate::scenario::{Order, TargetSpec};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// Longest wait for a name's addresses.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where a server listens, each way to write it in one form.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Hosts or their addresses, the port, and the path before every request's.
    Tcp { hosts: BTreeSet<String>, port: u16, prefix: String },
    /// The socket's file.
    Unix(PathBuf),
}

impl Place {
    async fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Unix { path } => Self::Unix(path.canonicalize().unwrap_or_else(|_| path.clone())),
            Endpoint::Tcp { host, port, prefix, .. } => Self::Tcp {
                hosts: hosts(host, *port).await,
                port: *port,
                // One server speaks both of Ollama's wires: one of them below this.
                prefix: prefix.trim_end_matches("/v1").to_owned(),
            },
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tcp { hosts: a, port, prefix }, Self::Tcp { hosts: b, port: other, prefix: below }) => {
                (port, prefix) == (other, below) && !a.is_disjoint(b)
            }
            _ => self == other,
        }
    }

    /// Whether they can be one by all but the host.
    fn may_be(&self, other: &Self) -> bool {
        let rest = |place: &Self| match place {
            Self::Tcp { port, prefix, .. } => Some((*port, prefix.clone())),
            Self::Unix(_) => None,
        };
        rest(self).is_some_and(|own| Some(own) == rest(other))
    }
}

/// Whether two endpoints are one server by what listens there: this machine has more addresses than its loopback.
async fn is_one(a: &Endpoint, b: &Endpoint) -> bool {
    let (a, b) = (a.clone(), b.clone());
    // It looks through every open file.
    tokio::task::spawn_blocking(move || listens_at_both(&a, &b)).await.unwrap_or(false)
}

/// The addresses of a host; its name where it has none.
async fn hosts(host: &str, port: u16) -> BTreeSet<String> {
    let one = |address: IpAddr| {
        let here = address.is_unspecified()
            || address == IpAddr::V4(Ipv4Addr::LOCALHOST)
            || address.is_loopback() && address.is_ipv6();
        if here { Ipv4Addr::LOCALHOST.to_string() } else { address.to_string() }
    };
    if let Ok(address) = host.parse() {
        return BTreeSet::from([one(address)]);
    }
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await;
    match found {
        Ok(Ok(all)) => all.map(|address| one(address.ip())).collect(),
        _ => BTreeSet::from([host.to_ascii_lowercase()]),
    }
}

/// Writes beside each target which earlier one it is.
pub(super) async fn mark(targets: &mut [TargetPlan]) {
    let mut places = Vec::new();
    for at in 0..targets.len() {
        let place = Place::of(&targets[at].endpoint).await;
        let mut first = None;
        for (other, known) in targets[..at].iter().zip(&places) {
            if asks_the_same(other, &targets[at])
                && (place.is(known) || place.may_be(known) && is_one(&other.endpoint, &targets[at].endpoint).await)
            {
                first = Some(other.name.clone());
                break;
            }
        }
        targets[at].same_as = first;
        places.push(place);
    }
}

/// Whether two targets of one server ask the same of it.
fn asks_the_same(a: &TargetPlan, b: &TargetPlan) -> bool {
    match (&a.spec, &b.spec) {
        // A runtime may have a model behind each of its paths; where none is named, bodies or headers may say which.
        (TargetSpec::Json(one), TargetSpec::Json(other)) => {
            let named = !a.model.is_empty() || !b.model.is_empty();
            one.path == other.path
                && if named {
                    same_model(&a.model, &b.model)
                } else {
                    one.body == other.body && one.headers == other.headers
                }
        }
        _ => !a.model.is_empty() && same_model(&a.model, &b.model),
    }
}

/// Refuses to drive one server and model twice at once, unless the scenario says that it is meant.
pub(super) fn refuse(plan: &Plan) -> Result<(), Failure> {
    if plan.order != Order::Concurrent || plan.allow_same_endpoint {
        return Ok(());
    }
    let twins = plan.targets.iter().filter_map(|target| Some((target.same_as.as_ref()?, target)));
    let told: Vec<String> = twins
        .map(|(first, target)| {
            let model = if target.model.is_empty() { String::new() } else { format!("{} at ", target.model) };
            format!("error: `{first}` and `{}` are the same server and model: {model}{}", target.name, target.endpoint)
        })
        .collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(Failure::Invalid(format!(
        "{}\n  at once, each would wait for the other: correct the address, or name each target only once\n  if this \
         is intended, write `allow_same_endpoint: true` or `order: alternate` in the scenario",
        told.join("\n")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, prefix: &str) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port, prefix: prefix.to_owned(), tls: false }
    }

    #[tokio::test]
    async fn a_server_is_one_however_its_address_is_written() {
        let here = Place::of(&tcp("127.0.0.1", 9, "")).await;
        for host in ["localhost", "::1", "0.0.0.0", "::", "LOCALHOST"] {
            assert!(Place::of(&tcp(host, 9, "")).await.is(&here), "{host}");
        }
        assert!(Place::of(&tcp("127.0.0.1", 9, "/v1")).await.is(&here));
        for other in [tcp("127.0.0.1", 8, ""), tcp("127.0.0.2", 9, ""), tcp("localhost", 9, "/other")] {
            assert!(!Place::of(&other).await.is(&here), "{other}");
        }
        let nowhere = tcp("nowhere.invalid", 9, "");
        assert!(Place::of(&nowhere).await.is(&Place::of(&nowhere).await));
        assert!(!Place::of(&nowhere).await.is(&here));
        let socket = Endpoint::Unix { path: "/tmp/../tmp".into() };
        assert!(Place::of(&socket).await.is(&Place::of(&Endpoint::Unix { path: "/tmp".into() }).await));
    }
}
