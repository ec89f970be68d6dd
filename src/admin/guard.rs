//! Who may ask the admin listener: decided from the headers alone.
//!
//! A page on the Internet can make a browser inside the site's network send requests here under a
//! name that the page's owner controls (DNS rebinding). Such a name has dots and is public; what
//! operators use is an address, a name without dots, or one of the suffixes kept for private use.

use crate::base::secret::Secret;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::net::IpAddr;

/// Suffixes that no public name can have, and Kubernetes' own.
const PRIVATE: [&str; 6] = [".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc"];

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name in `Host` could be a stranger's.
    #[error("refused: unknown Host; use the address, 'localhost' or this instance's name\n")]
    Host,
    /// No token or the wrong one.
    #[error(
        "refused: send the header 'Authorization: Bearer <ADMIN_TOKEN>', or in a browser any user \
         name and ADMIN_TOKEN as the password\n"
    )]
    Token,
}

/// The rules of this listener.
#[derive(Debug, Default)]
pub struct Guard {
    /// `ADMIN_TOKEN`.
    pub token: Option<Secret>,
    /// This instance's own names.
    pub names: Vec<String>,
}

impl Guard {
    /// Judges a request; `open` paths (health and readiness) need no token.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check(
        &self,
        host: Option<&str>,
        authorization: Option<&str>,
        open: bool,
    ) -> Result<(), Refusal> {
        if !host.is_none_or(|host| self.knows(host)) {
            return Err(Refusal::Host);
        }
        let Some(token) = self.token.as_ref().filter(|_| !open) else { return Ok(()) };
        let given = authorization.and_then(token_in).unwrap_or_default();
        if same(&given, token.reveal().as_bytes()) { Ok(()) } else { Err(Refusal::Token) }
    }

    fn knows(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        address
            || !name.contains('.')
            || self.names.iter().any(|own| own.eq_ignore_ascii_case(&name))
            || name.ends_with(".svc.cluster.local")
            || PRIVATE.iter().any(|suffix| name.ends_with(suffix))
    }
}

/// The token that the header brings: a bearer's, or the password that a browser asked a person for.
fn token_in(authorization: &str) -> Option<Vec<u8>> {
    if let Some(bearer) = authorization.strip_prefix("Bearer ") {
        return Some(bearer.as_bytes().to_vec());
    }
    let decoded = BASE64_STANDARD.decode(authorization.strip_prefix("Basic ")?).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => name,
        _ => host,
    }
}

/// Compares without telling by its time how much was right.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let differing = given.iter().zip(wanted).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == wanted.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_private_names_are_known_and_public_names_are_not() {
        let guard = Guard { names: vec!["listener.example.com".into()], ..Guard::default() };
        for host in [
            "127.0.0.1:8081",
            "[::1]:8081",
            "localhost",
            "listener",
            "LISTENER.example.com:1",
            "x.ns.svc.cluster.local:8081",
            "gate.local",
            "10.0.0.1",
        ] {
            assert_eq!(guard.check(Some(host), None, false), Ok(()), "{host}");
        }
        for host in ["evil.example.org", "rebind.evil.com:8081", "127.0.0.1.evil.com", "a.b"] {
            assert_eq!(guard.check(Some(host), None, true), Err(Refusal::Host), "{host}");
        }
    }

    #[test]
    fn a_token_is_asked_for_except_for_health() {
        let guard = Guard { token: Some(Secret::new("s3cret")), ..Guard::default() };
        assert_eq!(guard.check(None, None, true), Ok(()));
        assert_eq!(guard.check(None, None, false), Err(Refusal::Token));
        assert_eq!(guard.check(None, Some("Bearer s3cre"), false), Err(Refusal::Token));
        assert_eq!(guard.check(None, Some("Bearer s3cret"), false), Ok(()));
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for (text, judged) in [
            ("anybody:s3cret", Ok(())),
            (":s3cret", Ok(())),
            ("anybody:s3cre", Err(Refusal::Token)),
            ("anybody:", Err(Refusal::Token)),
            ("s3cret", Err(Refusal::Token)),
        ] {
            assert_eq!(guard.check(None, Some(&basic(text)), false), judged, "{text}");
        }
        assert_eq!(guard.check(None, Some("Basic s3cret"), false), Err(Refusal::Token));
    }
}
