//! Handshakes that were refused. Five wrong tokens within a minute lock every client out for half a minute, so that a token
//! that was refused once is not tried again by this process, whatever it does next: another scenario of a suite, a probe of a
//! search.

use crate::host::lock;
use crate::record::chain;
use crate::scenario::plan::Endpoint;
use std::io;
use std::sync::{Mutex, MutexGuard};

/// Where, with which token, and what was said.
struct Refused {
    at: String,
    token: String,
    why: String,
}

static REFUSED: Mutex<Vec<Refused>> = Mutex::new(Vec::new());

fn all() -> MutexGuard<'static, Vec<Refused>> {
    lock(&REFUSED)
}

/// Why a token is not tried at an endpoint, if it was refused there before.
pub(in crate::target) fn is_refused(endpoint: &Endpoint, token: &str) -> Option<String> {
    let at = endpoint.to_string();
    all().iter().find(|refused| refused.at == at && refused.token == token).map(|refused| refused.why.clone())
}

/// Keeps in mind that a handshake was refused, if that is what an error says.
pub(in crate::target) fn note_refusal(endpoint: &Endpoint, token: &str, error: &io::Error) {
    if error.kind() != io::ErrorKind::PermissionDenied || is_refused(endpoint, token).is_some() {
        return;
    }
    all().push(Refused { at: endpoint.to_string(), token: token.to_owned(), why: chain(error) });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_token_is_known_where_it_was_refused() {
        let at = |path: &str| Endpoint::Unix { path: path.into() };
        let denied = io::Error::new(io::ErrorKind::PermissionDenied, "no");
        note_refusal(&at("/unit/a"), "t", &denied);
        note_refusal(&at("/unit/b"), "t", &io::Error::other("broken"));
        assert_eq!(is_refused(&at("/unit/a"), "t").as_deref(), Some("no"));
        assert_eq!((is_refused(&at("/unit/a"), "u"), is_refused(&at("/unit/b"), "t")), (None, None));
    }
}
