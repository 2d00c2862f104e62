//! Servers with ideas of their own about paths.
//!
//! Commands leave with whole paths, which nearly every server understands, and which work where a folder on the way may be passed
//! through and not entered. The exceptions are found out when a server that doesn't promise better (TVFS, RFC 3659 section 6) refuses:
//! then the way is gone one part at a time, and the command sent with the bare name. What helped is remembered.

use ftp_proto::{Argument, Command, Name, PathStyle, RemotePath, Reply};

use super::{Driver, data::Opened};
use crate::{Error, ErrorKind, LogKind};

impl Driver {
    /// What the login has told of paths: their style. OS/400 is told to write them as others do.
    pub(super) async fn learn_style(&mut self) -> Result<(), Error> {
        // Found out before, and kept in this form.
        let Some(home) = self.cwd.clone().filter(|home| !home.is_absolute()) else {
            return Ok(());
        };
        self.control.style = PathStyle::of(&home);
        if self.control.style != PathStyle::Unix {
            self.cwd = Some(self.control.style.read(&home));
            return Ok(());
        }
        let reply = self.control.exchange(&Command::Syst).await?;
        if !reply.text().to_uppercase().contains("OS/400") {
            return Ok(());
        }
        let format = Argument::try_from("NAMEFMT 1").map_err(Error::argument)?;
        let reply = self.control.exchange(&Command::Site(format)).await?;
        if reply.code.is_completion() {
            let reply = self.control.exchange(&Command::Pwd).await?;
            if reply.code.is_completion() {
                self.cwd = self.path_in(&reply).ok();
            }
        }
        Ok(())
    }

    /// The path that a 257 names, in our way of writing.
    pub(crate) fn path_in(&self, reply: &Reply) -> Result<RemotePath, Error> {
        ftp_proto::parse_257(reply.first_line())
            .map(|path| self.control.style.read(&path))
            .map_err(|error| Error::with_source(ErrorKind::Protocol, "PWD", error))
    }

    /// CDUP, else CWD `..`, else CWD with the path of the parent.
    pub(crate) async fn go_up(&mut self) -> Result<(), Error> {
        let refused = match self.cwd(Command::Cdup).await {
            Err(error) if *error.kind() == ErrorKind::Unsupported => error,
            outcome => return outcome,
        };
        let up = RemotePath::try_from("..").map_err(Error::argument)?;
        let parent = self.cwd.as_ref().and_then(RemotePath::parent);
        for path in [Some(up), parent].into_iter().flatten() {
            match self.cwd(Command::Cwd(path)).await {
                Err(error) if error.reply().is_some() && !error.is_fatal() => {}
                outcome => return outcome,
            }
        }
        Err(refused)
    }

    /// CWD, all of the path at once where the server takes that. Where the server is afterwards is the caller's to note; after an error it
    /// may be on the way.
    pub(super) async fn change_to(&mut self, path: &RemotePath) -> Result<(), Error> {
        let parts = path.components().count();
        if parts > 1 && self.learned().one_by_one {
            return self.change_by_steps(path).await;
        }
        let command = Command::Cwd(path.clone());
        let reply = self.exchange_placed(&command).await?;
        if reply.code.is_completion() {
            self.whole_paths |= parts > 1;
            return Ok(());
        }
        let refused = Error::refused(command.redacted(), reply);
        if parts < 2 || !self.may_doubt_paths(&refused) {
            return Err(refused);
        }
        match self.change_by_steps(path).await {
            Ok(()) => {
                let note = "this server goes one folder at a time";
                self.control.log(LogKind::Info, note);
                self.learn(|learned| learned.one_by_one = true);
                Ok(())
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(_) => Err(refused),
        }
    }

    /// From the top on, or from where the server is, a part at a time.
    async fn change_by_steps(&mut self, path: &RemotePath) -> Result<(), Error> {
        let mut parts: Vec<Name> = Vec::new();
        for part in path.components() {
            let name = Name::try_from(part);
            parts.push(name.map_err(|e| Error::with_source(ErrorKind::Argument, "CWD", e))?);
        }
        let mut steps: Vec<RemotePath> = Vec::with_capacity(parts.len() + 1);
        let mut parts = parts.into_iter();
        if path.is_absolute() {
            // The top of a disk, where there are disks.
            let disks = matches!(
                self.control.style,
                PathStyle::Dos { .. } | PathStyle::Vms { disk: true }
            );
            let top = RemotePath::root();
            steps.push(match disks.then(|| parts.next()).flatten() {
                Some(disk) => top.join(&disk),
                None => top,
            });
        }
        steps.extend(parts.map(|name| RemotePath::here().join(&name)));
        for step in steps {
            let command = Command::Cwd(step);
            let reply = self.exchange_placed(&command).await?;
            if !reply.code.is_completion() {
                // Somewhere on the way.
                self.astray = Some(path.clone());
                return Err(Error::refused(command.redacted(), reply));
            }
        }
        Ok(())
    }

    async fn exchange_placed(&mut self, command: &Command) -> Result<Reply, Error> {
        self.placed = true;
        let prepared = self.prepare(command).await;
        self.placed = false;
        prepared?;
        self.control.exchange(command).await
    }

    /// True where a refusal may be one of the path's form.
    fn may_doubt_paths(&self, refused: &Error) -> bool {
        let form = refused
            .reply()
            .is_some_and(|reply| matches!(reply.code.value(), 500 | 501 | 504 | 550 | 553));
        form && !refused.is_fatal()
            && !self.whole_paths
            && !self.is_well_known()
            && !self.features.has("TVFS")
    }

    /// The folder and the command with the bare name, on a server that wants it so.
    pub(super) fn bare_form(&self, command: &Command) -> Option<(RemotePath, Command)> {
        match self.learned().bare_names {
            true => bare(command),
            false => None,
        }
    }

    /// A command with a bare name, sent from its folder.
    pub(super) async fn ask_from(
        &mut self,
        folder: RemotePath,
        bare: &Command,
    ) -> Result<Reply, Error> {
        match Box::pin(self.visit(folder)).await {
            Ok(()) => self.exchange_placed(bare).await,
            // That is what there is to say of the file, too.
            Err(error) => match error.reply() {
                Some(reply) if !error.is_fatal() => Ok(reply.clone()),
                _ => Err(error),
            },
        }
    }

    /// Looks at the reply to a command with a path: was it the path's form that the server didn't like?
    pub(super) async fn after_asking(
        &mut self,
        command: &Command,
        reply: Reply,
    ) -> Result<Reply, Error> {
        let Some((folder, bare)) = bare(command) else {
            return Ok(reply);
        };
        if reply.code.is_completion() {
            self.whole_paths = true;
            return Ok(reply);
        }
        // A question is not worth more questions.
        let acts = matches!(
            command,
            Command::Dele(_) | Command::Rmd(_) | Command::Mkd(_)
        );
        if !acts {
            return Ok(reply);
        }
        let refused = Error::refused(command.redacted(), reply.clone());
        if !self.may_doubt_paths(&refused) {
            return Ok(reply);
        }
        let second = self.ask_from(folder, &bare).await?;
        if !second.code.is_completion() {
            // It was the file.
            self.whole_paths = true;
            return Ok(reply);
        }
        self.wants_bare_names();
        Ok(second)
    }

    fn wants_bare_names(&self) {
        let note = "this server wants bare names in the working directory";
        self.control.log(LogKind::Info, note);
        self.learn(|learned| learned.bare_names = true);
    }

    /// Opens a data connection; for a file by its bare name where the server wants it so.
    pub(crate) async fn open_named(
        &mut self,
        command: Command,
        offset: u64,
        size: Option<u64>,
        may_pack: bool,
    ) -> Result<Opened, Error> {
        if let Some((folder, bare)) = self.bare_form(&command) {
            self.visit(folder).await?;
            return self.open_placed(bare, offset, size, may_pack).await;
        }
        let refused = match self
            .open_either(command.clone(), offset, size, may_pack)
            .await
        {
            Ok(opened) => {
                self.whole_paths |= bare(&command).is_some();
                return Ok(opened);
            }
            Err(error) => error,
        };
        let Some((folder, bare)) = bare(&command).filter(|_| self.may_doubt_paths(&refused)) else {
            return Err(refused);
        };
        match self.visit(folder).await {
            Ok(()) => {}
            Err(error) if error.is_fatal() => return Err(error),
            Err(_) => return Err(refused),
        }
        match self.open_placed(bare, offset, size, may_pack).await {
            Ok(opened) => {
                self.wants_bare_names();
                Ok(opened)
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(_) => {
                self.whole_paths = true;
                Err(refused)
            }
        }
    }

    async fn open_placed(
        &mut self,
        command: Command,
        offset: u64,
        size: Option<u64>,
        may_pack: bool,
    ) -> Result<Opened, Error> {
        self.placed = true;
        let opened = self.open_either(command, offset, size, may_pack).await;
        self.placed = false;
        opened
    }

    async fn open_either(
        &mut self,
        command: Command,
        offset: u64,
        size: Option<u64>,
        may_pack: bool,
    ) -> Result<Opened, Error> {
        match may_pack {
            true => self.open_sized(command, offset, size).await,
            false => self.open_for(&command, offset, size, false).await,
        }
    }

    /// RNFR and RNTO, by bare names where the server wants these and both are in one folder.
    pub(crate) async fn rename(&mut self, from: RemotePath, to: RemotePath) -> Result<(), Error> {
        let (first, second) = (Command::Rnfr(from), Command::Rnto(to));
        let pair = match (self.bare_form(&first), bare(&second)) {
            (Some((folder, first)), Some((there, second))) if folder == there => {
                self.visit(folder).await?;
                Some((first, second))
            }
            _ => None,
        };
        self.placed = pair.is_some();
        let (first, second) = pair.unwrap_or((first, second));
        let outcome = self.rename_now(&first, &second).await;
        self.placed = false;
        let refused = match outcome {
            Err(error) if error.reply().is_some() && self.may_doubt_paths(&error) => error,
            outcome => return outcome,
        };
        let (Some((folder, first)), Some((there, second))) = (bare(&first), bare(&second)) else {
            return Err(refused);
        };
        if folder != there || self.visit(folder).await.is_err() {
            return Err(self.control.dead().cloned().unwrap_or(refused));
        }
        self.placed = true;
        let outcome = self.rename_now(&first, &second).await;
        self.placed = false;
        match outcome {
            Ok(()) => {
                self.wants_bare_names();
                Ok(())
            }
            Err(error) if error.is_fatal() => Err(error),
            Err(_) => Err(refused),
        }
    }

    async fn rename_now(&mut self, first: &Command, second: &Command) -> Result<(), Error> {
        self.prepare(first).await?;
        let reply = self.control.exchange(first).await?;
        if !reply.code.is_intermediate() && !reply.code.is_completion() {
            return Err(Error::refused(first.redacted(), reply));
        }
        let reply = self.control.exchange(second).await?;
        match reply.code.is_completion() {
            true => Ok(()),
            false => Err(Error::refused(second.redacted(), reply)),
        }
    }

    /// Commands one after the other, each from the folder of its file.
    pub(super) async fn each_by_bare_name(
        &mut self,
        commands: &[Command],
    ) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::with_capacity(commands.len());
        let mut left = commands.iter().peekable();
        while let Some(command) = left.next() {
            let pair = match (bare(command), left.peek().and_then(|next| bare(next))) {
                (
                    Some((folder, first @ Command::Rnfr(_))),
                    Some((there, second @ Command::Rnto(_))),
                ) if folder == there => Some((folder, first, second)),
                _ => None,
            };
            let Some((folder, first, second)) = pair else {
                replies.push(self.ask(command).await?);
                continue;
            };
            left.next();
            replies.push(self.ask_from(folder, &first).await?);
            // Nothing may come between the two.
            replies.push(self.control.exchange(&second).await?);
        }
        Ok(replies)
    }
}

/// The folder, and the command with the bare name, where it has a path of several parts. What is right at the top is
/// known by its path everywhere.
fn bare(command: &Command) -> Option<(RemotePath, Command)> {
    use Command as C;
    let split = |path: &RemotePath| {
        let name = Name::try_from(path.file_name()?).ok()?;
        let folder = path.parent().filter(|folder| !folder.is_root())?;
        Some((folder, RemotePath::here().join(&name)))
    };
    Some(match command {
        C::Retr(path) => split(path).map(|(folder, name)| (folder, C::Retr(name)))?,
        C::Stor(path) => split(path).map(|(folder, name)| (folder, C::Stor(name)))?,
        C::Appe(path) => split(path).map(|(folder, name)| (folder, C::Appe(name)))?,
        C::Dele(path) => split(path).map(|(folder, name)| (folder, C::Dele(name)))?,
        C::Rmd(path) => split(path).map(|(folder, name)| (folder, C::Rmd(name)))?,
        C::Mkd(path) => split(path).map(|(folder, name)| (folder, C::Mkd(name)))?,
        C::Size(path) => split(path).map(|(folder, name)| (folder, C::Size(name)))?,
        C::Mdtm(path) => split(path).map(|(folder, name)| (folder, C::Mdtm(name)))?,
        C::Mfmt(time, path) => {
            let (folder, name) = split(path)?;
            (folder, C::Mfmt(*time, name))
        }
        C::Rnfr(path) => split(path).map(|(folder, name)| (folder, C::Rnfr(name)))?,
        C::Rnto(path) => split(path).map(|(folder, name)| (folder, C::Rnto(name)))?,
        _ => return None,
    })
}
