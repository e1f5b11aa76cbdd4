//! An argument of the command line as it may be told, in a message or in a report.

use super::mistake::mask;

/// Words after which `=` or `:` sets a secret.
const SECRETS: [&str; 6] = ["token", "secret", "password", "api_key", "authorization", "headers"];

/// An argument with `***` in the place of what is set to a secret, of every header's value, and of a name and password before
/// a host.
pub fn masked(arg: &str) -> String {
    let arg = &mask(arg);
    // Of the same length byte by byte: ASCII alone changes.
    let lower = arg.to_ascii_lowercase();
    let mut hidden: Vec<(usize, usize)> = Vec::new();
    for word in SECRETS {
        // `max_token` is a mistake for `max_tokens`, and no secret.
        for (at, _) in lower.match_indices(word).filter(|(at, _)| !lower[..*at].ends_with("max_")) {
            let rest = &arg[at + word.len()..];
            let set = rest.trim_start_matches(['"', '\'', ' ']);
            // Of headers each is one: `headers.x-key=…`.
            let set = if word == "headers" { set.find(['=', ':']).map_or("", |at| &set[at..]) } else { set };
            let Some(value) = set.strip_prefix(['=', ':']) else { continue };
            // What names a variable is no secret, and is what it takes to do it again.
            if is_reference(value.trim_start_matches(['"', '\'', ' '])) {
                continue;
            }
            let from = arg.len() - value.len();
            let to =
                if word == "headers" { arg.len() } else { value.find([',', '}']).map_or(arg.len(), |end| from + end) };
            hidden.push((from, to));
        }
    }
    for (at, _) in arg.match_indices("://") {
        let host = at + 3;
        let end = arg[host..].find(['/', ',', '}']).map_or(arg.len(), |end| host + end);
        hidden.extend(arg[host..end].rfind('@').map(|at| (host, host + at)));
    }
    hidden.sort_unstable();
    let (mut shown, mut done) = (String::new(), 0);
    for (from, to) in hidden {
        if from >= done {
            shown.push_str(&arg[done..from]);
            shown.push_str("***");
        }
        done = done.max(to);
    }
    shown + &arg[done..]
}

/// Whether a value is a reference to a variable or a file, and nothing besides it.
fn is_reference(value: &str) -> bool {
    let after = value.strip_prefix("${").and_then(|rest| rest.split_once('}'));
    after.is_some_and(|(_, after)| {
        let after = after.trim_start_matches(['"', '\'', ' ']);
        after.is_empty() || after.starts_with([',', '}'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_headers_each_value_is_masked_that_is_no_reference() {
        for (given, told) in [
            ("a=openai:h:1,headers.X-Id=${ID},headers.X-Key=hush", "a=openai:h:1,headers.X-Id=${ID},headers.X-Key=***"),
            ("a=openai:h:1,headers={\"X-Id\":\"hush\"}", "a=openai:h:1,headers=***"),
            ("targets.a.json.headers={X-Id: \"${ID}\", X-Key: hush}", "targets.a.json.headers=***"),
            ("targets.a.json.headers.X-Id=${ID}hush", "targets.a.json.headers.X-Id=***"),
            ("targets.a.json.headers.X-Id=\"${ID:-x}\"", "targets.a.json.headers.X-Id=\"${ID:-x}\""),
            ("targets.a.json.body.api-key=hush", "targets.a.json.body.api-key=****"),
            ("targets.a.openai.token=[hush, hush]", "targets.a.openai.token=***"),
            ("a=openai:http://h:1,token=${T},model=m", "a=openai:http://h:1,token=${T},model=m"),
        ] {
            assert_eq!(masked(given), told);
        }
    }
}
