//! TLS on the control connection, and the certificate.

use std::time::{Instant, SystemTime};

use ftp_net::{
    Stream,
    tls::{CertificateInfo, TlsSession},
};
use ftp_proto::Reply;

use super::{
    Check,
    patient::{Patient, said},
};
use crate::{Error, ErrorKind, TlsMode, control::Control};

/// A certificate that ends within so many days wants to be renewed.
const SOON: i64 = 21;
const DAY: i64 = 24 * 60 * 60;

impl Patient<'_> {
    /// AUTH TLS, else AUTH SSL. `None`: the server has neither, and we may go on without.
    pub(super) async fn auth(
        &mut self,
        control: &mut Control,
    ) -> Result<Option<TlsSession>, Error> {
        let begin = Instant::now();
        match self.auth_verb(control).await {
            Ok(Ok((reply, "TLS"))) if reply.code.value() == 234 => {
                self.good(Check::Auth, begin, "AUTH TLS is accepted");
            }
            Ok(Ok((reply, verb))) => self.notice(
                Check::Auth,
                begin,
                format!("AUTH {verb} is accepted, with {}", said(&reply)),
                Some("AUTH TLS is to be answered with 234 (RFC 4217 section 4)."),
            ),
            Ok(Err(reply)) => {
                let what = format!(
                    "the server has no TLS ({}): password and files can be read on the way",
                    said(&reply)
                );
                let tell = "Set up TLS: vsftpd ssl_enable=YES, ProFTPD mod_tls, Pure-FTPd --tls=1, and a certificate.";
                self.problem(Check::Auth, begin, what, Some(tell));
                return match self.config.tls {
                    TlsMode::Explicit => Err(Error::with_reply(
                        ErrorKind::TlsUnavailable,
                        "AUTH TLS",
                        reply,
                    )),
                    _ => Ok(None),
                };
            }
            Err(error) => {
                self.lost(Check::Auth, begin, &error);
                return Err(error);
            }
        }
        self.shake_hands(control, Check::Tls).await.map(Some)
    }

    /// The reply that let us in, and to which word; or the last one that did not.
    pub(super) async fn auth_verb(
        &self,
        control: &mut Control,
    ) -> Result<Result<(Reply, &'static str), Reply>, Error> {
        let mut refused = None;
        for verb in ["TLS", "SSL"] {
            let command = ftp_proto::Argument::try_from(verb).map_err(Error::argument)?;
            let reply = control.exchange(&ftp_proto::Command::Auth(command)).await?;
            if reply.code.is_completion() || reply.code.is_intermediate() {
                return Ok(Ok((reply, verb)));
            }
            refused = Some(reply);
        }
        refused
            .map(Err)
            .ok_or_else(|| Error::new(ErrorKind::Protocol, "AUTH"))
    }

    /// The handshake, with its finding.
    pub(super) async fn shake_hands(
        &mut self,
        control: &mut Control,
        check: Check,
    ) -> Result<TlsSession, Error> {
        let begin = Instant::now();
        match self.hands(control).await {
            Ok(session) => {
                if check == Check::Auth {
                    self.good(Check::Auth, begin, "TLS from the first byte");
                }
                let facts = control.stream()?.tls_facts();
                let what = facts.map_or_else(String::new, |facts| {
                    format!("{}, {}", facts.version, facts.cipher)
                });
                self.good(Check::Tls, begin, what);
                Ok(session)
            }
            Err(error) => {
                match error.kind() {
                    ErrorKind::Certificate(problem) => {
                        let info = &problem.info;
                        let what = format!("{error}; {}", described(info));
                        self.problem(
                            Check::Certificate,
                            begin,
                            what,
                            Some("Install a certificate for this name from an authority that everybody trusts (Let's Encrypt, for one), with the certificates between; or tell the users its fingerprint."),
                        );
                    }
                    ErrorKind::Timeout(_) => self.problem(
                        check,
                        begin,
                        format!("{error}"),
                        Some("The server does not answer in TLS on this port: plain FTP and explicit TLS are on port 21, implicit TLS on port 990."),
                    ),
                    _ => self.problem(
                        check,
                        begin,
                        format!("no TLS came about: {error}"),
                        Some("The server should speak TLS 1.2 or 1.3, with a certificate and key that belong together."),
                    ),
                }
                Err(error)
            }
        }
    }

    /// The handshake alone.
    pub(super) async fn hands(&self, control: &mut Control) -> Result<TlsSession, Error> {
        let doing = format!("connecting to {}:{}", self.config.host, self.config.port);
        let tls = self
            .config
            .client_tls()
            .map_err(|error| Error::net(&*doing, error))?;
        let session = tls.session(self.versions);
        let tcp = match control.take_for_tls()? {
            Stream::Plain(tcp) => tcp,
            _ => return Err(Error::new(ErrorKind::Protocol, "TLS over TLS")),
        };
        let stream = session
            .connect(tcp, self.config.timeouts.connect)
            .await
            .map_err(|error| Error::net(doing, error))?;
        control.put_back(stream);
        Ok(session)
    }

    pub(super) fn look_at_certificate(&mut self, tls: &TlsSession) {
        let begin = Instant::now();
        let Some(info) = tls.certificate() else {
            return;
        };
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
            });
        let days = info.not_after.saturating_sub(now).div_euclid(DAY);
        let certificates = match tls.chain().len() {
            0 | 1 => "shown alone".to_owned(),
            count => format!("with {} above it", count - 1),
        };
        let what = format!("{}, {certificates}", described(info));
        let renew =
            "Renew the certificate, and let a program do it from now on (certbot, acme.sh).";
        if info.not_after < now {
            self.problem(
                Check::Certificate,
                begin,
                format!("it has ended; {what}"),
                Some(renew),
            );
        } else if days < SOON {
            self.notice(
                Check::Certificate,
                begin,
                format!("it ends in {days} days; {what}"),
                Some(renew),
            );
        } else if tls.by_pin() {
            self.notice(
                Check::Certificate,
                begin,
                format!("only its fingerprint makes it trusted; {what}"),
                Some("A certificate from an authority that everybody trusts spares the users the comparison of fingerprints."),
            );
        } else {
            self.good(Check::Certificate, begin, what);
        }
    }
}

/// What a certificate says of itself.
fn described(info: &CertificateInfo) -> String {
    let mut names: Vec<&str> = info.names.iter().map(String::as_str).take(5).collect();
    if info.names.len() > names.len() {
        names.push("…");
    }
    let date = |seconds| {
        jiff::Timestamp::from_second(seconds).map_or_else(
            |_| format!("{seconds} s"),
            |time| time.strftime("%Y-%m-%d").to_string(),
        )
    };
    format!(
        "{} for {}, by {}, from {} to {}, {}",
        info.subject,
        names.join(" "),
        if info.self_signed {
            "itself"
        } else {
            &info.issuer
        },
        date(info.not_before),
        date(info.not_after),
        info.fingerprint
    )
}
