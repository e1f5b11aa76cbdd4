//! The client of control calls. All of them go over plain http, so it reads no certificates: where there are none (a
//! container of one file), reqwest's own way would not give a client at all.

use crate::record::chain;
use reqwest::{Client, ClientBuilder};
use std::time::Duration;

/// A client that waits for so long.
pub(in crate::target) fn client(
    patience: Duration,
    more: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, String> {
    // No proxy: what is asked is what will be measured.
    let plain = Client::builder().no_proxy().connect_timeout(patience).timeout(patience);
    // TLS is in reqwest only where goose brings it along.
    #[cfg(feature = "goose")]
    let plain = plain.tls_certs_only(std::iter::empty::<reqwest::Certificate>());
    more(plain).build().map_err(|error| format!("no HTTP client: {}", chain(&error)))
}

/// An error of a request in words, with all that caused it; the address stands beside it anyway.
pub(in crate::target) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let told = chain(&error);
    // "error sending request: client error (Connect): tcp connect error: ..." says the same thing three times.
    let plain = ["error sending request: ", "client error (Connect): ", "tcp connect error: "];
    plain.iter().fold(told.as_str(), |told, words| told.strip_prefix(words).unwrap_or(told)).to_owned()
}
