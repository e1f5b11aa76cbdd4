//! The command that began this run, as it may be told: what it takes to do it again, without its secrets.

use crate::scenario::{masked, scrub};

/// The command line of this process, quoted for a shell, secrets masked.
pub(super) fn told() -> String {
    let given = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    line(given)
}

fn line(args: impl IntoIterator<Item = String>) -> String {
    let mut words = vec!["loadcmp".to_owned()];
    words.extend(args.into_iter().map(|arg| quoted(&scrub(&masked(&arg)))));
    words.join(" ")
}

/// A word as a shell reads it back.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_reads_back_as_it_was_given_without_its_secrets() {
        let told = |args: &[&str]| line(args.iter().map(|arg| (*arg).to_owned()));
        assert_eq!(told(&["run", "classify", "--seed", "7"]), "loadcmp run classify --seed 7");
        assert_eq!(told(&["run", "it's here.yaml", ""]), r"loadcmp run 'it'\''s here.yaml' ''");
        for (given, want) in [
            ("a=openai:http://h:1,token=s3cr3t,model=m", "loadcmp 'a=openai:http://h:1,token=***,model=m'"),
            ("targets.a.openai.token=${TOKEN}", "loadcmp 'targets.a.openai.token=${TOKEN}'"),
            ("targets.a.openai.token=s3cr3t", "loadcmp 'targets.a.openai.token=***'"),
            ("targets.a.openai={url: x, token: 's3cr3t'}", "loadcmp 'targets.a.openai={url: x, token:***}'"),
            ("targets.a.json.headers.X-Key=s3cr3t", "loadcmp 'targets.a.json.headers.X-Key=***'"),
            ("a=ollama:http://me:s3cr3t@h:1/x", "loadcmp 'a=ollama:http://***@h:1/x'"),
            ("workload.sampling.max_tokens=8", "loadcmp workload.sampling.max_tokens=8"),
        ] {
            assert_eq!(told(&[given]), want);
        }
    }
}
