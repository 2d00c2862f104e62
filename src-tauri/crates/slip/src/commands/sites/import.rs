//! `slip sites import`: the saved sites of other programs.

use std::path::PathBuf;

use serde::Serialize;
use site_import::{Found, FoundSite, ImportError, Source};
use vault::{Folders, Keyring, SecretStore as _, Site, Sites};

use crate::cli::Import;
use crate::connect::label;
use crate::exit::{Failure, Status};
use crate::output::Output;

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    host: Option<&'a str>,
    /// `imported`, `known` or `left out`.
    outcome: &'static str,
    /// Whether the password is in the keyring now.
    password: bool,
    remarks: &'a [String],
}

/// Takes them over. Files and the keyring block.
pub(super) fn run(import: &Import, output: Output) -> Result<Status, Failure> {
    let other = |error: &dyn std::fmt::Display| Failure::Other(error.to_string());
    let folders = Folders::from_env().map_err(|error| other(&error))?;
    let store = Sites::new(&folders);
    let mut saved = store.list().map_err(|error| other(&error))?;
    let mut taken = Vec::new();
    let mut keyring_failed = false;
    for (place, found) in sources(import)? {
        if !output.json {
            output.remark(place.display());
        }
        let Found { sites, left_out } = found;
        for left in &left_out {
            let why = std::slice::from_ref(&left.why);
            tell(output, &left.name, None, "left out", false, why)?;
        }
        for mut entry in sites {
            if saved.iter().any(|known| is_same(known, &entry.site)) {
                let (name, host) = (label(&entry.site), Some(&*entry.site.host));
                tell(output, name, host, "known", false, &[])?;
                continue;
            }
            let mut stored = false;
            if import.passwords && !import.dry_run && !keyring_failed {
                match keep_password(&mut entry) {
                    Ok(kept) => stored = kept,
                    Err(error) => {
                        // Once is enough: a keyring that is not there is asked no further.
                        keyring_failed = true;
                        output.message(format!("the passwords are not kept: {error}"));
                    }
                }
            } else if entry.password.is_some() && !import.passwords {
                entry.remarks.push(
                    "its password is left there; --passwords puts it into the keyring".into(),
                );
            }
            let (name, host) = (label(&entry.site), Some(&*entry.site.host));
            tell(output, name, host, "imported", stored, &entry.remarks)?;
            saved.push(entry.site.clone());
            taken.push(entry.site);
        }
    }
    if import.dry_run {
        output.remark("nothing was saved (--dry-run)");
    } else {
        store.add_all(taken).map_err(|error| other(&error))?;
    }
    Ok(if keyring_failed {
        Status::SomeFailed
    } else {
        Status::Done
    })
}

/// What is to be read: the file that was named, or what lies where other programs keep theirs.
fn sources(import: &Import) -> Result<Vec<(PathBuf, Found)>, Failure> {
    let failed = |place: &PathBuf, error: &ImportError| {
        // An error of the system names the file itself.
        let place = match error {
            ImportError::Io { .. } => String::new(),
            _ => format!("{}: ", place.display()),
        };
        Failure::Other(format!("{place}{error}"))
    };
    if let Some(file) = &import.file {
        let found = site_import::read(file, import.from).map_err(|error| failed(file, &error))?;
        return Ok(vec![(file.clone(), found)]);
    }
    let home = std::env::home_dir()
        .ok_or_else(|| Failure::usage("there is no home folder to look into; name a file"))?;
    let mut all = Vec::new();
    for source in Source::ALL {
        if import.from.is_some_and(|wanted| wanted != source) {
            continue;
        }
        for place in source.usual_places(&home) {
            if !place.exists() {
                continue;
            }
            let found =
                site_import::read(&place, Some(source)).map_err(|error| failed(&place, &error))?;
            all.push((place, found));
        }
    }
    if all.is_empty() {
        return Err(Failure::Other(
            "no saved sites of other programs were found in your home folder; name a file"
                .to_owned(),
        ));
    }
    Ok(all)
}

/// The same place under the same name: taking it over once more would only make two of it.
fn is_same(known: &Site, new: &Site) -> bool {
    known.host.eq_ignore_ascii_case(&new.host)
        && known.port == new.port
        && known.user == new.user
        && label(known) == label(new)
}

/// True if there was a password, and the keyring has it now.
fn keep_password(entry: &mut FoundSite) -> Result<bool, vault::SecretError> {
    let Some(password) = &entry.password else {
        return Ok(false);
    };
    Keyring.set(entry.site.id.as_str(), password)?;
    entry.site.remember_password = true;
    Ok(true)
}

fn tell(
    output: Output,
    name: &str,
    host: Option<&str>,
    outcome: &'static str,
    password: bool,
    remarks: &[String],
) -> Result<(), Failure> {
    if output.json {
        output.object(&Row {
            name,
            host,
            outcome,
            password,
            remarks,
        })?;
        return Ok(());
    }
    let kept = if password { ", with its password" } else { "" };
    let host = host.filter(|host| *host != name);
    let host = host.map_or_else(String::new, |host| format!(" ({host})"));
    output.line(&format!("{outcome:<9} {name}{host}{kept}"))?;
    for remark in remarks {
        output.line(&format!("{:<9}   {remark}", ""))?;
    }
    Ok(())
}
