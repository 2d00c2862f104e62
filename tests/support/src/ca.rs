//! A throw-away certificate authority: good certificates, and the bad ones that a client must refuse.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

const DAY: Duration = Duration::from_secs(86_400);

/// An authority that lives as long as the test: no system trusts it, and its key never reaches a disk.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate as PEM.
    pub cert_pem: String,
    /// The private key as PEM (PKCS#8).
    pub key_pem: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

/// A certificate's files, as servers want them.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate, PEM.
    pub cert: PathBuf,
    /// The key, PEM.
    pub key: PathBuf,
    /// Key and certificate in one file, PEM.
    pub both: PathBuf,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new authority with a new key.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        // Named by its key, so that a stranger's certificate has an unknown issuer and not a bad signature.
        let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_raw());
        let id: String = id.as_ref()[..4]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let mut params = params(&[], &format!("Slipway test authority {id}"), -1, 3650);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert = params.self_signed(&key).unwrap();
        Self {
            der: cert.der().clone(),
            pem: cert.pem(),
            issuer: Issuer::new(params, key),
        }
    }

    /// The authority's own certificate as PEM: what a client trusts.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's own certificate as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// A good certificate for these host names or IP addresses, valid from yesterday for a year.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.sign(names, -1, 365)
    }

    /// A certificate that a client of this name shows to servers.
    pub fn issue_for_client(&self, name: &str) -> Certificate {
        let mut params = server_params(&[name], -1, 365);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Certificate::new(&cert, &key)
    }

    /// A certificate for `localhost` and the loopback addresses.
    pub fn issue_local(&self) -> Certificate {
        self.issue(&["localhost", "127.0.0.1", "::1"])
    }

    /// Signed and well named, but it ran out yesterday.
    pub fn issue_expired(&self, names: &[&str]) -> Certificate {
        self.sign(names, -30, -1)
    }

    /// Signed and well named, but it begins tomorrow.
    pub fn issue_not_yet_valid(&self, names: &[&str]) -> Certificate {
        self.sign(names, 1, 30)
    }

    /// Signed and in time, but for another host.
    pub fn issue_wrong_host(&self) -> Certificate {
        self.issue(&["elsewhere.test"])
    }

    /// A client configuration that trusts this authority and nothing else.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    fn sign(&self, names: &[&str], from_day: i64, to_day: i64) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let cert = server_params(names, from_day, to_day)
            .signed_by(&key, &self.issuer)
            .unwrap();
        Certificate::new(&cert, &key)
    }
}

impl Certificate {
    /// A certificate that nobody but itself vouches for.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let cert = server_params(names, -1, 365).self_signed(&key).unwrap();
        Self::new(&cert, &key)
    }

    fn new(cert: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            der: cert.der().clone(),
            key_der: key.serialize_der(),
        }
    }

    /// The certificate as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// SHA-256 of the DER form: what a person compares, and what a pin holds.
    pub fn sha256(&self) -> [u8; 32] {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.der);
        digest.as_ref().try_into().unwrap()
    }

    /// [`Self::sha256`] as 64 lower-case hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        self.sha256()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// Writes the PEM files into `dir`, the ones with the key readable by the owner only.
    pub fn write(&self, dir: &Path) -> CertificateFiles {
        let file = |name: &str, text: &str| {
            use std::os::unix::fs::PermissionsExt as _;
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            path
        };
        CertificateFiles {
            cert: file("cert.pem", &self.cert_pem),
            key: file("key.pem", &self.key_pem),
            both: file("both.pem", &format!("{}{}", self.key_pem, self.cert_pem)),
        }
    }

    /// A server configuration that shows this certificate, TLS 1.2 and 1.3.
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()));
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        Arc::new(
            builder
                .with_no_client_auth()
                .with_single_cert(vec![self.der.clone()], key)
                .unwrap(),
        )
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn server_params(names: &[&str], from_day: i64, to_day: i64) -> CertificateParams {
    let mut params = params(
        names,
        names.first().copied().unwrap_or("nobody"),
        from_day,
        to_day,
    );
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// `from_day` and `to_day` are days from now, negative in the past.
fn params(names: &[&str], common_name: &str, from_day: i64, to_day: i64) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Slipway tests");
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let day = |offset: i64| {
        let distance = DAY * u32::try_from(offset.unsigned_abs()).unwrap();
        let base = epoch + Duration::from_secs(now.as_secs());
        if offset < 0 {
            base - distance
        } else {
            base + distance
        }
    };
    params.not_before = day(from_day);
    params.not_after = day(to_day);
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_openssl() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = Authority::new().issue_local();
        let files = certificate.write(dir.path());
        let output = std::process::Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&files.cert)
            .output();
        let Ok(output) = output else {
            crate::skip_loudly(
                "openssl's fingerprint",
                &crate::Skipped("openssl is not installed".into()),
            );
            return;
        };
        let text = String::from_utf8(output.stdout).unwrap();
        let theirs = text
            .trim()
            .rsplit('=')
            .next()
            .unwrap()
            .replace(':', "")
            .to_lowercase();
        assert_eq!(certificate.sha256_hex(), theirs);
    }
}
