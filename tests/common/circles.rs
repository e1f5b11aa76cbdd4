//! Circles between files: two that need each other, directly or by others, can't be read or changed one at a time. A file and the
//! files below it in the tree of modules are one thing; tests and fixtures don't count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

type Path = Vec<String>;

/// A path in a file: what it is called there, if it is an import, and whether others may import it from there.
type Named = (Path, Option<String>, bool);

type Files = BTreeMap<Path, Vec<Named>>;

/// Whether a file has tests, or what they are made of.
pub fn is_test(file: &str) -> bool {
    ["tests.rs", "cases.rs", "fixture.rs", "properties.rs"].iter().any(|end| file.ends_with(end))
}

/// Every circle among files that are given by name and text: a line for each step, with the paths that make it.
pub fn circles(files: &[(String, String)]) -> Vec<String> {
    let files = files.iter().filter(|(file, _)| !is_test(file));
    let (names, all): (BTreeMap<Path, &String>, Files) =
        files.map(|(file, text)| ((module(file), file), (module(file), paths(text)))).unzip();
    let needs: BTreeMap<&Path, _> = all.keys().map(|here| (here, needs(&all, here))).collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for start in all.keys() {
        let Some(circle) = back_to(&needs, start).filter(|circle| !circle.iter().any(|file| seen.contains(file)))
        else {
            continue;
        };
        let step = |(one, next): (&Path, &Path)| format!("{} needs {}: {}", names[one], names[next], needs[one][next]);
        found.push(circle.iter().zip(&circle[1..]).map(step).collect::<Vec<_>>().join("\n  "));
        seen.extend(circle);
    }
    found
}

/// The shortest way from a file back to itself.
fn back_to(needs: &BTreeMap<&Path, BTreeMap<Path, String>>, start: &Path) -> Option<Vec<Path>> {
    let (mut ways, mut seen) = (VecDeque::from([vec![start.clone()]]), BTreeSet::new());
    while let Some(way) = ways.pop_front() {
        for next in needs[way.last()?].keys() {
            let longer = [way.as_slice(), std::slice::from_ref(next)].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push_back(longer);
            }
        }
    }
    None
}

/// The files that a file needs, each with the first path that leads there.
fn needs(all: &Files, here: &Path) -> BTreeMap<Path, String> {
    let mut needs = BTreeMap::new();
    for (path, ..) in &all[here] {
        let import = |(_, name, _): &&Named| name.as_ref() == path.first();
        let through = || absolute(all, here, &all[here].iter().find(import)?.0).filter(|whole| all.contains_key(whole));
        let whole = absolute(all, here, path).or_else(|| Some([through()?.as_slice(), &path[1..]].concat()));
        let Some(there) = whole.and_then(|whole| defined(all, &whole, 0)) else { continue };
        if !there.starts_with(here) && !here.starts_with(&there) {
            needs.entry(there).or_insert_with(|| path.join("::"));
        }
    }
    needs
}

/// A path from the crate's root, where it leads into the crate.
fn absolute(all: &Files, here: &Path, path: &[String]) -> Option<Path> {
    let up = path.iter().take_while(|part| *part == "super").count();
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([here.as_slice(), &path[1..]].concat()),
        "super" => Some([&here[..here.len().checked_sub(up)?], &path[up..]].concat()),
        _ => Some([here.as_slice(), path].concat()).filter(|whole| all.contains_key(&whole[..=here.len()])),
    }
}

/// The file that defines what a path leads to, through those that pass it on.
fn defined(all: &Files, path: &[String], passed: u32) -> Option<Path> {
    let length = (0..=path.len()).rev().find(|length| all.contains_key(&path[..*length]))?;
    let (file, rest) = (path[..length].to_vec(), &path[length..]);
    let on = |(_, name, public): &&Named| *public && name.is_some() && name.as_ref() == rest.first();
    let from = all[&file].iter().find(on).filter(|_| passed < 8);
    match from.and_then(|(from, ..)| absolute(all, &file, from)) {
        Some(whole) => defined(all, &[whole.as_slice(), &rest[1..]].concat(), passed + 1),
        None => Some(file),
    }
}

/// `src/stats/row.rs` is `stats::row`, `src/stats/mod.rs` is `stats`, and `src/lib.rs` the root.
fn module(file: &str) -> Path {
    let name = file.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if name == "lib" { Path::new() } else { name.split('/').map(str::to_owned).collect() }
}

/// The imports of a file, and the paths in its code.
fn paths(text: &str) -> Vec<Named> {
    let mut found = Vec::new();
    for statement in bare(text).split(';') {
        let import = |line: &str| line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        let at = statement.split_inclusive('\n').take_while(|line| !import(line.trim_start())).map(str::len).sum();
        let (code, import) = statement.split_at(at);
        if let Some((visible, tree)) = import.split_once("use ") {
            expand(&[], tree, !visible.trim().is_empty(), &mut found);
        }
        let words = code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
        found.extend(words.map(parts).filter(|path| path.len() > 1).map(|path| (path, None, false)));
    }
    found
}

fn parts(path: &str) -> Path {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Takes `a::{b, c::d as e}` apart.
fn expand(before: &[String], tree: &str, public: bool, into: &mut Vec<Named>) {
    let mut depth = 0;
    let at_comma = |c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    };
    for piece in tree.split(at_comma).map(str::trim).filter(|piece| !piece.is_empty()) {
        if let Some((head, inside)) = piece.split_once('{') {
            expand(&[before, parts(head).as_slice()].concat(), inside.trim_end_matches('}'), public, into);
        } else {
            let (path, name) = piece.split_once(" as ").unwrap_or((piece, ""));
            let path = [before, parts(path).as_slice()].concat();
            let name = if name.is_empty() { path.last().cloned() } else { Some(name.trim().to_owned()) };
            into.push((path, name, public));
        }
    }
}

/// Code without its tests, its comments, and what stands in quotes.
fn bare(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let (mut bare, mut rest) = (String::new(), code);
    while let Some(c) = rest.chars().next() {
        let hashes = rest[c.len_utf8()..].chars().take_while(|c| *c == '#').count();
        let after = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
        let length = match c {
            '/' if rest.starts_with("//") => after(0, "\n") - 1,
            'r' if rest[1 + hashes..].starts_with('"') => after(2 + hashes, &format!("\"{}", "#".repeat(hashes))),
            '"' => {
                let mut escaped = false;
                let end = rest[1..].find(|c| {
                    let end = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    end
                });
                end.map_or(rest.len(), |at| at + 2)
            }
            '\'' if rest.starts_with("'\\") => after(3, "'"),
            '\'' if rest.chars().nth(2) == Some('\'') => rest.char_indices().nth(3).map_or(rest.len(), |(at, _)| at),
            c => {
                bare.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    bare
}
