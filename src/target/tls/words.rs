//! What is wrong with a certificate or a handshake, in words: what, and what to do about it.

use super::trust::is_a_cas;
use std::error::Error as StdError;
use std::io;
use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{CertificateError, Error};

/// What TLS says of an error, however deep it lies; `None` where it says nothing.
pub(in crate::target) fn words(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(told) = error.downcast_ref::<Error>() {
        return Some(of(told));
    }
    // An I/O error hands on the source of what it holds, and not that itself.
    let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    held.and_then(|held| words(held)).or_else(|| words(error.source()?))
}

/// The same of a handshake that failed, and of one that ended too soon.
pub(super) fn of_handshake(error: &io::Error) -> Option<String> {
    let early = matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    );
    let closed = || "it closed the connection during the TLS handshake. If it doesn't use TLS, write http://";
    words(error).or_else(|| early.then(|| closed().to_owned()))
}

fn of(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::InvalidMessage(_) => "the server doesn't use TLS: write http://".to_owned(),
        Error::PeerIncompatible(why) => format!("it supports no TLS version of loadcmp (1.2 and 1.3): {why:?}"),
        Error::AlertReceived(alert) => format!("it refused the TLS handshake with the alert {alert:?}"),
        other => format!("TLS failed: {other}"),
    }
}

fn certificate(why: &CertificateError) -> String {
    let day = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).ok()?;
        Some(jiff::Timestamp::from_second(seconds).ok()?.strftime("%Y-%m-%d").to_string())
    };
    let since = |word: &str, time: &UnixTime| day(time).map(|day| format!(" {word} {day}")).unwrap_or_default();
    let unchecked = "or skip the check: `tls: { insecure: true }`";
    match why {
        why if matches!(why, CertificateError::UnknownIssuer) || is_a_cas(why) => format!(
            "its certificate isn't signed by a known authority: name its CA (or the certificate itself) with `tls: {{ ca: FILE \
             }}`, {unchecked}"
        ),
        CertificateError::Expired => format!("its certificate has expired: renew it, {unchecked}"),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate has expired{}: renew it, {unchecked}", since("on", not_after))
        }
        CertificateError::NotValidYet => format!("its certificate isn't valid yet: is the clock right? {unchecked}"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            let from = since("before", not_before);
            format!("its certificate isn't valid{from}: is this machine's clock right? Wait, {unchecked}")
        }
        CertificateError::NotValidForName => {
            format!("its certificate is for another name: use a name in the certificate, {unchecked}")
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let of = match presented.as_slice() {
                [] => "no name at all".to_owned(),
                // As rustls tells them: `DnsName("box")`, `IpAddress(10.0.0.1)`.
                some => some.iter().map(|name| bare(name)).collect::<Vec<_>>().join(", "),
            };
            let expected = expected.to_str();
            format!("its certificate is for {of}, not for {expected}: use a name in the certificate, {unchecked}")
        }
        CertificateError::Revoked => format!("its certificate was revoked: renew it, {unchecked}"),
        CertificateError::BadSignature => format!(
            "its certificate isn't signed by the authority it claims: name the right CA with `tls: {{ ca: FILE }}`, \
             {unchecked}"
        ),
        other => format!("its certificate can't be checked ({other:?}): {}", unchecked.trim_start_matches("or ")),
    }
}

/// A name without the word for its kind.
fn bare(name: &str) -> &str {
    let inside = name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    inside.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_however_deep_it_lies() {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let held = io::Error::new(io::ErrorKind::InvalidData, unknown());
        let deep = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, unknown()));
        for error in [&held as &(dyn StdError + 'static), &deep, &unknown()] {
            assert!(words(error).is_some_and(|told| told.contains("known authority")));
        }
        assert_eq!(words(&io::Error::other("x")), None);
    }

    #[test]
    fn dates_and_names_are_told() {
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_600_000_000));
        let told = certificate(&CertificateError::ExpiredContext { time, not_after: time });
        assert!(told.contains("expired on 2020-09-13") && told.contains("insecure: true"), "{told}");
        assert_eq!((bare("DnsName(\"box\")"), bare("IpAddress(10.0.0.1)"), bare("box")), ("box", "10.0.0.1", "box"));
    }
}
