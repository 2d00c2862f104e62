//! Many commands whose replies don't depend on each other.

use bytes::BytesMut;
use ftp_proto::{Command, Reply};

use super::{Driver, depends_on_cwd, kind::Kind};
use crate::{Error, LogKind, memory::Pipelining};

/// The most bytes of commands without transfers that are on their way at once.
const BYTES: usize = 4096;
/// For fewer commands than this it isn't worth finding out what a server puts up with.
const WORTH_ASKING: usize = 4;
/// The reply to PWD.
const PWD: u16 = 257;
/// So many replies too many are read before the probe is given up.
const MOST_SURPLUS: usize = 8;

impl Driver {
    /// One final reply for each command.
    pub(crate) async fn burst(&mut self, commands: Vec<Command>) -> Result<Vec<Reply>, Error> {
        if self.learned().bare_names {
            return self.each_by_bare_name(&commands).await;
        }
        let together = match self.pipelining() {
            Pipelining::Batch => true,
            Pipelining::Unknown if commands.len() >= WORTH_ASKING => self.probe().await?,
            _ => false,
        };
        let mut replies = Vec::with_capacity(commands.len());
        let mut left = &commands[..];
        while !left.is_empty() {
            let count = if together { count(left) } else { 1 };
            // The one that needs the way home the most.
            let first = left[..count].iter().find(|command| depends_on_cwd(command));
            self.prepare(first.unwrap_or(&left[0])).await?;
            if let Some(size) = left[..count].iter().find(|c| matches!(c, Command::Size(_))) {
                self.prepare(size).await?;
            }
            let (now, later) = left.split_at(count);
            self.control.send_all(now).await?;
            for command in now {
                let doing = command.redacted();
                replies.push(self.control.final_reply(&doing).await?);
            }
            left = later;
        }
        for (command, reply) in commands.iter().zip(&replies) {
            if let (Command::Rmd(gone), true) = (command, reply.code.is_completion())
                && let Err(error) = self.leave(gone).await
            {
                // The folder is gone, which is what was asked for.
                if self.control.dead().is_some() {
                    return Err(error);
                }
                self.control.log(LogKind::Warning, error.to_string());
            }
        }
        Ok(replies)
    }

    /// How this server takes many commands: what was learned, else what its kind does.
    pub(super) fn pipelining(&self) -> Pipelining {
        match self.learned().pipelining {
            Pipelining::Unknown => self.kind.pipelining(),
            learned => learned,
        }
    }

    /// True where this server is known to do many commands one after the other.
    pub(super) fn queues(&self) -> bool {
        self.pipelining() == Pipelining::Batch
    }

    /// True where PASS may follow USER in one write. Pure-FTPd is slow to answer then.
    pub(super) fn takes_password_early(&self) -> bool {
        matches!(self.kind, Kind::Vsftpd | Kind::ProFtpd | Kind::Slipway) && self.queues()
    }

    /// Sends three commands that change nothing, and looks whether their answers come in order, one for each. That says
    /// nothing of transfers yet, but much of servers that can't.
    pub(super) async fn probe(&mut self) -> Result<bool, Error> {
        self.prepare(&Command::Pwd).await?;
        self.control
            .send_all(&[Command::Noop, Command::Noop, Command::Pwd])
            .await?;
        let mut fine = true;
        for _ in 0..2 {
            let reply = self.control.final_reply("NOOP").await?;
            fine &= reply.code.is_completion() && reply.code.value() != PWD;
        }
        // 257 can be nobody else's: with it the server is in step, however much it said before.
        let mut last = self.control.final_reply("PWD").await?;
        for _ in 0..MOST_SURPLUS {
            if last.code.value() == PWD || !last.code.is_completion() {
                break;
            }
            fine = false;
            last = self.control.final_reply("PWD").await?;
        }
        fine &= last.code.value() == PWD;
        self.learn(|learned| {
            learned.pipelining = if fine {
                Pipelining::Batch
            } else {
                Pipelining::Sequential
            };
        });
        Ok(fine)
    }

    /// From now on, one command after the other: this server was confused.
    pub(super) fn demote(&self, why: &str) {
        self.control.log(
            LogKind::Info,
            format!("from now on one command at a time: {why}"),
        );
        self.learn(|learned| {
            learned.pipelining = Pipelining::Sequential;
            learned.proven = false;
        });
    }
}

/// How many of the commands go in one write: at least one, and RNTO is not parted from its RNFR.
fn count(commands: &[Command]) -> usize {
    let mut bytes = BytesMut::new();
    let mut count = 0;
    for (index, command) in commands.iter().enumerate() {
        command.encode(&mut bytes);
        if bytes.len() > BYTES {
            break;
        }
        count = index + 1;
    }
    let parted = |at: usize| {
        matches!(commands.get(at), Some(Command::Rnto(_)))
            && matches!(commands.get(at - 1), Some(Command::Rnfr(_)))
    };
    match count {
        0 | 1 if parted(1) => 2,
        0 => 1,
        count if parted(count) => count - 1,
        count => count,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ftp_proto::RemotePath;

    use super::*;

    fn path(length: usize) -> RemotePath {
        RemotePath::try_from("x".repeat(length).as_str()).unwrap()
    }

    #[test]
    fn a_write_is_bounded_and_parts_no_rename() {
        let many = vec![Command::Dele(path(93)); 100];
        assert_eq!(count(&many), BYTES / 100);
        assert_eq!(count(&many[..3]), 3);
        assert_eq!(count(&[Command::Dele(path(5000))]), 1);
        let pair = |length| [Command::Rnfr(path(length)), Command::Rnto(path(length))];
        assert_eq!(count(&pair(5000)), 2);
        assert_eq!(count(&pair(2500)), 2);
        let three = [pair(900), pair(900), pair(900)].concat();
        assert_eq!(count(&three), 4);
        let odd = [&[Command::Noop][..], &pair(1200), &pair(1200)].concat();
        // The fourth would fit, and parts a pair.
        assert_eq!(count(&odd), 3);
    }
}
