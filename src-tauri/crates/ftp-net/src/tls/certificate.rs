use std::{fmt, str::FromStr};

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// SHA-256 of a certificate in DER form: what a person pins.
///
/// Its text form is `sha256:` and 64 hexadecimal digits; colons between the digits and upper case are
/// accepted when it is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate's DER bytes.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a fingerprint: it takes sha256: and 64 hexadecimal digits")]
pub struct FingerprintError {
    text: String,
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || FingerprintError {
            text: text.chars().take(200).collect(),
        };
        let trimmed = text.trim();
        let digits = match trimmed.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => &trimmed[7..],
            _ => trimmed,
        };
        let mut bytes = [0; 32];
        let mut count = 0;
        for digit in digits.chars().filter(|c| *c != ':') {
            let value = digit.to_digit(16).ok_or_else(error)?;
            let byte = bytes.get_mut(count / 2).ok_or_else(error)?;
            *byte = (*byte << 4) | u8::try_from(value).map_err(|_| error())?;
            count += 1;
        }
        if count == 64 {
            Ok(Self(bytes))
        } else {
            Err(error())
        }
    }
}

/// What a certificate says of itself, for a person to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateInfo {
    /// Whom it was issued to, such as `CN=ftp.example.com`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The host names and addresses that it is for (subjectAltName).
    pub names: Vec<String>,
    /// First second of its validity, in seconds since 1970 UTC.
    pub not_before: i64,
    /// Last second of its validity, in seconds since 1970 UTC.
    pub not_after: i64,
    /// SHA-256 of the whole certificate.
    pub fingerprint: Fingerprint,
    /// True where subject and issuer are the same.
    pub self_signed: bool,
}

impl CertificateInfo {
    /// Reads a DER certificate. One that can't be parsed still has a fingerprint, and says so in its
    /// subject.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let fingerprint = Fingerprint::of(der);
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return Self {
                subject: "(a certificate that can't be read)".to_owned(),
                issuer: String::new(),
                names: Vec::new(),
                not_before: 0,
                not_after: 0,
                fingerprint,
                self_signed: false,
            };
        };
        let names = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .map(|extension| {
                extension
                    .value
                    .general_names
                    .iter()
                    .filter_map(general_name)
                    .collect()
            })
            .unwrap_or_default();
        Self {
            subject: printable(&certificate.subject().to_string()),
            issuer: printable(&certificate.issuer().to_string()),
            names,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            fingerprint,
            self_signed: certificate.subject() == certificate.issuer(),
        }
    }
}

/// More certificates than this of one chain are not shown.
const LONGEST_CHAIN: usize = 16;

impl CertificateInfo {
    /// The certificates of a chain, in their order, at most 16.
    pub(crate) fn of_chain(chain: &[rustls_pki_types::CertificateDer<'_>]) -> Vec<Self> {
        let shown = chain.iter().take(LONGEST_CHAIN);
        shown.map(|der| Self::of(der)).collect()
    }
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(printable(name)),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string()),
            bytes => <[u8; 16]>::try_from(bytes)
                .ok()
                .map(|octets| std::net::Ipv6Addr::from(octets).to_string()),
        },
        _ => None,
    }
}

/// A certificate comes from a stranger: control characters in its names must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .take(500)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_in_every_usual_form() {
        let plain = Fingerprint::of(b"x");
        let text = plain.to_string();
        assert_eq!(text.parse::<Fingerprint>().unwrap(), plain);
        let hex = &text[7..];
        assert_eq!(hex.to_uppercase().parse::<Fingerprint>().unwrap(), plain);
        let colons: Vec<String> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect();
        let text = format!("SHA256:{}", colons.join(":"));
        assert_eq!(text.parse::<Fingerprint>().unwrap(), plain);
    }

    #[test]
    fn a_fingerprint_of_another_length_is_refused() {
        for text in ["", "sha256:", "sha256:00", "sha1:00", "é", &"0".repeat(66)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn rubbish_in_place_of_a_certificate_still_has_a_fingerprint() {
        let info = CertificateInfo::of(b"rubbish");
        assert_eq!(info.fingerprint, Fingerprint::of(b"rubbish"));
        assert!(info.subject.contains("can't be read"));
    }

    #[test]
    fn names_and_dates_come_out() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["ftp.example".to_owned(), "127.0.0.1".to_owned()])
                .unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "a\nb");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let info = CertificateInfo::of(certificate.der());
        assert_eq!(info.names, ["ftp.example", "127.0.0.1"]);
        assert_eq!(info.not_before, 1_577_836_800);
        assert!(info.self_signed);
        assert!(!info.subject.contains('\n'), "{}", info.subject);
    }
}
