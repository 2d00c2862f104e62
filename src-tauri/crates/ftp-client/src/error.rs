use std::{
    error::Error as StdError,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ftp_net::{DeflateProblem, NetError, ProxyProblem, Waited, tls::CertificateProblem};
use ftp_proto::{ArgumentError, Code, Reply};

use crate::Masks;

/// So many bytes of a reply that breaks the rules are shown.
const DAMAGED: usize = 200;
/// So many bytes of a refusal are shown.
const WORDS: usize = 2000;

/// Why an operation failed. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    /// What was being done, such as `RETR /a` or `connecting to example.com:21`.
    doing: String,
    reply: Option<Reply>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The replies that would have been right, where others than 2xx.
    expected: Masks,
    /// Set when the connection was closed because of it.
    fatal: AtomicBool,
}

/// What went wrong, to match on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host name has no address.
    Resolve,
    /// Nobody accepts connections there.
    Connect,
    /// The proxy refuses: the login, or the way to this server, or it is no proxy at all. A server that the proxy can't
    /// reach is [`Connect`](Self::Connect).
    Proxy,
    /// A time limit passed.
    Timeout(Waited),
    /// The connection broke, or the server closed it.
    Lost,
    /// The server takes no more of us for now (421, or 530 "too many").
    Busy,
    /// TLS was demanded and the server has none.
    TlsUnavailable,
    /// The TLS layer failed for another reason than trust.
    Tls,
    /// The server's certificate is not trusted.
    Certificate(Box<CertificateProblem>),
    /// A password would have gone over an unencrypted connection without leave.
    PlaintextRefused,
    /// User or password are wrong, or the user may not come in.
    LoginRefused,
    /// The file or folder isn't there, or can't be opened.
    NotFound,
    /// The server refused a command for another reason.
    Refused,
    /// The server broke the rules of the protocol.
    Protocol,
    /// An argument that can't be sent.
    Argument,
    /// The transfer ended before the end of the file.
    Truncated,
    /// What the server has is not what was sent: its size or its hash differs.
    Mismatch,
    /// The file is longer than the caller wants to hold.
    TooLong,
    /// Reading or writing on this side failed.
    Local,
    /// The server can't do this.
    Unsupported,
    /// The operation was given up by its owner.
    Cancelled,
}

/// Who has to act so that it goes better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The peer broke the rules.
    PeerBroke,
    /// The peer won't or can't.
    PeerRefused,
    /// Bytes were lost or damaged on the way.
    Damaged,
    /// The caller asked for something impossible, or changed its mind.
    Caller,
    /// The network failed.
    Network,
    /// This computer failed: its disk, for one.
    Local,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, doing: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            doing: doing.into(),
            reply: None,
            source: None,
            expected: Masks::default(),
            fatal: AtomicBool::new(false),
        }))
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        doing: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            doing: doing.into(),
            reply: None,
            source: Some(source.into()),
            expected: Masks::default(),
            fatal: AtomicBool::new(false),
        }))
    }

    pub(crate) fn with_reply(kind: ErrorKind, doing: impl Into<String>, reply: Reply) -> Self {
        Self(Arc::new(Inner {
            kind,
            doing: doing.into(),
            reply: Some(reply),
            source: None,
            expected: Masks::default(),
            fatal: AtomicBool::new(false),
        }))
    }

    pub(crate) fn argument(source: ArgumentError) -> Self {
        Self::with_source(ErrorKind::Argument, "an argument", source)
    }

    pub(crate) fn net(doing: impl Into<String>, source: NetError) -> Self {
        let kind = match &source {
            NetError::Resolve { .. } => ErrorKind::Resolve,
            NetError::Connect { .. } => ErrorKind::Connect,
            NetError::Proxy { problem, .. } => match problem {
                ProxyProblem::Unreachable(_) | ProxyProblem::TargetUnreachable { .. } => {
                    ErrorKind::Connect
                }
                ProxyProblem::Timeout(_) => ErrorKind::Timeout(Waited::Connect),
                ProxyProblem::Io(_) | ProxyProblem::Closed(_) => ErrorKind::Lost,
                ProxyProblem::Unable(_) => ErrorKind::Argument,
                _ => ErrorKind::Proxy,
            },
            NetError::NoPort { .. } => ErrorKind::Local,
            NetError::Deflate(DeflateProblem::Truncated { .. }) => ErrorKind::Truncated,
            NetError::Deflate(_) => ErrorKind::Protocol,
            NetError::Timeout { what, .. } => ErrorKind::Timeout(*what),
            NetError::Certificate(problem) => ErrorKind::Certificate(problem.clone()),
            NetError::Tls { .. } | NetError::NotResumed => ErrorKind::Tls,
            NetError::BadCertificate(_) | NetError::BadHost(_) | NetError::Settings(_) => {
                ErrorKind::Argument
            }
            NetError::Local(_) => ErrorKind::Local,
            NetError::Cancelled => ErrorKind::Cancelled,
            _ => ErrorKind::Lost,
        };
        Self::with_source(kind, doing, source)
    }

    /// The error that a negative reply to `doing` stands for.
    pub(crate) fn refused(doing: impl Into<String>, reply: Reply) -> Self {
        let doing = doing.into();
        Self::with_reply(refusal(&doing, &reply), doing, reply)
    }

    /// The error that a reply to `doing` stands for where others were expected.
    pub(crate) fn unexpected(doing: impl Into<String>, reply: Reply, expected: Masks) -> Self {
        let doing = doing.into();
        let kind = match reply.code.class() {
            4 | 5 => refusal(&doing, &reply),
            _ => ErrorKind::Protocol,
        };
        Self(Arc::new(Inner {
            kind,
            doing,
            reply: Some(reply),
            source: None,
            expected,
            fatal: AtomicBool::new(false),
        }))
    }

    /// An error in the caller's own words, for one who opens connections on behalf of others and can't even begin: there is no
    /// password, or no such site. Its kind is [`ErrorKind::Argument`], so that nobody tries again.
    pub fn of_caller(why: impl Into<String>) -> Self {
        Self::new(ErrorKind::Argument, why)
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The server's reply, where it was one that said no.
    #[must_use]
    pub fn reply(&self) -> Option<&Reply> {
        self.0.reply.as_ref()
    }

    /// The replies that would have been right, where the server gave another one: `2xx` unless the operation wanted others. Empty
    /// where the error is none of a reply.
    #[must_use]
    pub fn expected(&self) -> Masks {
        match (self.received(), self.0.expected.is_empty()) {
            (None, _) => Masks::default(),
            (Some(_), true) => Masks::from("2xx"),
            (Some(_), false) => self.0.expected.clone(),
        }
    }

    /// The code of the reply that came instead. What a listing proved not to be there counts as 550.
    #[must_use]
    pub fn received(&self) -> Option<Code> {
        match &self.0.reply {
            Some(reply) => Some(reply.code),
            None if self.0.kind == ErrorKind::NotFound => Code::new(550),
            None => None,
        }
    }

    /// Who has to act.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self.0.kind {
            ErrorKind::Protocol => Blame::PeerBroke,
            ErrorKind::Busy
            | ErrorKind::TlsUnavailable
            | ErrorKind::LoginRefused
            | ErrorKind::Proxy
            | ErrorKind::NotFound
            | ErrorKind::Refused
            | ErrorKind::Certificate(_)
            | ErrorKind::Unsupported => Blame::PeerRefused,
            ErrorKind::Truncated | ErrorKind::Mismatch | ErrorKind::TooLong => Blame::Damaged,
            ErrorKind::PlaintextRefused | ErrorKind::Argument | ErrorKind::Cancelled => {
                Blame::Caller
            }
            ErrorKind::Resolve
            | ErrorKind::Connect
            | ErrorKind::Timeout(_)
            | ErrorKind::Lost
            | ErrorKind::Tls => Blame::Network,
            ErrorKind::Local => Blame::Local,
        }
    }

    /// True where the same may go well a little later, with nothing changed: broken connections, time
    /// limits, full servers, and replies of the 4xx kind.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Timeout(_)
            | ErrorKind::Lost
            | ErrorKind::Busy
            | ErrorKind::Truncated
            | ErrorKind::Mismatch
            | ErrorKind::Tls => true,
            ErrorKind::Refused | ErrorKind::NotFound => self
                .reply()
                .is_some_and(|reply| (400..500).contains(&reply.code.value())),
            _ => false,
        }
    }

    /// True where the control connection was closed because of it: the session can't be used any more.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.0.fatal.load(Ordering::Relaxed)
    }

    /// True where the two sides found no TLS in common: not where the handshake merely broke off, which a server
    /// that is being restarted does too.
    pub(crate) fn is_tls_incompatible(&self) -> bool {
        self.0
            .source
            .as_ref()
            .and_then(|source| source.downcast_ref::<NetError>())
            .is_some_and(|net| matches!(net, NetError::Tls { eof: false, .. }))
    }

    /// The session is over, and nobody kept the reason.
    pub(crate) fn gone(what: &str) -> Self {
        let error = Self::new(ErrorKind::Lost, what);
        error.mark_fatal();
        error
    }

    pub(crate) fn mark_fatal(&self) {
        self.0.fatal.store(true, Ordering::Relaxed);
    }
}

/// What servers say of a file that isn't there.
const MISSING: [&str; 5] = [
    "file not found",
    "no such file",
    "file does not exist",
    "file doesn't exist",
    "cannot find the file",
];

/// What a negative reply means, by code, command and the words that servers use.
fn refusal(doing: &str, reply: &Reply) -> ErrorKind {
    let code = reply.code.value();
    let text = reply.text().to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let verb = doing.split(' ').next().unwrap_or_default();
    match code {
        421 => ErrorKind::Busy,
        430 | 530 | 532 if matches!(verb, "USER" | "PASS" | "ACCT") => {
            if says(&["too many", "maximum", "limit", "try again later", "busy"]) {
                ErrorKind::Busy
            } else {
                ErrorKind::LoginRefused
            }
        }
        // vsftpd's last words (no port is left, no memory): it hangs up after them.
        500 if text.starts_with("oops") && !matches!(verb, "USER" | "PASS" | "ACCT") => {
            ErrorKind::Lost
        }
        // Some have the same code for "unknown" and for "not there"; a name may have such words in it.
        500 | 502 | 504
            if matches!(
                verb,
                "SIZE" | "MDTM" | "RETR" | "CWD" | "DELE" | "RNFR" | "RMD"
            ) && MISSING
                .iter()
                .any(|words| text.contains(words) && !doing.to_lowercase().contains(words)) =>
        {
            ErrorKind::NotFound
        }
        500 | 502 | 504 => ErrorKind::Unsupported,
        450 | 550
            if says(&[
                "permission",
                "denied",
                "not allowed",
                "prohibited",
                "read-only",
            ]) =>
        {
            ErrorKind::Refused
        }
        // pyftpdlib answers MLSD of what is missing with 501.
        501 | 550
            if code == 550
                && matches!(
                    verb,
                    "RETR"
                        | "SIZE"
                        | "MDTM"
                        | "MFMT"
                        | "CWD"
                        | "DELE"
                        | "RNFR"
                        | "RMD"
                        | "MLST"
                        | "MLSD"
                        | "LIST"
                )
                && !says(&["not empty", "busy"])
                || says(&["no such", "not found", "does not exist", "doesn't exist"]) =>
        {
            ErrorKind::NotFound
        }
        _ => ErrorKind::Refused,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = &self.0.doing;
        match &self.0.kind {
            ErrorKind::Certificate(problem) => return fmt::Display::fmt(problem, f),
            ErrorKind::PlaintextRefused => write!(
                f,
                "{doing}: the connection is not encrypted, and a password is not sent over it without leave"
            )?,
            ErrorKind::LoginRefused => write!(f, "{doing}: the server refused the login")?,
            ErrorKind::NotFound => write!(f, "{doing}: not found, or can't be opened")?,
            ErrorKind::TlsUnavailable => write!(f, "{doing}: the server offers no TLS")?,
            ErrorKind::Truncated => write!(f, "{doing}: the transfer ended too early")?,
            ErrorKind::Cancelled => write!(f, "{doing}: cancelled")?,
            ErrorKind::Lost if self.0.source.is_none() && self.0.reply.is_none() => {
                write!(f, "{doing}: the server closed the connection")?;
            }
            ErrorKind::Busy => write!(f, "{doing}: the server takes no more connections for now")?,
            ErrorKind::Unsupported if self.0.reply.is_none() => {
                write!(f, "{doing}: the server can't do this")?;
            }
            _ => f.write_str(doing)?,
        }
        if let Some(reply) = &self.0.reply {
            if !self.0.expected.is_empty() {
                write!(f, ": waiting for {}, but got", self.0.expected)?;
            }
            let limit = match self.0.kind {
                ErrorKind::Protocol => DAMAGED,
                _ => WORDS,
            };
            write!(f, ": {} {}", reply.code, reply.excerpt(limit))?;
        }
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({self})", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_ref()
            .map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_words_are_a_lost_connection_and_no_missing_ability() {
        let refused = |doing: &str, text: &str| Error::refused(doing, Reply::new(500, text));
        for doing in ["EPSV", "PASV", "RETR /a"] {
            let oops = refused(doing, "OOPS: vsf_sysutil_bind");
            assert_eq!(*oops.kind(), ErrorKind::Lost, "{doing}");
            assert!(oops.is_retryable());
            let unknown = refused(doing, "Unknown command");
            assert_eq!(*unknown.kind(), ErrorKind::Unsupported, "{doing}");
            assert!(!unknown.is_retryable());
        }
        // A login that is refused like this is refused the next time too.
        let login = refused("PASS *****", "OOPS: cannot change directory:/home/a");
        assert!(!login.is_retryable());
    }
}
