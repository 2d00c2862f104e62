use crate::Reply;

/// No server has that many features; one that says so only wants to fill our memory.
const MAX_FEATURES: usize = 500;
/// The longest line that is kept, in characters. The facts of MLST are the longest that servers send.
const MAX_LINE: usize = 2000;

/// What a server says it can do (RFC 2389 section 3).
///
/// A feature that is missing is not proof that the command is: many servers know SIZE, MDTM and REST without saying so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    lines: Vec<Feature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Feature {
    name: String,
    params: String,
}

impl Features {
    /// Reads the reply to FEAT. A refusal has no features. Lines that repeat the code (`211-SIZE`) are understood too.
    #[must_use]
    pub fn parse(reply: &Reply) -> Self {
        let mut features = Self::default();
        if !reply.code.is_completion() || reply.lines.len() < 3 {
            return features;
        }
        for line in &reply.lines[1..reply.lines.len() - 1] {
            let line = match line.split_at_checked(4) {
                Some((code, rest))
                    if code[3] == b'-' && code[..3].iter().all(u8::is_ascii_digit) =>
                {
                    rest
                }
                _ => line,
            };
            features.insert(&String::from_utf8_lossy(line));
        }
        features
    }

    /// Adds one line, such as `REST STREAM`. Empty lines, and what would go beyond 500 features, are left out; a line
    /// ends at its first control character.
    pub fn insert(&mut self, line: &str) {
        let line = line.trim_start();
        let end = line
            .char_indices()
            .take(MAX_LINE)
            .take_while(|(_, c)| !c.is_control())
            .last()
            .map_or(0, |(at, c)| at + c.len_utf8());
        let line = line[..end].trim();
        if line.is_empty() || self.lines.len() >= MAX_FEATURES {
            return;
        }
        let (name, params) = line.split_once(' ').unwrap_or((line, ""));
        self.lines.push(Feature {
            name: name.to_owned(),
            params: params.trim_start().to_owned(),
        });
    }

    /// True where a feature of that name is there, in whatever case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What stands behind the name, which may be nothing. Of several lines with that name it is the first.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// True where names are UTF-8 (RFC 2640 section 3.2).
    #[must_use]
    pub fn utf8(&self) -> bool {
        self.has("UTF8") || self.has("UTF-8")
    }

    /// True where transfers in stream mode can begin in the middle (RFC 3659 section 5).
    #[must_use]
    pub fn rest_stream(&self) -> bool {
        self.all("REST").any(|params| {
            params
                .split_ascii_whitespace()
                .any(|word| word.eq_ignore_ascii_case("STREAM"))
        })
    }

    /// True where AUTH TLS is offered (RFC 4217 section 6), under whichever of its names.
    #[must_use]
    pub fn auth_tls(&self) -> bool {
        self.all("AUTH").any(|params| {
            params.split([' ', ';', ',']).any(|word| {
                ["TLS", "TLS-C", "TLS-P", "SSL"]
                    .iter()
                    .any(|name| word.eq_ignore_ascii_case(name))
            })
        })
    }

    /// The facts that MLSD and MLST can give, and whether they do without being asked (RFC 3659 section 7.8): none
    /// where the server has no MLST.
    #[must_use]
    pub fn mlst_facts(&self) -> Vec<(&str, bool)> {
        self.get("MLST")
            .unwrap_or_default()
            .split(';')
            .map(str::trim)
            .map(|fact| match fact.strip_suffix('*') {
                Some(name) => (name, true),
                None => (fact, false),
            })
            .filter(|(name, _)| !name.is_empty())
            .collect()
    }

    /// The names, and what stands behind them, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .iter()
            .map(|line| (line.name.as_str(), line.params.as_str()))
    }

    /// True where nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// A server's answer to FEAT (RFC 2389 section 3.2).
    #[must_use]
    pub fn to_reply(&self) -> Reply {
        if self.is_empty() {
            return Reply::new(211, "No features");
        }
        let mut lines = vec![b"Features:".to_vec()];
        for (name, params) in self.iter() {
            let separator = if params.is_empty() { "" } else { " " };
            lines.push(format!(" {name}{separator}{params}").into_bytes());
        }
        lines.push(b"End".to_vec());
        Reply::multi(211, lines)
    }

    fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, params)| params)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn features(lines: &[&str]) -> Features {
        Features::parse(&Reply::multi(
            211,
            lines.iter().map(|line| line.as_bytes().to_vec()),
        ))
    }

    #[test]
    fn an_ordinary_reply() {
        let known = features(&[
            "Features:",
            " AUTH SSL",
            " auth TLS",
            " MDTM",
            " mlst type*;Size;modify*; UNIX.mode*;",
            " REST STREAM",
            " UTF8",
            "End",
        ]);
        assert!(
            known.has("MLST")
                && known.has("mdtm")
                && known.has("Utf8")
                && !known.has("SIZE")
                && !known.has("End")
        );
        assert_eq!(
            (known.get("REST"), known.get("MDTM"), known.get("SIZE")),
            (Some("STREAM"), Some(""), None)
        );
        assert!(known.utf8() && known.rest_stream() && known.auth_tls());
        assert_eq!(
            known.mlst_facts(),
            [
                ("type", true),
                ("Size", false),
                ("modify", true),
                ("UNIX.mode", true)
            ]
        );
        assert_eq!(known.iter().nth(1), Some(("auth", "TLS")));
    }

    #[test]
    fn lines_that_repeat_the_code() {
        let known = features(&[
            "Extensions",
            "211-SIZE",
            "211- REST  STREAM ",
            "\tUTF8",
            "End",
        ]);
        assert_eq!(
            known.iter().collect::<Vec<_>>(),
            [("SIZE", ""), ("REST", "STREAM"), ("UTF8", "")]
        );
    }

    #[test]
    fn ways_to_offer_tls() {
        for (line, offered) in [
            (" AUTH TLS", true),
            (" AUTH TLS;TLS-C;SSL;TLS-P;", true),
            (" AUTH SSL,TLS", true),
            (" AUTH ssl", true),
            (" AUTH GSSAPI", false),
            (" AUTH", false),
            (" AUTHTLS TLS", false),
            (" PBSZ", false),
        ] {
            assert_eq!(features(&["x", line, "End"]).auth_tls(), offered, "{line}");
        }
    }

    #[test]
    fn refusals_and_empty_replies_have_none() {
        let refused = Reply::multi(
            500,
            ["a", " SIZE", "b"].map(|line| line.as_bytes().to_vec()),
        );
        assert!(Features::parse(&refused).is_empty());
        assert!(features(&["no features"]).is_empty());
        assert!(features(&["Features:", "End"]).is_empty());
        assert!(features(&["Features:", "", "  ", "End"]).is_empty());
        assert!(!features(&["x", " REST", "End"]).rest_stream());
        assert!(Features::default().mlst_facts().is_empty());
    }

    #[test]
    fn a_flood_is_bounded() {
        let line = format!(" F{}", "ö".repeat(100_000));
        let many: Vec<&str> = std::iter::repeat_n(line.as_str(), 900).collect();
        let known = features(&many);
        assert_eq!(known.iter().count(), MAX_FEATURES);
        assert!(
            known
                .iter()
                .all(|(name, _)| name.chars().count() == MAX_LINE)
        );
    }

    #[test]
    fn a_reply_comes_back() {
        let mut known = Features::default();
        assert_eq!(known.to_reply(), Reply::new(211, "No features"));
        assert!(Features::parse(&known.to_reply()).is_empty());
        for line in [
            "SIZE",
            "REST STREAM",
            "MLST type*;size;",
            "X\r\n211 End",
            "",
            " ",
        ] {
            known.insert(line);
        }
        let reply = known.to_reply();
        let lines: [&[u8]; 6] = [
            b"Features:",
            b" SIZE",
            b" REST STREAM",
            b" MLST type*;size;",
            b" X",
            b"End",
        ];
        assert_eq!(reply.lines, lines);
        assert_eq!(Features::parse(&reply), known);
    }
}
