//! Where a server listens, as people write it: `127.0.0.1:11434`, `http://host/v1`, `https://host`, `[::1]:8080`, `:8080`.

/// A server's address, read from a target's `url`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whether it is https.
    pub tls: bool,
    /// Host name or address, without brackets; `127.0.0.1` where none is written.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// Path before every request's path, without a slash at its end; often empty.
    pub prefix: String,
}

impl Address {
    /// Reads an address; the error is half a sentence that follows the text (`is ...`, `has ...`).
    pub fn parse(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, _)) => {
                return Err(format!("begins with `{scheme}://`; only http:// and https:// are supported"));
            }
            None => (false, text),
        };
        if text.is_empty() {
            return Err("is empty; write an address, or auto".to_owned());
        }
        if let Some(odd) = text.chars().find(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) {
            return Err(format!("has an invalid character: {odd:?}"));
        }
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment; an address must end with its path".to_owned());
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("contains a user or a password; an address must not contain secrets".to_owned());
        }
        let (host, port) = split_port(authority)?;
        let port = match port {
            None => None,
            Some(port) => {
                let number = port.parse::<u16>().ok().filter(|n| *n > 0 && !port.starts_with('+'));
                Some(number.ok_or_else(|| format!("has the port `{port}`; a port is a number from 1 to 65535"))?)
            }
        };
        if host.is_empty() && port.is_none() {
            return Err("has no host".to_owned());
        }
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Self { tls, host: host.to_owned(), port, prefix: path.trim_end_matches('/').to_owned() })
    }

    /// The port that is meant: the one that is written, else the scheme's.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 443 } else { 80 })
    }
}

/// Host and port; the host of an IPv6 address stands in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("has a `[` without its `]`")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("has the host `[{host}]`, which is not an IPv6 address"));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(format!("has `{after}` instead of a port")),
        };
    }
    if authority.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(format!("has an IPv6 address without brackets; write `[{authority}]`"));
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    match host.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._".contains(*c)) {
        Some(odd) => Err(format!("has an invalid character in its host name: {odd:?}")),
        None => Ok((host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let cases = [
            ("https://box", "box", None, ""),
            ("HTTPS://127.0.0.1:8443/v1", "127.0.0.1", Some(8443), "/v1"),
            ("127.0.0.1:11434", "127.0.0.1", Some(11434), ""),
            ("http://127.0.0.1:8080/v1/", "127.0.0.1", Some(8080), "/v1"),
            ("http://box", "box", None, ""),
            ("localhost", "localhost", None, ""),
            (":8080", "127.0.0.1", Some(8080), ""),
            ("[::1]:8080", "::1", Some(8080), ""),
            ("http://[fe80::1]/a/b", "fe80::1", None, "/a/b"),
            ("HTTP://box:99", "box", Some(99), ""),
        ];
        for (text, host, port, prefix) in cases {
            let tls = text.to_lowercase().starts_with("https");
            let address = Address { tls, host: host.to_owned(), port, prefix: prefix.to_owned() };
            assert_eq!(Address::parse(text), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_says_why() {
        for (text, part) in [
            ("", "empty"),
            ("https://", "no host"),
            ("https://user:pass@box", "password"),
            ("ftp://box", "http:// and https://"),
            ("unix:///run/x", "`unix://`"),
            ("http://", "no host"),
            ("http://user:pass@box", "password"),
            ("box:0", "1 to 65535"),
            ("box:99999", "1 to 65535"),
            ("box:", "1 to 65535"),
            ("bo x", "character"),
            ("box?a=b", "query"),
            ("::1", "brackets"),
            ("[::1", "without its"),
            ("[box]:1", "not an IPv6"),
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(https?://)?[\\[\\]a-z0-9:./@?# é]{0,30}") {
            let _ = Address::parse(&text);
        }
    }
}
