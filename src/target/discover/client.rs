//! The client of control calls. Over plain http it reads no certificates: where there are none (a container of one file),
//! reqwest's own way would not give a client at all. Over https it checks as the measured path does.

use crate::record::chain;
use crate::target::tls::{self, Tls};
use reqwest::{Client, ClientBuilder};
use std::time::Duration;

/// A client that waits for so long, and encrypts if that is given.
pub(in crate::target) fn client(
    patience: Duration,
    tls: Option<&Tls>,
    more: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Result<Client, String> {
    // No proxy, and no redirect: what is asked is what will be measured, and headers may be secrets.
    let plain = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(patience)
        .timeout(patience);
    let ready = match tls {
        Some(tls) => plain.tls_backend_preconfigured(tls.config()),
        None => plain.tls_certs_only(std::iter::empty::<reqwest::Certificate>()),
    };
    more(ready).build().map_err(|error| format!("no HTTP client: {}", chain(&error)))
}

/// An error of a request in words, with all that caused it; the address stands beside it anyway.
pub(in crate::target) fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    if let Some(told) = tls::words(&error) {
        return told;
    }
    let told = chain(&error);
    // "error sending request: client error (Connect): tcp connect error: ..." says the same thing three times.
    let plain = ["error sending request: ", "client error (Connect): ", "tcp connect error: "];
    plain.iter().fold(told.as_str(), |told, words| told.strip_prefix(words).unwrap_or(told)).to_owned()
}
