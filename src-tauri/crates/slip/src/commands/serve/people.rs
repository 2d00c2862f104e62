//! A server as the command line describes it.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use ftp_server::vfs::{LocalDisk, ReadOnly, Vfs};
use ftp_server::{
    Limits, Secret, Server, ServerBuilder, ServerTls, SpeedLimits, User, UsersFile, UsersFileError,
    generate_password,
};
use serde::Serialize;

use super::super::blocking;
use super::{Site, address, qr};
use crate::arguments::Moved;
use crate::cli;
use crate::data;
use crate::exit::Failure;
use crate::output::Output;
use crate::password;

/// The user of a share whose password we made up.
const GUEST: &str = "share";

/// The file in the data folder with the certificate of all shares, so that who has pinned it once needn't do so again.
const CERTIFICATE: &str = "serve.pem";

const PORT: u16 = 2121;

#[derive(Debug, Serialize)]
struct Serving {
    url: String,
    address: String,
    port: u16,
    fingerprint: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

/// What is told once the server listens.
struct Announcement {
    bind: IpAddr,
    scheme: &'static str,
    fingerprint: Option<String>,
    /// The only user, if there is one.
    user: Option<String>,
    /// Made up, and known to nobody yet.
    password: Option<Secret>,
    anonymous_writes: bool,
    qr: bool,
}

/// Puts the server together and lets it listen.
pub(super) async fn open(
    serve: &cli::Serve,
    options: &cli::Options,
    moved: &Moved,
    output: Output,
) -> Result<Site, Failure> {
    let sharing = &serve.sharing;
    let other =
        |what: &str, error: &dyn std::fmt::Display| Failure::Other(format!("{what}: {error}"));
    let Some(directory) = &serve.directory else {
        return Err(Failure::usage("there is no folder to serve"));
    };
    let disk = LocalDisk::new(directory)
        .map_err(|error| other(&directory.display().to_string(), &error))?;
    let mut tree: Arc<dyn Vfs> = Arc::new(disk);
    if sharing.read_only {
        tree = Arc::new(ReadOnly(tree));
    }
    let tls = certificate(sharing, options)?;
    let implicit = sharing.implicit || options.tls == Some(cli::Tls::Implicit);
    let made_up = sharing.user.is_empty() && sharing.users.is_none() && !sharing.anonymous;
    let require = sharing.require_tls
        || implicit
        || options.tls == Some(cli::Tls::Explicit)
        || (made_up && tls.is_some() && options.tls != Some(cli::Tls::Auto));
    if tls.is_none() && require {
        return Err(Failure::usage(
            "TLS can't be demanded and switched off at the same time",
        ));
    }
    let mut builder = Server::builder()
        .vfs(Arc::clone(&tree))
        .require_tls(require)
        .implicit_tls(implicit)
        .limits(limits(sharing))
        .speed(speed(sharing));
    if let Some(welcome) = &sharing.welcome {
        builder = builder.welcome(welcome);
    }
    if let Some(address) = sharing.external_address {
        builder = builder.passive_address(address);
    }
    if let Some(ports) = &sharing.passive_ports {
        builder = builder.data_ports(ports.clone());
    }
    let mut announcement = Announcement {
        bind: sharing.bind.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        scheme: match (&tls, implicit) {
            (None, _) => "ftp",
            (Some(_), true) => "ftps",
            (Some(_), false) => "ftpes",
        },
        fingerprint: tls.as_ref().map(|tls| tls.fingerprint().to_string()),
        user: None,
        password: None,
        anonymous_writes: sharing.anonymous && !sharing.read_only,
        qr: sharing.qr || (!sharing.no_qr && output.shows_codes()),
    };
    if let Some(tls) = tls {
        builder = builder.tls(tls);
    }
    builder = match &sharing.users {
        Some(file) => builder.accounts(Arc::new(of_file(file, tree).await?)),
        None => users(builder, sharing, moved, &mut announcement).await?,
    };
    let port = sharing.port.unwrap_or(PORT);
    let server = builder
        .bind((announcement.bind, port))
        .await
        .map_err(|error| other(&format!("{}, port {port}", announcement.bind), &error))?;
    announcement.tell(server.local_addr(), output)?;
    Ok(Site {
        server,
        once: sharing.once,
        quiet: false,
    })
}

fn limits(sharing: &cli::Sharing) -> Limits {
    let mut limits = Limits::default();
    if let Some(most) = sharing.max_connections {
        limits.connections = most;
        limits.connections_per_address = limits.connections_per_address.max(most);
    }
    limits
}

fn speed(sharing: &cli::Sharing) -> SpeedLimits {
    let of = |rate: Option<cli::Rate>| rate.and_then(|rate| NonZeroU64::new(rate.0?));
    SpeedLimits {
        download: of(sharing.limit_download),
        upload: of(sharing.limit_upload),
    }
}

/// The certificate: the one that was given, a new one, or that of all shares; none where TLS is not wanted.
fn certificate(
    sharing: &cli::Sharing,
    options: &cli::Options,
) -> Result<Option<ServerTls>, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    if let (Some(certificate), Some(key)) = (&sharing.tls_cert, &sharing.tls_key) {
        return ServerTls::from_pem_files(certificate, key)
            .map(Some)
            .map_err(|error| bad(&error));
    }
    if !sharing.tls_self_signed && (options.plaintext || options.tls == Some(cli::Tls::Off)) {
        return Ok(None);
    }
    let bind = sharing.bind.map(|bind| bind.to_string());
    let mut names = vec!["localhost", "127.0.0.1", "::1"];
    if let (Some(address), Some(bind)) = (sharing.bind, &bind)
        && !address.is_unspecified()
        && !names.contains(&bind.as_str())
    {
        names.push(bind);
    }
    let kept = data::file(CERTIFICATE).filter(|_| !sharing.tls_self_signed);
    let tls = match kept {
        None => ServerTls::self_signed(&names),
        Some(file) => {
            data::make_folder_of(&file).map_err(|error| bad(&error))?;
            ServerTls::kept(&file, &names)
        }
    };
    tls.map(Some).map_err(|error| bad(&error))
}

async fn of_file(file: &Path, tree: Arc<dyn Vfs>) -> Result<UsersFile, Failure> {
    let file = file.to_owned();
    let failed = |error: UsersFileError| Failure::Other(error.to_string());
    blocking(move || UsersFile::open(file, tree).map_err(failed)).await
}

async fn users(
    mut builder: ServerBuilder,
    sharing: &cli::Sharing,
    moved: &Moved,
    announcement: &mut Announcement,
) -> Result<ServerBuilder, Failure> {
    let limit = |user: User| match sharing.read_only {
        true => user.read_only(),
        false => user,
    };
    if sharing.user.is_empty() && !sharing.anonymous {
        let password = generate_password().map_err(|error| Failure::Other(error.to_string()))?;
        let user = User::new(GUEST).password(password.clone());
        announcement.user = Some(GUEST.to_owned());
        announcement.password = Some(password);
        return Ok(builder.user(limit(user)));
    }
    let mut names = HashSet::new();
    for given in &sharing.user {
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
    if sharing.anonymous {
        builder = builder.anonymous(limit(User::new("anonymous")));
    } else if let [only] = Vec::from_iter(names).as_slice() {
        announcement.user = Some((*only).to_owned());
    }
    Ok(builder)
}

impl Announcement {
    fn tell(&self, local: SocketAddr, output: Output) -> Result<(), Failure> {
        let all = local.ip().is_unspecified();
        let shown = match all {
            true => address::in_the_network(local.ip())
                .map_or(local, |ip| SocketAddr::new(ip, local.port())),
            false => local,
        };
        let password = self
            .password
            .as_ref()
            .map(|password| String::from_utf8_lossy(password.expose()).into_owned());
        let user = self.user.as_deref().map(address::in_url);
        let at = user.map_or_else(String::new, |user| format!("{user}@"));
        let url = format!("{}://{at}{shown}/", self.scheme);
        if output.json {
            return Ok(output.object(&Serving {
                url,
                address: local.ip().to_string(),
                port: local.port(),
                fingerprint: self.fingerprint.clone(),
                user: self.user.clone(),
                password,
            })?);
        }
        let reach = match (all, local.ip().is_loopback()) {
            (true, _) => {
                " (on all addresses of this computer: everybody in its networks can reach it)"
            }
            (_, true) => " (for this computer only; --bind lets others in)",
            _ => " (everybody in the network of this address can reach it)",
        };
        output.line(&format!("listening on {url}{reach}"))?;
        if let (Some(user), Some(password)) = (&self.user, &password) {
            // The only time that it is shown.
            output.line(&format!("user {user}, password {password}"))?;
        }
        if let Some(fingerprint) = &self.fingerprint {
            output.line(&format!("certificate {fingerprint}"))?;
        }
        if self.qr {
            let secret = password
                .as_deref()
                .map(|p| format!(":{}", address::in_url(p)));
            let user = self
                .user
                .as_deref()
                .map(address::in_url)
                .unwrap_or_default();
            let secret = secret.unwrap_or_default();
            let at = if self.user.is_some() { "@" } else { "" };
            let code = qr::code(&format!("{}://{user}{secret}{at}{shown}/", self.scheme));
            match code {
                Ok(code) => output.line(&code)?,
                Err(error) => output.remark(error),
            }
        }
        if self.anonymous_writes && !local.ip().is_loopback() {
            output.remark(
                "everybody who reaches this port can change and delete files; --read-only prevents it",
            );
        }
        if self.fingerprint.is_none() && self.user.is_some() && !local.ip().is_loopback() {
            output.remark("without TLS everybody on the way can read the password and the files");
        }
        Ok(())
    }
}
