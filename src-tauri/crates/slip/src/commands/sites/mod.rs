mod import;

use serde::Serialize;

use crate::cli::{self, SitesAction};
use crate::connect::{label, saved_sites};
use crate::exit::{Failure, Status};
use crate::output::Output;

#[derive(Debug, Serialize)]
struct SiteObject<'a> {
    id: &'a str,
    name: &'a str,
    host: &'a str,
    port: Option<u16>,
    user: Option<&'a str>,
    tls: vault::TlsMode,
    path: &'a str,
}

/// Lists the saved sites, or does with them what was asked.
pub(crate) fn run(sites: &cli::Sites, output: Output) -> Result<Status, Failure> {
    match &sites.action {
        Some(SitesAction::Import(import)) => import::run(import, output),
        None => list(output),
    }
}

fn list(output: Output) -> Result<Status, Failure> {
    for site in saved_sites()? {
        let user = (!site.user.is_empty()).then_some(site.user.as_str());
        if output.json {
            output.object(&SiteObject {
                id: site.id.as_str(),
                name: label(&site),
                host: &site.host,
                port: site.port,
                user,
                tls: site.tls,
                path: &site.remote_path,
            })?;
            continue;
        }
        let host = if site.host.contains(':') {
            format!("[{}]", site.host)
        } else {
            site.host.clone()
        };
        let user = user.map_or_else(String::new, |user| format!("{user}@"));
        let port = site
            .port
            .map_or_else(String::new, |port| format!(":{port}"));
        output.line(&format!("{:<24} {user}{host}{port}", label(&site)))?;
    }
    Ok(Status::Done)
}
