//! The practice site: a server inside this program that a person can try everything on.

mod tree;

use std::sync::Arc;

use ftp_client::{Config, Trust};
use ftp_server::{RunningServer, Server, ServerTls, User};
use vault::Secret;

use crate::{
    dto::TlsMode,
    error::{AppError, ErrorCode, Result},
    state::connect::{Origin, Plan},
};

/// What the window calls it.
pub(crate) const TITLE: &str = "practice.slipway";
const USER: &str = "sailor";
/// Nobody outside this computer can reach it.
const HOST: &str = "127.0.0.1";

/// The running practice site. It ends with the program.
pub(crate) struct Practice {
    server: RunningServer,
    password: Secret,
    /// Its certificate, which was made for this run and is trusted in this run only.
    trust: Trust,
}

impl Practice {
    /// Plants the tree, makes a certificate and a password, and opens a port on this computer.
    ///
    /// # Errors
    /// If no port can be had.
    pub(crate) async fn start() -> Result<Self> {
        let tree = tree::plant(jiff::Timestamp::now())
            .await
            .map_err(|error| failed(&error))?;
        let tls = ServerTls::self_signed(&[TITLE, "localhost"]).map_err(|error| failed(&error))?;
        let trust = Trust {
            pins: vec![tls.fingerprint()],
            only_pins: true,
            ..Trust::default()
        };
        // Other programs of this computer can reach the port; 128 random bits keep them out.
        let password = Secret::new(vault::SiteId::random()?.as_str());
        let user_password = password
            .expose()
            .try_into()
            .map_err(|error| failed(&error))?;
        let server = Server::builder()
            .vfs(Arc::new(tree))
            .user(User::new(USER).password(user_password))
            .tls(tls)
            .require_tls(true)
            .welcome("Slipway practice site: nothing here can break.")
            .bind((HOST, 0))
            .await
            .map_err(|error| failed(&error))?;
        tracing::info!(address = %server.local_addr(), "the practice site is open");
        Ok(Self {
            server,
            password,
            trust,
        })
    }

    /// How to connect to it.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            title: TITLE.to_owned(),
            host: HOST.to_owned(),
            port: self.server.local_addr().port(),
            user: USER.to_owned(),
            password: Some(self.password.clone()),
            tls: TlsMode::Explicit,
            trust: self.trust.clone(),
            pinned_before: false,
            allow_plaintext: false,
            base: Box::new(Config::new(HOST)),
            start: None,
            site: None,
            origin: Origin::Practice,
        }
    }
}

fn failed(error: &dyn std::error::Error) -> AppError {
    AppError::new(
        ErrorCode::Internal,
        "The practice site could not be started.",
    )
    .with_detail(error.to_string())
}
