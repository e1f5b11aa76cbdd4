//! Which of a server's processes serve the model that is measured, and which serve others: an Ollama keeps a child for each
//! model, and what the others hold is no cost of this one.

use super::argv::{ModelServer, blob};
use super::processes::words;
use std::collections::{BTreeMap, BTreeSet};

/// The model that a target is asked for, as command lines may name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Its name on the wire.
    pub name: String,
    /// Digests of its files, 64 hex digits each, where the engine keeps models by them (Ollama).
    pub blobs: Vec<String>,
}

impl Model {
    /// The digests in a Modelfile's `FROM` lines: of the weights, and of a projector or an adapter beside them.
    pub fn blobs_of(modelfile: &str) -> Vec<String> {
        let from = modelfile.lines().filter_map(|line| line.strip_prefix("FROM "));
        from.filter_map(|path| blob(path.trim())).map(str::to_owned).collect()
    }
}

/// Whose a model's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serves {
    This,
    Another,
    /// Its command line doesn't say.
    Unclear,
}

impl Model {
    pub(super) fn served_by(&self, server: &ModelServer) -> Serves {
        if let Some(blob) = server.blob().filter(|_| !self.blobs.is_empty()) {
            return if self.blobs.iter().any(|own| own == blob) { Serves::This } else { Serves::Another };
        }
        let bare = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
        if !server.aliases.is_empty() {
            let same = server.aliases.iter().any(|alias| bare(alias) == bare(&self.name));
            return if same { Serves::This } else { Serves::Another };
        }
        Serves::Unclear
    }
}

/// Readings after which a process that serves no model won't: a fork shows its parent's command line until it is another
/// program.
const SETTLED: u8 = 5;

/// What is known of a server's descendants.
#[derive(Debug, Default)]
pub(super) struct Kin {
    model: Model,
    known: BTreeMap<(u32, u64), ServedModel>,
    unclear: bool,
}

#[derive(Clone, Copy, Debug)]
enum ServedModel {
    /// It serves no model, as far as it was looked at so often.
    None(u8),
    Model(Serves),
}

impl Kin {
    pub(super) fn of(model: Model) -> Self {
        Self { model, ..Self::default() }
    }

    /// Of a server's descendants (number, start), those that serve other models.
    pub(super) fn others(&mut self, descendants: &[(u32, u64)]) -> BTreeSet<u32> {
        self.others_by(descendants, |pid| ModelServer::read(&words(pid)))
    }

    fn others_by(&mut self, descendants: &[(u32, u64)], read: impl Fn(u32) -> Option<ModelServer>) -> BTreeSet<u32> {
        let before = std::mem::take(&mut self.known);
        for key in descendants {
            let known = match before.get(key) {
                Some(known @ (ServedModel::Model(_) | ServedModel::None(SETTLED))) => *known,
                looked => match read(key.0).filter(|server| server.model.is_some()) {
                    Some(server) => ServedModel::Model(self.model.served_by(&server)),
                    None => ServedModel::None(if let Some(ServedModel::None(times)) = looked { times + 1 } else { 1 }),
                },
            };
            self.known.insert(*key, known);
        }
        let are = |wanted: Serves| {
            let known = self.known.iter();
            known
                .filter(move |(_, known)| matches!(known, ServedModel::Model(serves) if *serves == wanted))
                .map(|(key, _)| key.0)
        };
        // Where one is this model's for certain, what doesn't say is another's.
        let certain = are(Serves::This).next().is_some();
        self.unclear = !certain && are(Serves::Unclear).count() > 1;
        let unclear = are(Serves::Unclear).filter(|_| certain);
        are(Serves::Another).chain(unclear).collect()
    }

    /// Whether several processes may be the model's, and all are counted.
    pub(super) fn unclear(&self) -> bool {
        self.unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn server(line: &str) -> Option<ModelServer> {
        ModelServer::read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    /// Processes from 10 on, with these command lines.
    fn others(model: Model, lines: &[&str]) -> (Vec<u32>, bool) {
        let keys: Vec<(u32, u64)> = (10..).zip(std::iter::repeat(1)).take(lines.len()).collect();
        let mut kin = Kin::of(model);
        let found = kin.others_by(&keys, |pid| server(lines[pid as usize - 10]));
        assert_eq!(found, kin.others_by(&keys, |pid| server(lines[pid as usize - 10])), "the same the next time");
        (found.into_iter().collect(), kin.unclear())
    }

    #[test]
    fn children_are_known_by_their_blobs() {
        let modelfile = format!("# FROM x:latest\n\nFROM /m/blobs/sha256-{A}\nFROM /m/blobs/sha256-{B}\nTEMPLATE x\n");
        assert_eq!(Model::blobs_of(&modelfile), [A, B]);
        assert_eq!(Model::blobs_of("FROM standin@sha256-aa\nFROM x:latest\n"), [""; 0]);
        let (a, b) = (format!("llama-server --model /m/sha256-{A}"), format!("ollama runner --model /m/sha256-{B}"));
        let model = |blobs: &[&str]| Model { name: "x".into(), blobs: blobs.iter().map(|b| (*b).to_owned()).collect() };
        assert_eq!(others(model(&[A]), &[&a, &b, "sleep 1"]), (vec![11], false));
        assert_eq!(others(model(&[B]), &[&a]), (vec![10], false), "its own isn't loaded yet");
        assert_eq!(others(model(&[]), &[&a]), (vec![], false), "the only one is its own");
        assert_eq!(others(model(&[]), &[&a, &b]), (vec![], true), "nobody says which");
        assert_eq!(others(model(&[A]), &[&a, "llama-server --model /m/x.gguf"]), (vec![11], false));
    }

    #[test]
    fn a_routers_children_are_known_by_their_names() {
        let model = Model { name: "x:latest".into(), blobs: Vec::new() };
        let lines = ["llama-server -m /m/x.gguf -a x", "llama-server -m /m/y.gguf --alias y,z"];
        assert_eq!(others(model, &lines), (vec![11], false));
    }

    #[test]
    fn a_fork_is_looked_at_again_until_it_is_what_it_will_be() {
        let mut kin = Kin::of(Model { name: "x".into(), blobs: vec![A.to_owned()] });
        let other = server(&format!("llama-server --model /m/sha256-{B}"));
        assert_eq!(kin.others_by(&[(7, 1)], |_| None), BTreeSet::new());
        assert_eq!(kin.others_by(&[(7, 1)], |_| other.clone()), BTreeSet::from([7]));
        for _ in 0..SETTLED {
            kin.others_by(&[(8, 1)], |_| None);
        }
        assert_eq!(kin.others_by(&[(8, 1)], |_| other.clone()), BTreeSet::new(), "it was looked at often enough");
        assert_eq!(kin.others_by(&[(8, 2)], |_| other.clone()), BTreeSet::from([8]), "another of that number");
    }
}
