//! Certificates that we make ourselves, and those that are kept, so that who has pinned one once needn't do so again.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::ServerTls;
use crate::NetError;

impl ServerTls {
    /// The self-signed certificate that is kept in this file with its key (PEM); where there is no such file it is made, readable for its
    /// owner alone. Two programs that make it at once get the same one. `names` count for a new certificate only.
    ///
    /// # Errors
    /// [`NetError::BadCertificate`] where the file is something else, or can't be read or written. It is never overwritten.
    pub fn kept(file: &Path, names: &[&str]) -> Result<Self, NetError> {
        if !file.exists() {
            let (certificate, key) = make(names)?;
            let text = format!("{}{}", certificate.pem(), key.serialize_pem());
            keep(file, text.as_bytes()).map_err(|error| {
                NetError::BadCertificate(format!("{}: {error}", file.display()))
            })?;
        }
        Self::from_pem_files(file, file)
    }
}

/// A certificate for these host names and addresses, valid for ten years, and its key.
pub(super) fn make(names: &[&str]) -> Result<(rcgen::Certificate, rcgen::KeyPair), NetError> {
    let bad = |error: rcgen::Error| NetError::BadCertificate(error.to_string());
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names.clone()).map_err(bad)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(
        rcgen::DnType::CommonName,
        names.first().map_or("slipway", String::as_str),
    );
    let now = SystemTime::now();
    // An hour back, for clients whose clock is behind ours.
    params.not_before = (now - Duration::from_secs(3600)).into();
    params.not_after = (now + Duration::from_secs(10 * 365 * 24 * 3600)).into();
    let key = rcgen::KeyPair::generate().map_err(bad)?;
    let certificate = params.self_signed(&key).map_err(bad)?;
    Ok((certificate, key))
}

/// Puts a whole file there, for its owner alone; one that has come there meanwhile stays.
fn keep(file: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = file.with_extension(format!("new-{}", std::process::id()));
    let outcome = write(&unfinished, content).and_then(|()| {
        match fs::hard_link(&unfinished, file) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // Not every file system has links.
            Err(_) => fs::rename(&unfinished, file),
            Ok(()) => Ok(()),
        }
    });
    // After a rename there is nothing left to remove.
    let _ = fs::remove_file(&unfinished);
    outcome
}

fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out: File = options.open(file)?;
    out.write_all(content)?;
    out.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.pem");
        let first = ServerTls::kept(&file, &["localhost"]).unwrap();
        let again = ServerTls::kept(&file, &["other"]).unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        fs::write(&file, "mine").unwrap();
        assert!(ServerTls::kept(&file, &["localhost"]).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"mine");
        assert!(ServerTls::kept(&folder.path().join("no/such.pem"), &["localhost"]).is_err());
    }

    #[test]
    fn who_comes_second_takes_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.pem");
        keep(&file, b"first").unwrap();
        keep(&file, b"second").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"first");
    }
}
