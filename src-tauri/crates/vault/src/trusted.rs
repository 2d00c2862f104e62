//! `trusted.json`: certificates that a person has trusted although no authority vouches for them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Folders;
use crate::document::{Document, Extra, Version};
use crate::error::{Field, Result, check_host, check_port, check_text};

/// The SHA-256 of a certificate in its written form, `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(String);

/// A text that is no SHA-256 fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits")]
pub struct FingerprintError;

impl Fingerprint {
    /// Takes the written form, with or without `sha256:`, in either case, with or without colons between the bytes.
    ///
    /// # Errors
    /// [`FingerprintError`] if that is not 64 hexadecimal digits.
    pub fn parse(text: &str) -> std::result::Result<Self, FingerprintError> {
        let text = text.trim();
        let digits = match text.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => &text[7..],
            _ => text,
        };
        let mut written = String::with_capacity(71);
        written.push_str("sha256:");
        for c in digits.chars() {
            match c {
                ':' => {}
                c if c.is_ascii_hexdigit() && written.len() < 71 => {
                    written.push(c.to_ascii_lowercase());
                }
                _ => return Err(FingerprintError),
            }
        }
        if written.len() == 71 {
            Ok(Self(written))
        } else {
            Err(FingerprintError)
        }
    }

    /// The written form, `sha256:` and 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> std::result::Result<Self, FingerprintError> {
        Self::parse(&text)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.0
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate that is trusted for one host and port.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedCertificate {
    /// Host name or address in lower case.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
    /// What is trusted.
    pub fingerprint: Fingerprint,
    /// Whom the certificate names, for people.
    #[serde(default)]
    pub subject: String,
    /// When it was trusted.
    pub trusted_at: Timestamp,
    #[serde(flatten)]
    extra: Extra,
}

/// The trusted certificates: at most one per host and port. Its functions block.
#[derive(Debug, Clone)]
pub struct Trusted(Document);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: Version,
    #[serde(default)]
    certificates: Vec<TrustedCertificate>,
    #[serde(flatten)]
    extra: Extra,
}

impl Trusted {
    /// The file in the configuration folder.
    pub fn new(folders: &Folders) -> Self {
        Self(Document::new(folders.config(), "trusted.json"))
    }

    /// All of them, in the order in which the hosts were first trusted.
    ///
    /// # Errors
    /// If the file is there but can't be read, is damaged, or of a newer version.
    pub fn list(&self) -> Result<Vec<TrustedCertificate>> {
        Ok(self.0.read::<Content>()?.certificates)
    }

    /// The one of this host (in any case) and port.
    ///
    /// # Errors
    /// As [`list`](Self::list). An error is not an answer: do not connect as if nothing were pinned.
    pub fn find(&self, host: &str, port: u16) -> Result<Option<TrustedCertificate>> {
        Ok(self.list()?.into_iter().find(|c| same(c, host, port)))
    }

    /// Trusts a certificate from now on, in place of what was trusted for this host and port before. `now` is kept as
    /// the time of the decision.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for an unusable host, port or subject; as [`list`](Self::list); and
    /// if the file can't be written. The old file then stays.
    pub fn pin(
        &self,
        host: &str,
        port: u16,
        fingerprint: Fingerprint,
        subject: &str,
        now: Timestamp,
    ) -> Result<()> {
        check_host(host)?;
        check_port(port)?;
        check_text(Field::Subject, subject)?;
        self.0.update(|content: &mut Content| {
            match content
                .certificates
                .iter_mut()
                .find(|c| same(c, host, port))
            {
                Some(known) => {
                    known.fingerprint = fingerprint;
                    known.subject = subject.to_owned();
                    known.trusted_at = now;
                }
                None => content.certificates.push(TrustedCertificate {
                    host: host.to_lowercase(),
                    port,
                    fingerprint,
                    subject: subject.to_owned(),
                    trusted_at: now,
                    extra: Extra::default(),
                }),
            }
            Ok(())
        })
    }

    /// Trusts it no longer. `false` if it was not trusted.
    ///
    /// # Errors
    /// As [`list`](Self::list), and if the file can't be written.
    pub fn forget(&self, host: &str, port: u16) -> Result<bool> {
        self.0.update(|content: &mut Content| {
            let before = content.certificates.len();
            content.certificates.retain(|c| !same(c, host, port));
            Ok(content.certificates.len() < before)
        })
    }
}

fn same(certificate: &TrustedCertificate, host: &str, port: u16) -> bool {
    certificate.port == port && certificate.host.to_lowercase() == host.to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn print(digit: char) -> Fingerprint {
        Fingerprint::parse(&digit.to_string().repeat(64)).unwrap()
    }

    #[test]
    fn pin_find_replace_forget() {
        let dir = tempfile::tempdir().unwrap();
        let trusted = Trusted::new(&Folders::new(dir.path(), dir.path()));
        let at = |s| Timestamp::from_second(s).unwrap();
        trusted
            .pin("Host.Example", 21, print('a'), "CN=one", at(1))
            .unwrap();
        trusted
            .pin("host.example", 990, print('b'), "CN=two", at(2))
            .unwrap();
        let found = trusted.find("HOST.example", 21).unwrap().unwrap();
        assert_eq!((found.fingerprint, found.trusted_at), (print('a'), at(1)));
        trusted
            .pin("host.EXAMPLE", 21, print('c'), "CN=new", at(3))
            .unwrap();
        assert_eq!(trusted.list().unwrap().len(), 2);
        assert_eq!(
            trusted
                .find("host.example", 21)
                .unwrap()
                .unwrap()
                .fingerprint,
            print('c')
        );
        assert!(trusted.forget("host.example", 21).unwrap());
        assert!(!trusted.forget("host.example", 21).unwrap());
        assert_eq!(trusted.find("host.example", 21).unwrap(), None);
        assert!(trusted.find("host.example", 990).unwrap().is_some());
        assert!(trusted.pin("", 21, print('a'), "", at(0)).is_err());
        assert!(trusted.pin("h", 0, print('a'), "", at(0)).is_err());
        let text = std::fs::read_to_string(dir.path().join("trusted.json")).unwrap();
        assert!(text.contains("1970-01-01T00:00:02Z"), "{text}");
    }

    #[test]
    fn fingerprints_have_one_written_form() {
        let plain = "Ab".repeat(32);
        let colons = vec!["aB"; 32].join(":");
        let expected = format!("sha256:{}", "ab".repeat(32));
        for text in [
            plain.clone(),
            colons.clone(),
            format!("SHA256:{colons}"),
            expected.clone(),
        ] {
            assert_eq!(Fingerprint::parse(&text).unwrap().as_str(), expected);
        }
        for bad in [
            "",
            "sha256:",
            "sha1:abcd",
            &plain[1..],
            &format!("{plain}a"),
            "ü€ü€",
        ] {
            assert_eq!(Fingerprint::parse(bad), Err(FingerprintError), "{bad:?}");
        }
    }
}
