//! TLS: who is trusted, sessions that data connections resume, and the server's side.

mod certificate;
mod client;
mod handshake;
mod kept;
mod options;
mod receiving;
mod records;
mod server;
mod session;
mod shown;
mod trust;

pub use certificate::{CertificateInfo, Fingerprint, FingerprintError};
pub use client::{ClientTls, TlsSession, Versions};
pub use options::{Identity, TlsOptions, TlsVersion};
pub use receiving::Receiving;
pub(crate) use records::{Records, record_len};
pub use server::{Purpose, ServerTls};
pub use trust::{CertificateProblem, DistrustReason, Roots, Trust};
