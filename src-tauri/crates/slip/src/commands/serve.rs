use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use ftp_server::{
    EventKind, Secret, Server, ServerBuilder, ServerEvent, ServerTls, User, UsersFile,
};
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use vfs::{LocalDisk, ReadOnly, Vfs};

use crate::arguments::Moved;
use crate::cli;
use crate::exit::{Failure, Status};
use crate::output::Output;
use crate::password;
use crate::signals::Stop;

#[derive(Debug, Serialize)]
struct Serving {
    url: String,
    address: String,
    port: u16,
    fingerprint: Option<String>,
}

/// Serves a folder until it is told to stop.
pub(crate) async fn run(
    serve: &cli::Serve,
    moved: &Moved,
    output: Output,
) -> Result<Status, Failure> {
    if serve.user.is_empty() && !serve.anonymous && serve.users.is_none() {
        return Err(Failure::usage(
            "nobody could log in: give a --user NAME:PASSWORD, --users FILE, or --anonymous",
        ));
    }
    let other =
        |what: &str, error: &dyn std::fmt::Display| Failure::Other(format!("{what}: {error}"));
    let directory = serve.directory.display().to_string();
    let disk = LocalDisk::new(&serve.directory).map_err(|error| other(&directory, &error))?;
    let mut tree: Arc<dyn Vfs> = Arc::new(disk);
    if serve.read_only {
        tree = Arc::new(ReadOnly(tree));
    }
    let tls = certificate(serve)?;
    if serve.require_tls && tls.is_none() {
        return Err(Failure::usage(
            "--require-tls needs a certificate: --tls-cert and --tls-key, or --tls-self-signed",
        ));
    }
    let mut builder = Server::builder()
        .vfs(Arc::clone(&tree))
        .require_tls(serve.require_tls);
    builder = match &serve.users {
        Some(file) => builder.accounts(Arc::new(of_file(file, tree).await?)),
        None => users(builder, serve, moved).await?,
    };
    let fingerprint = tls.as_ref().map(|tls| tls.fingerprint().to_string());
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    let address = (serve.bind, serve.port);
    let server = builder
        .bind(address)
        .await
        .map_err(|error| other(&format!("{}, port {}", serve.bind, serve.port), &error))?;
    let local = server.local_addr();
    let mut events = server.events();
    announce(serve, local, fingerprint, output)?;

    let mut stop = Stop::watch();
    loop {
        tokio::select! {
            () = stop.wished() => break,
            event = events.recv() => match event {
                Ok(event) if output.verbose => tell(&event, output),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
        }
    }
    server.stop().await;
    output.remark("stopped");
    Ok(Status::Done)
}

fn certificate(serve: &cli::Serve) -> Result<Option<ServerTls>, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    if let (Some(certificate), Some(key)) = (&serve.tls_cert, &serve.tls_key) {
        return ServerTls::from_pem_files(certificate, key)
            .map(Some)
            .map_err(|error| bad(&error));
    }
    if !serve.tls_self_signed {
        return Ok(None);
    }
    let bind = serve.bind.to_string();
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    if !serve.bind.is_unspecified() && !names.contains(&bind.as_str()) {
        names.push(&bind);
    }
    ServerTls::self_signed(&names)
        .map(Some)
        .map_err(|error| bad(&error))
}

async fn of_file(file: &Path, tree: Arc<dyn Vfs>) -> Result<UsersFile, Failure> {
    let file = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || UsersFile::open(file, tree)).await;
    match opened {
        Ok(users) => users.map_err(|error| Failure::Other(error.to_string())),
        Err(error) => Err(Failure::Other(error.to_string())),
    }
}

async fn users(
    mut builder: ServerBuilder,
    serve: &cli::Serve,
    moved: &Moved,
) -> Result<ServerBuilder, Failure> {
    let limit = |user: User| {
        if serve.read_only {
            user.read_only()
        } else {
            user
        }
    };
    let mut names = HashSet::new();
    for given in &serve.user {
        let (name, password) = match given.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (given.as_str(), moved.of_user(given)),
        };
        if name.is_empty() || !names.insert(name) {
            return Err(Failure::usage("every --user needs a name of its own"));
        }
        let bad = |error: &dyn std::fmt::Display| Failure::usage(format!("--user {name}: {error}"));
        let password = match password {
            Some("") => {
                return Err(bad(
                    &"the password is empty; --anonymous is the way to let everybody in",
                ));
            }
            Some(password) => Secret::try_from(password).map_err(|error| bad(&error))?,
            None => password::of_new_user(name).await?,
        };
        crate::output::keep_secret(password.expose());
        builder = builder.user(limit(User::new(name).password(password)));
    }
    if serve.anonymous {
        builder = builder.anonymous(limit(User::new("anonymous")));
    }
    Ok(builder)
}

fn announce(
    serve: &cli::Serve,
    local: std::net::SocketAddr,
    fingerprint: Option<String>,
    output: Output,
) -> Result<(), Failure> {
    let url = format!("ftp://{local}/");
    if output.json {
        output.object(&Serving {
            url,
            address: local.ip().to_string(),
            port: local.port(),
            fingerprint,
        })?;
    } else {
        let reach = if local.ip().is_loopback() {
            " (for this computer only; --bind lets others in)"
        } else {
            ""
        };
        output.line(&format!("listening on {url}{reach}"))?;
        if let Some(fingerprint) = &fingerprint {
            output.line(&format!("certificate {fingerprint}"))?;
        }
    }
    if serve.anonymous && !serve.read_only && !local.ip().is_loopback() {
        output.remark(
            "everybody who reaches this port can change and delete files; --read-only prevents it",
        );
    }
    Ok(())
}

fn tell(event: &ServerEvent, output: Output) {
    let what = match &event.kind {
        EventKind::SessionOpened => "connected".to_owned(),
        EventKind::Secured { version } => format!("encrypted by {version}"),
        EventKind::LoggedIn { user } => format!("logged in as {user}"),
        EventKind::Denied { reason } => format!("refused: {reason}"),
        EventKind::TransferStarted { path, direction } => format!("{direction:?} of {path} begins"),
        EventKind::TransferEnded {
            path,
            direction,
            bytes,
            outcome,
        } => format!("{direction:?} of {path} ends after {bytes} bytes: {outcome:?}"),
        EventKind::SessionClosed { reason } => format!("gone: {reason:?}"),
        other => format!("{other:?}"),
    };
    output.message(format!("{} [{}] {what}", event.peer, event.session));
}
