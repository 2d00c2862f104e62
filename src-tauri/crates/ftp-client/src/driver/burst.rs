//! Many commands whose replies don't depend on each other.

use ftp_proto::{Command, Reply};

use super::Driver;
use crate::{Error, LogKind};

impl Driver {
    /// One final reply for each command.
    pub(crate) async fn burst(&mut self, commands: Vec<Command>) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::with_capacity(commands.len());
        for command in &commands {
            replies.push(self.ask(command).await?);
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
}
