//! One line of a batch: what it asks for.

use std::ffi::OsString;
use std::path::PathBuf;

use bytes::Bytes;
use clap::{Args as _, CommandFactory as _, FromArgMatches as _};
use data_encoding::BASE64;
use ftp_client::ftp_proto::{Argument, Secret};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Errand, Source};
use crate::cli::{self, Check, Cli, DeliverHow, Options};
use crate::connect::Connections;
use crate::output;
use crate::url::{self, Place, Scheme, Server, Url};

/// The keys that are not options of the connection.
const KEYS: [&str; 22] = [
    "id",
    "url",
    "site",
    "host",
    "port",
    "user",
    "password",
    "password_env",
    "folder",
    "name",
    "target",
    "source",
    "text",
    "base64",
    "parents",
    "temporary",
    "verify",
    "tries",
    "times",
    "modified",
    "permissions",
    "options",
];
/// Options of the program that say nothing of a connection.
const NOT_HERE: [&str; 6] = ["json", "quiet", "verbose", "remember", "help", "version"];

/// What one line of a batch asks for.
pub(super) struct Item {
    pub(super) errand: Errand,
    /// With the options of this line.
    pub(super) connections: Option<Connections>,
}

/// What a line says before it was understood: its id, at least.
pub(super) fn object(line: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("a line is an object: {\"url\": …, \"source\": …}".to_owned()),
        Err(error) => {
            let text = error.to_string();
            // Its own "line" would always be the first.
            let what = text
                .rsplit_once(" at line ")
                .map_or(&*text, |(what, _)| what);
            Err(format!("no JSON: {what}, at column {}", error.column()))
        }
    }
}

/// The texts of a line that must never be shown, before anything else of it is.
pub(super) fn hide_secrets(object: &Map<String, Value>) {
    let inner = object.get("options").and_then(Value::as_object);
    for object in std::iter::once(object).chain(inner) {
        if let Some(Value::String(password)) = object.get("password") {
            output::keep_secret(password.as_bytes());
        }
        for key in ["url", "site", "proxy"] {
            if let Some(text) = object.get(key).and_then(Value::as_str)
                && let Some((_, password)) = url::take_password_of(text)
            {
                output::keep_secret(password.as_bytes());
            }
        }
    }
}

#[derive(Default)]
struct Wish {
    url: Option<String>,
    site: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    folder: Option<String>,
    name: Option<String>,
    target: Option<String>,
    sources: Vec<(Source, String)>,
    modified: Option<Timestamp>,
    options: Vec<(String, Value)>,
}

/// Understands a line. What is missing, empty or `null` is as the command line says, or else the default.
pub(super) fn understand(
    object: Map<String, Value>,
    how: &DeliverHow,
    connections: &Connections,
) -> Result<Item, String> {
    let mut wish = Wish::default();
    let mut how = how.clone();
    read(object, &mut wish, &mut how, true)?;
    if wish.sources.len() != 1 {
        return Err(match wish.sources.is_empty() {
            true => "there is nothing to deliver: \"source\", \"text\" or \"base64\" says what"
                .to_owned(),
            false => "of \"source\", \"text\" and \"base64\" one is enough".to_owned(),
        });
    }
    let modified = wish.modified;
    let (source, shown) = wish.sources.remove(0);
    let mut address = wish.address(connections)?;
    let named = !wish.is_below();
    if let Some(password) = &wish.password {
        let Place::Server(server) = &mut address.place else {
            return Err("\"password\" goes with \"url\" or \"host\": a saved site has its own in the keyring".to_owned());
        };
        server.password = Some(
            Secret::try_from(password.as_str())
                .map_err(|error| format!("\"password\": {error}"))?,
        );
    }
    let (path, name) = wish.path(&address, named)?;
    let place = Url::new(address.place, path).map_err(|error| error.to_string())?;
    let mut errand = Errand::new(source, &place, name.as_deref(), how)?;
    errand.shown = shown;
    errand.modified = modified;
    let connections = match wish.options.is_empty() {
        true => None,
        false => {
            let options = with_options(&wish.options)?;
            Some(
                connections
                    .with_options(options)
                    .map_err(|failure| failure.to_string())?,
            )
        }
    };
    Ok(Item {
        errand,
        connections,
    })
}

fn read(
    object: Map<String, Value>,
    wish: &mut Wish,
    how: &mut DeliverHow,
    outer: bool,
) -> Result<(), String> {
    for (key, value) in object {
        // Settings that were left empty.
        let is_content = matches!(key.as_str(), "text" | "base64");
        if value.is_null() || value.as_str() == Some("") && !is_content {
            if known(&key) {
                continue;
            }
            return Err(unknown(&key));
        }
        match key.as_str() {
            "id" => {}
            "url" => wish.url = Some(text(&key, value)?),
            "site" => wish.site = Some(text(&key, value)?),
            "host" => wish.host = Some(text(&key, value)?),
            "port" => {
                let port = match &value {
                    Value::String(text) => text.parse().ok(),
                    other => other.as_u64(),
                };
                let port = port
                    .and_then(|port: u64| u16::try_from(port).ok())
                    .filter(|port| *port > 0);
                wish.port = Some(port.ok_or("\"port\" takes a number from 1 to 65535")?);
            }
            "user" => wish.user = Some(text(&key, value)?),
            "password" => wish.password = Some(text(&key, value)?),
            "password_env" => {
                let variable = text(&key, value)?;
                let password = std::env::var(&variable)
                    .ok()
                    .filter(|password| !password.is_empty())
                    .ok_or_else(|| format!("\"password_env\": ${variable} is not set"))?;
                output::keep_secret(password.as_bytes());
                wish.password = Some(password);
            }
            "folder" => wish.folder = Some(text(&key, value)?),
            "name" => wish.name = Some(text(&key, value)?),
            "target" => wish.target = Some(text(&key, value)?),
            "source" => {
                let file = text(&key, value)?;
                wish.sources
                    .push((Source::File(PathBuf::from(&file)), file));
            }
            "text" => {
                let bytes = Bytes::from(text(&key, value)?);
                wish.sources
                    .push((Source::Bytes(bytes), "(text)".to_owned()));
            }
            "base64" => {
                let bytes = BASE64
                    .decode(text(&key, value)?.as_bytes())
                    .map_err(|error| format!("\"base64\": {error}"))?;
                wish.sources
                    .push((Source::Bytes(bytes.into()), "(base64)".to_owned()));
            }
            "parents" => how.no_parents = !yes_or_no(&key, &value)?,
            "temporary" => how.plain_names = !yes_or_no(&key, &value)?,
            "times" => how.no_times = !yes_or_no(&key, &value)?,
            "verify" => {
                how.verify = match value.as_str() {
                    Some("hash") => Check::Hash,
                    Some("size") => Check::Size,
                    Some("reply") => Check::Reply,
                    _ => return Err("\"verify\" takes \"hash\", \"size\" or \"reply\"".to_owned()),
                }
            }
            "tries" => {
                how.tries = value
                    .as_u64()
                    .and_then(|tries| u8::try_from(tries).ok())
                    .filter(|tries| (1..=20).contains(tries))
                    .ok_or("\"tries\" takes a number from 1 to 20")?;
            }
            "modified" => {
                let time = text(&key, value)?
                    .parse()
                    .map_err(|_| "\"modified\" takes a time such as 2026-05-31T18:00:00Z")?;
                wish.modified = Some(time);
            }
            "permissions" => {
                let mode = cli::permissions(&text(&key, value)?)
                    .map_err(|error| format!("\"permissions\": {error}"))?;
                how.permissions = Some(mode);
            }
            "options" if outer => match value {
                Value::Object(inner) => read(inner, wish, how, false)?,
                _ => return Err("\"options\" takes an object".to_owned()),
            },
            other if connection_option(other).is_some() => wish.options.push((key, value)),
            _ => return Err(unknown(&key)),
        }
    }
    Ok(())
}

impl Wish {
    /// True where something says more than the address.
    fn is_below(&self) -> bool {
        self.folder.is_some() || self.name.is_some() || self.target.is_some()
    }

    fn address(&self, connections: &Connections) -> Result<Url, String> {
        let given: Vec<&str> = [
            ("url", &self.url),
            ("site", &self.site),
            ("host", &self.host),
        ]
        .iter()
        .filter(|(_, value)| value.is_some())
        .map(|(key, _)| *key)
        .collect();
        if given.len() > 1 {
            return Err(format!("of \"{}\" one is enough", given.join("\" and \"")));
        }
        let mut url = match (&self.url, &self.site, &self.host) {
            (Some(url), _, _) => connections
                .parse(url)
                .map_err(|failure| failure.to_string())?,
            (_, Some(site), _) if Url::is_meant(site) => connections
                .parse(site)
                .map_err(|failure| failure.to_string())?,
            (_, Some(site), _) => Url::new(Place::Site(site.clone()), Vec::new())
                .map_err(|error| error.to_string())?,
            (_, _, Some(host)) => {
                let server = Server {
                    scheme: Scheme::Ftp,
                    user: None,
                    password: None,
                    host: url::parse_host(host).map_err(|error| error.to_string())?,
                    port: None,
                };
                Url::new(Place::Server(server), Vec::new()).map_err(|error| error.to_string())?
            }
            _ => return Err("\"url\", \"site\" or \"host\" says where to".to_owned()),
        };
        match &mut url.place {
            Place::Server(server) => {
                if let Some(port) = self.port {
                    server.port = Some(port);
                }
                if let Some(user) = &self.user {
                    let user = Argument::try_from(user.as_str());
                    server.user = Some(user.map_err(|error| format!("\"user\": {error}"))?);
                }
            }
            Place::Site(_) if self.port.is_some() || self.user.is_some() => {
                return Err(
                    "\"port\" and \"user\" go with \"url\" or \"host\": a saved site has its own"
                        .to_owned(),
                );
            }
            Place::Site(_) => {}
        }
        Ok(url)
    }

    /// The path below the place, and the name if it is given by itself. An address that is followed by a folder or a name is a folder, slash
    /// or no slash.
    fn path(&self, url: &Url, is_whole: bool) -> Result<(Vec<u8>, Option<Vec<u8>>), String> {
        let mut path = url.path().to_vec();
        if is_whole {
            return Ok((path, None));
        }
        let mut below = |part: &str, is_folder: bool| {
            if part.starts_with('/') {
                path.clear();
            } else if !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(part.as_bytes());
            if is_folder && !path.is_empty() && !path.ends_with(b"/") {
                path.push(b'/');
            }
        };
        below(self.folder.as_deref().unwrap_or(""), true);
        if let Some(target) = &self.target {
            // Where a name is given too, it is in that folder.
            below(target, self.name.is_some());
        }
        Ok((path, self.name.clone().map(String::into_bytes)))
    }
}

/// The option of the command line that a key stands for, and whether it takes a value.
fn connection_option(key: &str) -> Option<(String, bool)> {
    let long = key.replace('_', "-");
    if NOT_HERE.contains(&long.as_str()) {
        return None;
    }
    let options = Options::augment_args(clap::Command::new("options"));
    let found = options
        .get_arguments()
        .find(|argument| argument.get_long() == Some(&long))?;
    Some((long, found.get_action().takes_values()))
}

fn known(key: &str) -> bool {
    KEYS.contains(&key) || connection_option(key).is_some()
}

fn unknown(key: &str) -> String {
    let options = Options::augment_args(clap::Command::new("options"));
    let options = options
        .get_arguments()
        .filter_map(clap::Arg::get_long)
        .filter(|long| !NOT_HERE.contains(long))
        .map(|long| long.replace('-', "_"));
    let all: Vec<String> = KEYS
        .iter()
        .map(|key| (*key).to_owned())
        .chain(options)
        .collect();
    format!("unknown key {key:?}; there are {}", all.join(", "))
}

fn text(key: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        // Customers' numbers are names, too.
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(format!("{key:?} takes text")),
    }
}

fn yes_or_no(key: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("{key:?} takes true or false"))
}

/// The options of the command line, with those of a line over them: parsed by the same rules.
fn with_options(options: &[(String, Value)]) -> Result<Options, String> {
    let (mut arguments, _) = crate::arguments::hide_passwords(std::env::args_os().collect());
    let mut own_pins = 0;
    for (key, value) in options {
        let Some((long, takes_value)) = connection_option(key) else {
            return Err(unknown(key));
        };
        let flag = format!("--{long}");
        if !takes_value {
            let wished = yes_or_no(key, value)?;
            // The line decides, whatever the command line says; and either of two is the contrary of the other.
            let other = match long.as_str() {
                "active" => Some("--passive"),
                "passive" => Some("--active"),
                _ => None,
            };
            arguments.retain(|argument| {
                *argument != *flag && Some(argument.as_os_str()) != other.map(AsRef::as_ref)
            });
            match (wished, other) {
                (true, _) => arguments.push(flag.into()),
                (false, Some(other)) => arguments.push(other.into()),
                (false, None) => {}
            }
            continue;
        }
        let values = match value {
            Value::Array(values) => values.clone(),
            Value::Bool(yes) if long == "tls" => {
                vec![Value::from(if *yes { "explicit" } else { "off" })]
            }
            other => vec![other.clone()],
        };
        for value in values {
            own_pins += usize::from(long == "pin");
            arguments.push(OsString::from(format!("{flag}={}", text(key, value)?)));
        }
    }
    let command =
        Cli::command().mut_subcommand("deliver", |deliver| deliver.args_override_self(true));
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let mut parsed = parsed.map_err(|error| {
        let text = url::redact(&error.render().to_string());
        let first = text.lines().next().unwrap_or_default();
        first.trim_start_matches("error: ").to_owned()
    })?;
    if own_pins > 0 {
        // The certificate that the line names, and no other.
        let others = parsed.options.pin.len().saturating_sub(own_pins);
        parsed.options.pin.drain(..others);
    }
    Ok(parsed.options)
}
