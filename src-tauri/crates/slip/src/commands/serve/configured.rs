//! A server as a file describes it.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use ftp_server::vfs::{
    Guarded, LocalDisk, MemoryTree, Permission, Subtree, VPath, Vfs, VfsErrorKind,
};
use ftp_server::{
    AccountLimits, Limits, Profile, Secret, Server, ServerBuilder, ServerTls, SpeedLimits, User,
};

use super::Site;
use super::file::{FilePermission, FileTls, FileTlsMode, FileUser, Listening, ServeFile, time};
use crate::cli;
use crate::exit::Failure;
use crate::output::{self, Output};

/// The most that a tree in memory may hold.
const MEMORY: u64 = 1 << 30;

const HOST: &str = "127.0.0.1";

/// Puts the server together, lets it listen and prints where.
pub(super) async fn open(
    path: &Path,
    profile: cli::Profile,
    output: Output,
) -> Result<Site, Failure> {
    let file = ServeFile::read(path)?;
    let bad = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let near = path.parent().unwrap_or(Path::new("."));
    let profile = Profile::from(profile);
    let tree = root(file.root.as_deref(), near).map_err(bad)?;
    let mut builder = Server::builder()
        .profile(profile)
        // What is at the end of Python's TLS is the end.
        .accept_unclean_end(profile == Profile::Aioftp)
        .limits(limits(&file, profile))
        .speed(speed(file.read_limit, file.write_limit))
        .session_speed(speed(
            file.read_limit_per_connection,
            file.write_limit_per_connection,
        ));
    let everybody = [FileUser::default()];
    for user in file.users.as_deref().unwrap_or(&everybody) {
        builder = builder.user(account(user, &tree, profile).await.map_err(bad)?);
    }
    builder = texts(builder, &file, profile);
    if let Some(tls) = &file.tls {
        builder = encrypted(builder, tls, near).map_err(bad)?;
    }
    let address = listening(&file).await?;
    let server = builder
        .bind(address)
        .await
        .map_err(|error| Failure::Other(format!("{address}: {error}")))?;
    output.object(&Listening {
        listening: server.local_addr().to_string(),
    })?;
    Ok(Site {
        server,
        once: false,
        quiet: !output.verbose,
    })
}

fn root(root: Option<&str>, near: &Path) -> Result<Arc<dyn Vfs>, String> {
    match root {
        None | Some("memory") => Ok(Arc::new(MemoryTree::new(MEMORY))),
        Some(folder) => match LocalDisk::new(near.join(folder)) {
            Ok(disk) => Ok(Arc::new(disk)),
            Err(error) => Err(format!("root: {folder}: {error}")),
        },
    }
}

/// What the file says; the rest as the profile has it.
fn limits(file: &ServeFile, profile: Profile) -> Limits {
    let mut limits = profile.limits();
    if let Some(most) = file.max_connections {
        limits.connections = most;
    }
    // The file has no word for sessions of one address: they may be as many as there are at all.
    limits.connections_per_address = limits.connections;
    if let Some(seconds) = file.idle_timeout {
        limits.idle = time(seconds);
    }
    if let Some(seconds) = file.socket_timeout {
        limits.reply = time(seconds);
        limits.data_idle = time(seconds);
    }
    limits
}

/// The server reads what clients upload, and writes what they download.
fn speed(read: Option<u64>, write: Option<u64>) -> SpeedLimits {
    SpeedLimits {
        // As in aioftp 0 is no limit.
        upload: read.and_then(NonZeroU64::new),
        download: write.and_then(NonZeroU64::new),
    }
}

fn texts(mut builder: ServerBuilder, file: &ServeFile, profile: Profile) -> ServerBuilder {
    match (&file.welcome, profile) {
        (Some(welcome), _) => builder = builder.welcome(welcome),
        (None, Profile::Aioftp) => builder = builder.welcome("welcome"),
        (None, _) => {}
    }
    if let Some(system) = &file.system_type {
        builder = builder.system_type(system);
    }
    if let Some(address) = file.pasv_address {
        builder = builder.passive_address(address);
    }
    if let Some(ports) = &file.data_ports {
        builder = builder.data_ports(ports.clone());
    }
    builder
}

async fn account(user: &FileUser, root: &Arc<dyn Vfs>, profile: Profile) -> Result<User, String> {
    let who = user.login.as_deref().unwrap_or("(everybody)");
    let bad = |key: &str, what: &dyn std::fmt::Display| format!("user {who}: {key}: {what}");
    let absolute = |key: &str, text: &str| match text.starts_with('/') {
        true => VPath::new(text).map_err(|error| bad(key, &error)),
        false => Err(bad(key, &format!("{text:?} doesn't begin with /"))),
    };
    let mut account = match &user.login {
        Some(login) => User::new(login),
        None => User::everybody(),
    };
    // Who takes every name is never asked for a password there.
    let asks = profile != Profile::Aioftp || user.login.is_some();
    if let Some(password) = user.password.as_ref().filter(|_| asks) {
        output::keep_secret(password.as_bytes());
        let secret = Secret::try_from(password.as_str());
        account = account.password(secret.map_err(|error| bad("password", &error))?);
    }
    let base = absolute("base", user.base.as_deref().unwrap_or("/"))?;
    let home = absolute("home", user.home.as_deref().unwrap_or("/"))?;
    let mut tree = Arc::clone(root);
    if !base.is_root() {
        make(root, &base)
            .await
            .map_err(|error| bad("base", &error))?;
        tree = Arc::new(Subtree::new(tree, base));
    }
    let rules = user.permissions.as_deref().unwrap_or_default();
    if !rules.is_empty() {
        let rules = rules
            .iter()
            .map(|rule| permission(rule, absolute))
            .collect::<Result<Vec<_>, _>>()?;
        tree = Arc::new(Guarded::new(tree, rules));
    }
    Ok(account.vfs(tree).home(home).limits(AccountLimits {
        connections: user.max_connections,
        speed: speed(user.read_limit, user.write_limit),
        session_speed: speed(
            user.read_limit_per_connection,
            user.write_limit_per_connection,
        ),
    }))
}

fn permission(
    rule: &FilePermission,
    absolute: impl Fn(&str, &str) -> Result<VPath, String>,
) -> Result<Permission, String> {
    let path = absolute("permissions", rule.path.as_deref().unwrap_or("/"))?;
    Ok(Permission::new(
        path,
        rule.read.unwrap_or(true),
        rule.write.unwrap_or(true),
    ))
}

/// Makes a directory with those above it, where it is missing.
async fn make(tree: &Arc<dyn Vfs>, path: &VPath) -> Result<(), ftp_server::vfs::VfsError> {
    let mut at = VPath::root();
    for component in path.components() {
        at = at.join(component)?;
        match tree.mkdir(&at).await {
            Err(error) if error.kind() != VfsErrorKind::Exists => return Err(error),
            _ => {}
        }
    }
    match tree.metadata(path).await?.is_dir() {
        true => Ok(()),
        false => Err(VfsErrorKind::NotDir.into()),
    }
}

fn encrypted(builder: ServerBuilder, tls: &FileTls, near: &Path) -> Result<ServerBuilder, String> {
    let certificate = ServerTls::from_pem_files(&near.join(&tls.cert), &near.join(&tls.key))
        .map_err(|error| format!("tls: {error}"))?;
    Ok(builder
        .tls(certificate)
        .implicit_tls(tls.mode == Some(FileTlsMode::Implicit))
        .require_tls(tls.required.unwrap_or(false)))
}

/// The first address of the host.
async fn listening(file: &ServeFile) -> Result<SocketAddr, Failure> {
    let host = file.host.as_deref().unwrap_or(HOST);
    let none = |why: &dyn std::fmt::Display| Failure::Other(format!("{host}: {why}"));
    let mut found = tokio::net::lookup_host((host, file.port.unwrap_or(0)))
        .await
        .map_err(|error| none(&error))?;
    found.next().ok_or_else(|| none(&"it has no address"))
}

impl From<cli::Profile> for Profile {
    fn from(profile: cli::Profile) -> Self {
        match profile {
            cli::Profile::Default => Self::Default,
            cli::Profile::Aioftp => Self::Aioftp,
        }
    }
}
