//! TLS over the control connection, put on and taken off at any time.

use ftp_proto::Command;

use super::{Driver, session};
use crate::{Error, ErrorKind, LogKind, TlsMode};

impl Driver {
    /// AUTH TLS on a connection that was made without.
    pub(crate) async fn upgrade_to_tls(&mut self) -> Result<(), Error> {
        if self.tls.is_some() {
            return Err(Error::new(
                ErrorKind::Argument,
                "AUTH TLS: the connection is encrypted already",
            ));
        }
        let tls = self
            .config
            .client_tls()
            .map_err(|error| Error::net("AUTH TLS", error))?;
        session::auth(&mut self.control, TlsMode::Explicit, true).await?;
        // The server counts on TLS from here on: without it nothing more can be said.
        let outcome = session::handshake(&mut self.control, &tls, &self.config).await;
        self.tls = Some(outcome.map_err(|error| self.control.kill(error))?);
        if self.forgotten().await? {
            let config = self.config.clone();
            self.log_in(&config.login).await?;
        }
        self.protect().await?;
        // Another connection of this session has to be encrypted as well.
        let mut config = crate::Config::clone(&self.config);
        config.tls = TlsMode::Explicit;
        self.config = config.into();
        self.forget_state();
        self.publish_facts(None);
        Ok(())
    }

    /// True where the server has forgotten who we are: RFC 4217 section 4.2 has it begin anew after AUTH, and few do.
    async fn forgotten(&mut self) -> Result<bool, Error> {
        let reply = self.control.exchange(&Command::Pwd).await?;
        Ok(matches!(reply.code.value(), 332 | 503 | 530 | 532))
    }

    /// CCC: commands in plain from here on.
    pub(crate) async fn clear_control(&mut self) -> Result<(), Error> {
        if !self.control.stream()?.is_encrypted() {
            return Err(Error::new(
                ErrorKind::Argument,
                "CCC: the connection is not encrypted",
            ));
        }
        self.command(Command::Ccc).await?;
        self.before_ccc = self.control.stream()?.tls_facts();
        let stream = self.control.take_for_tls()?;
        match stream.into_plain(self.config.timeouts.reply).await {
            Ok((stream, ahead)) => self.control.put_back_with(stream, &ahead),
            Err(error) => return Err(self.control.kill(Error::net("CCC", error))),
        }
        self.control.log(
            LogKind::Info,
            "commands are not encrypted from here on; files still are",
        );
        self.publish_facts(None);
        Ok(())
    }
}
