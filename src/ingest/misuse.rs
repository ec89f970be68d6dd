//! What can go wrong between a sender and TLS, each with what to change.
//!
//! Cases: plain text to the TLS port, TLS to the plain port, no certificate or a foreign one where
//! mutual TLS wants one, a sender that does not trust ours, one that is too slow, one that leaves.
//! Every case is counted; a line is said once in a while for each of them.

use super::seldom::Seldom;
use crate::base::clock::Clock;
use metrics::{Counter, counter};
use rustls::Error;
use std::io;
use std::net::IpAddr;

/// What a sender did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misuse {
    /// Something that is not TLS on the TLS port.
    PlainText,
    /// TLS on the plain port.
    ToPlainPort,
    /// No client certificate, or not one of `TLS_CLIENT_CA_FILE`.
    Certificate,
    /// It does not accept our certificate.
    OursRefused,
    /// The handshake was not over in time.
    TooSlow,
    /// It closed the connection during the handshake.
    Left,
    /// Anything else.
    Other,
}

impl Misuse {
    /// Every case.
    const ALL: [Self; 7] = [
        Self::PlainText,
        Self::ToPlainPort,
        Self::Certificate,
        Self::OursRefused,
        Self::TooSlow,
        Self::Left,
        Self::Other,
    ];

    /// Which case the failure of a handshake is.
    pub(super) fn of(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match tls {
            Some(Error::InvalidMessage(_)) => Self::PlainText,
            Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)) => {
                Self::Certificate
            }
            Some(Error::AlertReceived(_)) => Self::OursRefused,
            Some(_) => Self::Other,
            None => Self::Left,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::PlainText => "plain-text",
            Self::ToPlainPort => "to-plain-port",
            Self::Certificate => "client-certificate",
            Self::OursRefused => "ours-refused",
            Self::TooSlow => "too-slow",
            Self::Left => "left",
            Self::Other => "other",
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::PlainText => {
                "a sender speaks plain text to the TLS port: switch TLS on at the sender, or unset TLS_CERT_FILE and TLS_KEY_FILE here"
            }
            Self::ToPlainPort => {
                "a sender speaks TLS to the plain port: set TLS_CERT_FILE and TLS_KEY_FILE here, or switch TLS off at the sender"
            }
            Self::Certificate => {
                "a sender has no certificate of TLS_CLIENT_CA_FILE that is valid now: give it one, or add its CA to that file"
            }
            Self::OursRefused => {
                "a sender refuses the certificate of TLS_CERT_FILE: give the sender the CA that signed it, or replace it if it has expired or carries another name"
            }
            Self::TooSlow => {
                "a TLS handshake was not over after 10 s: if this is an appliance, see the network between and whether TLS is on at the sender"
            }
            Self::Left => "a connection ended during its TLS handshake",
            Self::Other => "no TLS handshake: the sender has to speak TLS 1.2 or 1.3 to this port",
        }
    }
}

/// Counts and says what senders do wrong.
#[derive(Debug)]
pub(super) struct Notes(Vec<(Misuse, Counter, Seldom)>);

impl Default for Notes {
    fn default() -> Self {
        let failed = |reason| counter!("xsa_tls_handshakes_failed_total", "reason" => reason);
        let note = |misuse: Misuse| (misuse, failed(misuse.name()), Seldom::default());
        Self(Misuse::ALL.into_iter().map(note).collect())
    }
}

impl Notes {
    /// Counts one case, and says it unless it was said a moment ago.
    pub(super) fn note(&self, misuse: Misuse, peer: IpAddr, detail: &str, clock: &dyn Clock) {
        let Some((_, counter, seldom)) = self.0.iter().find(|(known, ..)| *known == misuse) else {
            return;
        };
        counter.increment(1);
        let Some(unsaid) = seldom.due(clock) else { return };
        match misuse {
            // A port scan, or a health check that only connects.
            Misuse::Left => tracing::info!(%peer, unsaid, detail, "{}", misuse.advice()),
            _ => tracing::warn!(%peer, unsaid, detail, "{}", misuse.advice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{AlertDescription, CertificateError, InvalidMessage};

    #[test]
    fn every_failure_of_a_handshake_has_its_case() {
        let table = [
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), Misuse::PlainText),
            (Error::NoCertificatesPresented, Misuse::Certificate),
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), Misuse::Certificate),
            (Error::AlertReceived(AlertDescription::UnknownCA), Misuse::OursRefused),
            (Error::HandshakeNotComplete, Misuse::Other),
        ];
        for (error, misuse) in table {
            let text = error.to_string();
            let error = io::Error::new(io::ErrorKind::InvalidData, error);
            assert_eq!(Misuse::of(&error), misuse, "{text}");
        }
        assert_eq!(Misuse::of(&io::ErrorKind::UnexpectedEof.into()), Misuse::Left);
    }
}
