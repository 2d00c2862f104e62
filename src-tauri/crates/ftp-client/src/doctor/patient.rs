//! The server under examination: what is known of it so far, and the connection that it is asked over.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ftp_net::tls::{TlsSession, Versions};
use ftp_proto::{Command, Features, RemotePath, Reply, escape, listing::Entry};

use super::{Check, Examination, Finding, Report, Verdict, wire::Way};
use crate::{
    Config, Error, ErrorKind, HostMemory, control::Control, driver::Driver, memory::Pipelining,
};

/// A server that hangs up so often is not called again.
const MOST_CALLS: u32 = 12;
/// For removing what was made, after everything else was given up.
const CLEANUP: Duration = Duration::from_secs(30);

/// A session that somebody has logged in to.
pub(super) struct Line {
    pub(super) control: Control,
    pub(super) tls: Option<TlsSession>,
    /// PROT P was accepted.
    pub(super) protected: bool,
}

pub(super) struct Patient<'a> {
    pub(super) examination: &'a Examination,
    pub(super) config: Config,
    /// The same for logins: with a memory of its own, in which one command goes at a time, whatever server it seems to be.
    pub(super) careful: Config,
    /// Which versions of TLS further connections speak.
    pub(super) versions: Versions,
    /// Data connections have resumed the session.
    pub(super) resumes: bool,
    tell: &'a mut (dyn FnMut(&Finding) + Send),
    findings: Vec<Finding>,
    failure: Option<Error>,
    /// Where it answered.
    pub(super) address: Option<SocketAddr>,
    pub(super) line: Option<Line>,
    calls: u32,
    pub(super) features: Features,
    /// The folder that is looked into, as the server names it.
    pub(super) place: Option<RemotePath>,
    /// The way on which data connections come about.
    pub(super) way: Option<Way>,
    /// What is in the folder.
    pub(super) entries: Vec<Entry>,
    pub(super) mlsd_works: bool,
    /// What was made, and is to be removed: files, then their folder.
    pub(super) made: Vec<Command>,
}

impl<'a> Patient<'a> {
    pub(super) fn new(
        examination: &'a Examination,
        tell: &'a mut (dyn FnMut(&Finding) + Send),
    ) -> Self {
        let mut careful = examination.config.clone();
        careful.hosts = HostMemory::default();
        careful.hosts.learn(&careful.host, careful.port, |learned| {
            learned.pipelining = Pipelining::Sequential;
        });
        Self {
            examination,
            config: examination.config.clone(),
            careful,
            versions: Versions::Any,
            resumes: false,
            tell,
            findings: Vec::new(),
            failure: None,
            address: None,
            line: None,
            calls: 0,
            features: Features::default(),
            place: None,
            way: None,
            entries: Vec::new(),
            mlsd_works: false,
            made: Vec::new(),
        }
    }

    pub(super) async fn examine(mut self, stop: impl Future<Output = ()>) -> Report {
        let begin = Instant::now();
        let limit = self.examination.limit;
        let over = tokio::select! {
            biased;
            () = stop => Some("it was given up".to_owned()),
            ended = tokio::time::timeout(limit, self.everything()) => match ended {
                Ok(Ok(())) => None,
                Ok(Err(error)) => {
                    self.failure = Some(error);
                    None
                }
                Err(_) => Some(format!("it was not done after {} s, and the rest was left out", limit.as_secs_f32())),
            },
        };
        if let Some(why) = over {
            // In the middle of something.
            self.line = None;
            self.problem(Check::Limit, begin, why, None);
        }
        if !self.made.is_empty() {
            let start = Instant::now();
            if tokio::time::timeout(CLEANUP, self.clean_up())
                .await
                .is_err()
            {
                self.line = None;
                let left = self.left_over();
                self.problem(
                    Check::Cleanup,
                    start,
                    format!("what was made could not be removed in time: {left}"),
                    None,
                );
            }
        }
        Report {
            findings: self.findings,
            failure: self.failure,
            took: begin.elapsed(),
        }
    }

    /// All checks in their order. An error: there is no session to examine.
    async fn everything(&mut self) -> Result<(), Error> {
        self.reach().await?;
        self.look_at_session().await;
        self.look_at_data().await;
        self.look_at_listings().await;
        self.look_at_files().await;
        self.leave().await;
        Ok(())
    }

    /// The session; a new one where the last one was lost.
    pub(super) async fn line(&mut self) -> Result<&mut Line, Error> {
        let alive = self
            .line
            .as_ref()
            .is_some_and(|line| line.control.dead().is_none());
        if !alive {
            self.line = None;
            let fresh = match self.call().await {
                // It has TLS 1.3 alone.
                Err(error)
                    if *error.kind() == ErrorKind::Tls && self.versions == Versions::Tls12 =>
                {
                    self.versions = Versions::Any;
                    self.call().await?
                }
                outcome => outcome?,
            };
            self.line = Some(fresh);
        }
        self.line.as_mut().ok_or_else(|| Error::gone("the session"))
    }

    /// Where data connections resume sessions, and nothing is left to be resumed, the next one would fail for that alone: it gets a session of TLS
    /// 1.2, which can be resumed without limit.
    pub(super) async fn with_tickets(&mut self) -> Result<(), Error> {
        let dry = self.resumes
            && self.line.as_ref().is_some_and(|line| {
                let tls = line.tls.as_ref().filter(|_| line.protected);
                tls.is_some_and(|tls| !tls.can_resume())
            });
        if !dry {
            return Ok(());
        }
        let begin = Instant::now();
        if let Some(mut line) = self.line.take() {
            let _ = line.ask("QUIT").await;
        }
        if self.versions == Versions::Tls12 {
            return Ok(());
        }
        self.versions = Versions::Tls12;
        self.line().await?;
        if self.versions == Versions::Tls12 {
            self.learn(|learned| learned.tls12 = true);
            self.notice(
                Check::Resumption,
                begin,
                "the server has handed out too few tickets of TLS 1.3 for all its data connections, and speaks TLS 1.2 from now on, where sessions resume without limit",
                Some("Let the server hand out new tickets on every connection; ProFTPD gives none on uploads."),
            );
        }
        Ok(())
    }

    /// Connects and logs in without a word.
    async fn call(&mut self) -> Result<Line, Error> {
        self.calls += 1;
        if self.calls > MOST_CALLS {
            return Err(Error::new(
                ErrorKind::Lost,
                "the server has hung up too often to be asked again",
            ));
        }
        let (mut control, address) = self.connect().await?;
        self.address = self.address.or(address);
        let (greeting, tls) = self.quietly_secured(&mut control).await?;
        let (control, tls) = Driver::log_in_over(&self.careful, control, tls, &greeting).await?;
        let mut line = Line {
            control,
            tls,
            protected: false,
        };
        if line.tls.is_some() {
            line.protect().await?;
        }
        line.ask("TYPE I").await?;
        if let Some(place) = &self.place {
            line.control.exchange(&Command::Cwd(place.clone())).await?;
        }
        Ok(line)
    }

    /// A command and its reply, on a session that is there or made for it.
    pub(super) async fn ask(&mut self, line: &str) -> Result<Reply, Error> {
        self.line().await?.ask(line).await
    }

    pub(super) fn say(
        &mut self,
        check: Check,
        verdict: Verdict,
        begin: Instant,
        what: impl Into<String>,
        tell_admin: Option<&str>,
    ) {
        let finding = Finding {
            check,
            verdict,
            took: begin.elapsed(),
            what: self.without_password(what.into()),
            tell_admin: tell_admin.map(|tell| self.without_password(tell.to_owned())),
        };
        (self.tell)(&finding);
        self.findings.push(finding);
    }

    pub(super) fn good(&mut self, check: Check, begin: Instant, what: impl Into<String>) {
        self.say(check, Verdict::Good, begin, what, None);
    }

    pub(super) fn notice(
        &mut self,
        check: Check,
        begin: Instant,
        what: impl Into<String>,
        tell_admin: Option<&str>,
    ) {
        self.say(check, Verdict::Notice, begin, what, tell_admin);
    }

    pub(super) fn problem(
        &mut self,
        check: Check,
        begin: Instant,
        what: impl Into<String>,
        tell_admin: Option<&str>,
    ) {
        self.say(check, Verdict::Problem, begin, what, tell_admin);
    }

    pub(super) fn skip(&mut self, check: Check, what: impl Into<String>) {
        self.say(check, Verdict::Skipped, Instant::now(), what, None);
    }

    /// A check that came to nothing because the session broke.
    pub(super) fn lost(&mut self, check: Check, begin: Instant, error: &Error) {
        self.problem(
            check,
            begin,
            format!("the session broke: {error}"),
            Some("The server should answer every command, at least with an error, and stay; its log may say why it hung up."),
        );
    }

    /// Servers have been seen to repeat passwords.
    fn without_password(&self, text: String) -> String {
        let login = &self.config.login;
        let password = String::from_utf8_lossy(login.password.expose()).into_owned();
        if login.is_anonymous() || password.len() < 4 {
            return text;
        }
        let escaped = escape(login.password.expose(), usize::MAX);
        text.replace(&escaped, "*****").replace(&password, "*****")
    }

    /// Remembers something for later sessions.
    pub(super) fn learn(&self, change: impl FnOnce(&mut crate::memory::Learned)) {
        let config = &self.config;
        config.hosts.learn(&config.host, config.port, change);
    }

    fn left_over(&self) -> String {
        let all: Vec<String> = self.made.iter().map(Command::redacted).collect();
        all.join(", ")
    }

    /// Removes what was made, the last first.
    async fn clean_up(&mut self) {
        let begin = Instant::now();
        while let Some(command) = self.made.last().cloned() {
            let outcome = match self.line().await {
                Ok(line) => line.control.exchange(&command).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(reply) if reply.code.is_completion() => {
                    self.made.pop();
                }
                Ok(reply) => {
                    let left = self.left_over();
                    let what = format!(
                        "what was made could not be removed ({}): {left}",
                        said(&reply)
                    );
                    self.problem(
                        Check::Cleanup,
                        begin,
                        what,
                        Some("Users who may store files should be able to remove them."),
                    );
                    return;
                }
                Err(error) => {
                    let left = self.left_over();
                    let what = format!("what was made could not be removed ({error}): {left}");
                    self.problem(Check::Cleanup, begin, what, None);
                    return;
                }
            }
        }
        self.good(
            Check::Cleanup,
            begin,
            "everything that was made for this is removed",
        );
        if let Some(mut line) = self.line.take() {
            let _ = line.ask("QUIT").await;
        }
    }
}

impl Line {
    /// A command and its final reply.
    pub(super) async fn ask(&mut self, line: &str) -> Result<Reply, Error> {
        let command = Command::raw(line)
            .map_err(|error| Error::with_source(ErrorKind::Argument, "a command", error))?;
        self.control.exchange(&command).await
    }

    /// PBSZ and PROT P. The reply to the second.
    pub(super) async fn protect(&mut self) -> Result<Reply, Error> {
        self.ask("PBSZ 0").await?;
        let reply = self.ask("PROT P").await?;
        self.protected = reply.code.is_completion();
        Ok(reply)
    }
}

/// A reply as it is quoted.
pub(super) fn said(reply: &Reply) -> String {
    format!("\"{} {}\"", reply.code, escape(reply.first_line(), 200))
}
