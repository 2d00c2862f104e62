//! Real servers, fetched from Debian or Ubuntu as packages and unpacked without installing.
//!
//! The three servers exclude each other as installed packages, and none of them should run as a service on the
//! machine of whoever runs the tests. So `apt-get download` and `dpkg -x` put each into a folder of its own
//! under `target/servers` (or `$SLIPWAY_SERVERS_DIR`), with the shared libraries that it misses here. That is
//! done once; a lock makes parallel test processes wait for the first.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::skip::{Skipped, target_dir};

/// How long one call of apt may take, in seconds.
const APT_LIMIT: &str = "180";
/// A failed download is not repeated by every test: only after this time.
const RETRY_AFTER: Duration = Duration::from_secs(300);
/// Libraries can need libraries; no real chain is longer than this.
const LIBRARY_ROUNDS: usize = 6;

/// A set of packages that is unpacked together, and the programs in it that must find their libraries.
#[derive(Debug, Clone, Copy)]
pub struct Bundle {
    /// The name of its folder in the cache.
    pub name: &'static str,
    /// Debian package names.
    pub packages: &'static [&'static str],
    /// Programs and modules, relative to the root of the unpacked packages.
    pub objects: &'static [&'static str],
}

/// vsftpd.
pub const VSFTPD: Bundle = Bundle {
    name: "vsftpd",
    packages: &["vsftpd"],
    objects: &["usr/sbin/vsftpd"],
};

/// ProFTPD with its TLS module.
pub const PROFTPD: Bundle = Bundle {
    name: "proftpd",
    packages: &["proftpd-core", "proftpd-mod-crypto"],
    objects: &["usr/sbin/proftpd", "usr/lib/proftpd/mod_tls.so"],
};

/// Pure-FTPd and `pure-pw`, which writes its table of users.
pub const PURE_FTPD: Bundle = Bundle {
    name: "pure-ftpd",
    packages: &["pure-ftpd"],
    objects: &["usr/sbin/pure-ftpd", "usr/bin/pure-pw"],
};

/// A bundle on disk.
#[derive(Debug, Clone)]
pub struct Unpacked {
    root: PathBuf,
    library_path: OsString,
}

impl Unpacked {
    /// What was put there in another way, and finds its libraries by itself.
    pub(crate) fn at(root: PathBuf) -> Self {
        let library_path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        Self { root, library_path }
    }

    /// The absolute path of a file of the packages.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A command that runs a program of the packages with the libraries that came with it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path(program));
        command.env("LD_LIBRARY_PATH", &self.library_path);
        command
    }
}

/// The folder that holds the unpacked servers.
pub fn cache_dir() -> PathBuf {
    std::env::var_os("SLIPWAY_SERVERS_DIR")
        .map_or_else(|| target_dir().join("servers"), PathBuf::from)
}

/// Fetches a bundle unless it is there, and says where it is.
///
/// # Errors
///
/// [`Skipped`] if it can't be had: no apt, no network, no such package, libraries that nothing provides.
pub fn fetch(bundle: &Bundle) -> Result<Unpacked, Skipped> {
    let cache = cache_dir();
    let home = cache.join(bundle.name);
    let trouble = |error: std::io::Error| Skipped(format!("{}: {error}", cache.display()));
    if !home.join("complete").exists() {
        fs::create_dir_all(&cache).map_err(trouble)?;
        // The kernel gives the lock back if this process dies.
        let lock = File::create(cache.join(format!("{}.lock", bundle.name))).map_err(trouble)?;
        lock.lock().map_err(trouble)?;
        if !home.join("complete").exists() {
            let note = cache.join(format!("{}.failed", bundle.name));
            if let Some(earlier) = recent_failure(&note) {
                return Err(Skipped(earlier));
            }
            if let Err(reason) = download(bundle, &home) {
                let _ = fs::write(&note, &reason.0);
                return Err(reason);
            }
            let _ = fs::remove_file(&note);
        }
    }
    let root = home.join("root");
    let library_path = library_path(&root);
    Ok(Unpacked { root, library_path })
}

/// Compiles a C source file of this crate into a shared library in the cache; the same text only once.
pub(crate) fn compile_shared(name: &str, source: &str) -> Result<PathBuf, Skipped> {
    let dir = cache_dir().join("built");
    let trouble = |error: std::io::Error| Skipped(format!("{}: {error}", dir.display()));
    fs::create_dir_all(&dir).map_err(trouble)?;
    let lock = File::create(dir.join(format!("{name}.lock"))).map_err(trouble)?;
    lock.lock().map_err(trouble)?;
    let (kept, library) = (
        dir.join(format!("{name}.c")),
        dir.join(format!("{name}.so")),
    );
    if library.exists() && fs::read_to_string(&kept).is_ok_and(|text| text == source) {
        return Ok(library);
    }
    fs::write(&kept, source).map_err(trouble)?;
    let fresh = dir.join(format!("{name}.{}.new", std::process::id()));
    let mut cc = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
        .arg(&fresh)
        .arg(&kept);
    run(&mut cc)?;
    fs::rename(&fresh, &library).map_err(trouble)?;
    Ok(library)
}

pub(crate) fn recent_failure(note: &Path) -> Option<String> {
    let age = fs::metadata(note).ok()?.modified().ok()?.elapsed().ok()?;
    (age < RETRY_AFTER).then(|| fs::read_to_string(note).unwrap_or_default())
}

fn download(bundle: &Bundle, home: &Path) -> Result<(), Skipped> {
    let work = home.with_extension(format!("{}.new", std::process::id()));
    let trouble = |error: std::io::Error| Skipped(format!("{}: {error}", work.display()));
    let (debs, root) = (work.join("debs"), work.join("root"));
    for dir in [&debs, &root] {
        fs::create_dir_all(dir).map_err(trouble)?;
    }
    let result = (|| {
        let mut asked: HashSet<String> = HashSet::new();
        let mut wanted: BTreeSet<String> =
            bundle.packages.iter().map(ToString::to_string).collect();
        for round in 0..LIBRARY_ROUNDS {
            let fresh = get(&wanted, &debs, round == 0)?;
            asked.extend(wanted);
            for deb in &fresh {
                run(Command::new("dpkg").arg("-x").arg(deb).arg(&root))?;
            }
            let missing = missing_libraries(bundle, &root)?;
            if missing.is_empty() {
                return Ok(());
            }
            // Names of library packages differ between releases, so they are taken from what the packages
            // that we have say they depend on.
            wanted = BTreeSet::new();
            for deb in &fresh {
                wanted.extend(
                    library_dependencies(deb)?
                        .into_iter()
                        .filter(|name| !asked.contains(name)),
                );
            }
            if wanted.is_empty() {
                return Err(Skipped(format!(
                    "{}: no package has {}",
                    bundle.name,
                    missing.join(", ")
                )));
            }
        }
        Err(Skipped(format!(
            "{}: its libraries need ever more libraries",
            bundle.name
        )))
    })();
    let finished = result.and_then(|()| {
        fs::remove_dir_all(&debs).map_err(trouble)?;
        fs::write(work.join("complete"), bundle.packages.join(" ")).map_err(trouble)?;
        if home.exists() {
            fs::remove_dir_all(home).map_err(trouble)?;
        }
        fs::rename(&work, home).map_err(trouble)
    });
    if finished.is_err() {
        let _ = fs::remove_dir_all(&work);
    }
    finished
}

/// Downloads packages into `debs` and returns the files that are new. Libraries that can't be downloaded (a
/// virtual package, say) are left to the check for missing ones; with `all`, every name must be had.
fn get(names: &BTreeSet<String>, debs: &Path, all: bool) -> Result<Vec<PathBuf>, Skipped> {
    let before = files(debs);
    let apt = |names: &[&String]| {
        let mut command = Command::new("timeout");
        command
            .args([
                APT_LIMIT,
                "apt-get",
                "-q",
                "-o",
                "APT::Sandbox::User=root",
                "download",
            ])
            .args(names)
            .current_dir(debs);
        run(&mut command)
    };
    let together: Vec<&String> = names.iter().collect();
    if let Err(first) = apt(&together) {
        if all {
            // The lists of packages may be missing or stale.
            let update = run(Command::new("timeout").args([APT_LIMIT, "apt-get", "-q", "update"]));
            if update.is_err() {
                return Err(first);
            }
            apt(&together)?;
        } else {
            for name in together {
                let _ = apt(&[name]);
            }
        }
    }
    Ok(files(debs).difference(&before).cloned().collect())
}

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"))
        .collect()
}

/// The `lib…` packages that a package depends on and that are not installed here.
fn library_dependencies(deb: &Path) -> Result<Vec<String>, Skipped> {
    let output = run(Command::new("dpkg-deb")
        .arg("-f")
        .arg(deb)
        .args(["Pre-Depends", "Depends"]))?;
    let text = String::from_utf8_lossy(&output.stdout)
        .replace("Pre-Depends:", ",")
        .replace("Depends:", ",");
    let mut names = Vec::new();
    for clause in text.split([',', '\n']) {
        let first = clause.split('|').next().unwrap_or_default();
        let name = first
            .split(['(', ':', ' '])
            .find(|part| !part.is_empty())
            .unwrap_or_default();
        if name.starts_with("lib") && !installed(name) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn installed(package: &str) -> bool {
    let query = Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Status}", package])
        .output();
    query.is_ok_and(|output| output.stdout.starts_with(b"installed"))
}

fn missing_libraries(bundle: &Bundle, root: &Path) -> Result<Vec<String>, Skipped> {
    let mut missing = BTreeSet::new();
    for object in bundle.objects {
        let path = root.join(object);
        if !path.exists() {
            return Err(Skipped(format!(
                "{}: the packages have no {object}",
                bundle.name
            )));
        }
        let output = run(Command::new("ldd")
            .arg(&path)
            .env("LD_LIBRARY_PATH", library_path(root)))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lost = text.lines().filter(|line| line.contains("not found"));
        missing.extend(
            lost.filter_map(|line| line.split_whitespace().next())
                .map(str::to_owned),
        );
    }
    Ok(missing.into_iter().collect())
}

/// The library folders of an unpacked tree, as `$LD_LIBRARY_PATH` wants them.
fn library_path(root: &Path) -> OsString {
    let mut folders = Vec::new();
    for base in ["usr/lib", "lib"] {
        let base = root.join(base);
        for entry in fs::read_dir(&base).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().contains("-linux-gnu") {
                folders.push(entry.path());
            }
        }
        folders.push(base);
    }
    let existing = std::env::var_os("LD_LIBRARY_PATH");
    folders.extend(existing.iter().flat_map(std::env::split_paths));
    std::env::join_paths(folders).unwrap_or_default()
}

/// Runs a command to its end; whatever goes wrong is a reason to skip.
pub(crate) fn run(command: &mut Command) -> Result<Output, Skipped> {
    let output = command
        .output()
        .map_err(|error| Skipped(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rev()
        .find(|line| line.starts_with("E:"))
        .or_else(|| said.lines().last());
    Err(Skipped(format!(
        "{command:?}: {}: {}",
        output.status,
        last.unwrap_or_default()
    )))
}
