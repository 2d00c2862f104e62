//! How much room there is on a server.

use ftp_proto::{Argument, Command, RemotePath, Reply};

use crate::{Client, Error, ErrorKind, driver::Driver, names};

/// The most lines of a reply that are looked at.
const LINES: usize = 100;

/// What a server tells of its room. Numbers are bytes, unless they count files; `None` where it tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Space {
    /// What can still be stored.
    pub available: Option<u64>,
    /// What this user has stored.
    pub used: Option<u64>,
    /// What this user may store.
    pub limit: Option<u64>,
    /// How many files this user has stored.
    pub files_used: Option<u64>,
    /// How many files this user may store.
    pub files_limit: Option<u64>,
    /// The lines of the server's own report, where there is one.
    pub report: Vec<String>,
}

impl Client {
    /// How much room there is: AVBL for `path` (draft-peterson-streamlined-ftp-command-extensions), XQUOTA, and SITE QUOTA (ProFTPD's
    /// mod_quotatab); each where FEAT or SITE HELP names it. A server without quotas may tell nothing at all.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] where the server has none of these; what it refuses.
    pub async fn space(&self, path: Option<&RemotePath>) -> Result<Space, Error> {
        let path = path.cloned();
        self.run(move |driver| Box::pin(async move { driver.space(path.as_ref()).await }))
            .await
    }
}

impl Driver {
    async fn space(&mut self, path: Option<&RemotePath>) -> Result<Space, Error> {
        let mut space = Space::default();
        let mut told = false;
        let mut refused = None;
        if self.features.has("AVBL") {
            let command = Command::Other {
                verb: "AVBL".to_owned(),
                argument: path.map(|path| (&names::plain(path)).into()),
            };
            match self.command(command).await {
                Ok(reply) => {
                    space.available = available(&reply);
                    told = space.available.is_some();
                    if !told {
                        refused = Some(Error::with_reply(ErrorKind::Protocol, "AVBL", reply));
                    }
                }
                Err(error) if error.reply().is_none() || error.is_fatal() => return Err(error),
                Err(error) => refused = Some(error),
            }
        }
        let quota = if self.features.has("XQUOTA") {
            Some(Command::Other {
                verb: "XQUOTA".to_owned(),
                argument: None,
            })
        } else if self.has_site("QUOTA").await? {
            let quota = Argument::try_from("QUOTA").map_err(Error::argument)?;
            Some(Command::Site(quota))
        } else {
            None
        };
        if let Some(command) = quota {
            match self.command(command).await {
                Ok(reply) => {
                    told = true;
                    space.read(&reply);
                }
                Err(error) if error.reply().is_none() || error.is_fatal() => return Err(error),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match (told, refused) {
            (true, _) => Ok(space),
            (false, Some(refused)) => Err(refused),
            (false, None) => Err(Error::new(
                ErrorKind::Unsupported,
                "AVBL, XQUOTA or SITE QUOTA",
            )),
        }
    }
}

/// What the answer to XQUOTA or SITE QUOTA tells.
#[must_use]
pub fn quota_of(reply: &Reply) -> Space {
    let mut space = Space::default();
    space.read(reply);
    space
}

/// `213 1234`, or with words around.
fn available(reply: &Reply) -> Option<u64> {
    let line = String::from_utf8_lossy(reply.first_line()).into_owned();
    let mut numbers = line
        .split_ascii_whitespace()
        .filter_map(|word| word.parse().ok());
    numbers.next()
}

impl Space {
    /// Reads a report: lines such as `Uploaded Kb: 12.00/1000.00` (used and limit), `Disk usage: 5K`, `Disk quota: 1M`.
    fn read(&mut self, reply: &Reply) {
        for line in reply.lines.iter().take(LINES) {
            // Columns are of no use to a single line.
            let words: Vec<&[u8]> = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .collect();
            if !words.is_empty() {
                self.report.push(ftp_proto::escape(&words.join(&b' '), 200));
            }
            let text = String::from_utf8_lossy(line).to_ascii_lowercase();
            let Some((label, value)) = text.split_once(':') else {
                continue;
            };
            // What went to and fro in all, and folders, are no room.
            if ["download", "transfer", "ratio", "credit", "speed"]
                .iter()
                .any(|word| label.contains(word))
            {
                continue;
            }
            let unit = unit_in(label);
            let (first, second) = match value.split_once('/') {
                Some((used, limit)) => (used, Some(limit)),
                None => (value, None),
            };
            let first = number(first, unit);
            let second = second.and_then(|limit| number(limit, unit));
            let says = |words: &[&str]| words.iter().any(|word| label.contains(word));
            let files = label.contains("file") && unit.is_none();
            if value.contains('/') {
                if unit.is_none()
                    && !says(&["file", "disk", "space", "size", "quota", "usage", "used"])
                {
                    continue;
                }
                let (used, limit) = match files {
                    true => (&mut self.files_used, &mut self.files_limit),
                    false => (&mut self.used, &mut self.limit),
                };
                *used = used.or(first);
                *limit = limit.or(second);
            } else if says(&["available", "free", "remaining", "left"]) {
                if !files {
                    self.available = self.available.or(first);
                }
            } else if says(&["quota", "limit", "maximum", "allowed"]) {
                let limit = match files {
                    true => &mut self.files_limit,
                    false => &mut self.limit,
                };
                *limit = limit.or(first);
            } else if says(&["usage", "used", "count", "current"]) {
                let used = match files {
                    true => &mut self.files_used,
                    false => &mut self.used,
                };
                *used = used.or(first);
            }
        }
        if self.available.is_none()
            && let (Some(used), Some(limit)) = (self.used, self.limit)
        {
            self.available = Some(limit.saturating_sub(used));
        }
    }
}

/// The unit that a label names: `Uploaded Kb`.
fn unit_in(label: &str) -> Option<f64> {
    label
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find_map(unit)
}

fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "b" | "byte" | "bytes" => 1.0,
        "k" | "kb" | "kib" | "kbyte" | "kbytes" => 1024.0,
        "m" | "mb" | "mib" | "mbyte" | "mbytes" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" | "gbyte" | "gbytes" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// `12.50`, `12K`, `12 MB`: in bytes, whole ones. `None` for "unlimited" and whatever else is no number.
fn number(text: &str, label_unit: Option<f64>) -> Option<u64> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let word = rest
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    let unit = unit(word).or(label_unit).unwrap_or(1.0);
    if unit == 1.0 && !digits.contains('.') {
        return digits.parse().ok();
    }
    let value: f64 = digits.parse().ok()?;
    let bytes = value * unit;
    // Beyond this a float has no single bytes any more; a server with more has told nonsense.
    (bytes.is_finite() && (0.0..9.0e18).contains(&bytes)).then_some(bytes as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Space {
        let mut space = Space::default();
        space.read(&Reply::multi(
            200,
            lines.iter().map(|line| line.as_bytes().to_vec()),
        ));
        space
    }

    #[test]
    fn quotas_in_what_servers_say() {
        let space = read(&[
            "The current quota for this session are [current/limit]:",
            " Name: somebody",
            "   Uploaded Kb:\t12.50/1000.00",
            "   Downloaded Kb:\tunlimited",
            "   Transferred Kb:\tunlimited",
            "   Uploaded files:\t3/50",
            "Please contact root if these entries are inaccurate",
        ]);
        assert_eq!(space.used, Some(12_800));
        assert_eq!(space.limit, Some(1_024_000));
        assert_eq!(space.available, Some(1_011_200));
        assert_eq!((space.files_used, space.files_limit), (Some(3), Some(50)));
        assert_eq!(space.report.len(), 7);
        let space = read(&[
            "File and disk usage",
            "    File count: 17",
            "    Disk usage: 1.5M",
            "    Disk quota: 2048 KB",
            "End",
        ]);
        assert_eq!(space.files_used, Some(17));
        assert_eq!(
            (space.used, space.limit),
            (Some(1_572_864), Some(2_097_152))
        );
        assert_eq!(space.available, Some(524_288));
        let space = read(&[
            "Disk quota: unlimited",
            "Disk usage: 5 bytes",
            "Free: 99999999999999999999999 GB",
        ]);
        assert_eq!(
            (space.used, space.limit, space.available),
            (Some(5), None, None)
        );
        assert_eq!(read(&["No quotas in effect"]).used, None);
        assert_eq!(
            available(&Reply::new(213, "12345678901")),
            Some(12_345_678_901)
        );
        assert_eq!(available(&Reply::new(213, "there are 7 bytes")), Some(7));
        assert_eq!(available(&Reply::new(213, "plenty")), None);
    }
}
