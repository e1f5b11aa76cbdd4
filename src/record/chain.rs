//! An error in words, with everything that caused it.

use std::error::Error;

/// An error's words and those of its causes, with colons between; what an error says of its cause itself isn't said twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("sending")]
    struct Outer(#[source] io::Error);

    #[test]
    fn the_whole_chain_is_told_and_nothing_twice() {
        let inner = io::Error::from_raw_os_error(111);
        let words = inner.to_string();
        assert_eq!(chain(&Outer(inner)), format!("sending: {words}"));
        let wrapped = io::Error::other(Outer(io::Error::other("no CA certificates")));
        assert_eq!(chain(&wrapped), "sending: no CA certificates");
    }
}
