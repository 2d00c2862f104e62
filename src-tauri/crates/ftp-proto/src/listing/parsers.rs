use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::Line;

/// Reads lines of LIST in a dialect of one's own. Closures with the same arguments do, too.
pub trait ParseListLine: Send + Sync {
    /// Reads a line, without its end; `now` is the client's time, for dates without a year. `None` leaves the line
    /// to the other parsers, and [`Line::Skip`] says that it is no entry.
    fn parse(&self, line: &[u8], now: Timestamp) -> Option<Line>;
}

impl<F: Fn(&[u8], Timestamp) -> Option<Line> + Send + Sync> ParseListLine for F {
    fn parse(&self, line: &[u8], now: Timestamp) -> Option<Line> {
        self(line, now)
    }
}

/// Parsers that are asked before or after the dialects known here. Cheap to clone.
#[derive(Clone, Default)]
pub struct ListParsers {
    first: Vec<Arc<dyn ParseListLine>>,
    last: Vec<Arc<dyn ParseListLine>>,
}

impl ListParsers {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one that sees every line before the dialects do, after those added so before.
    #[must_use]
    pub fn first(mut self, parser: impl ParseListLine + 'static) -> Self {
        self.first.push(Arc::new(parser));
        self
    }

    /// Adds one that sees the lines that no dialect understands, after those added so before.
    #[must_use]
    pub fn last(mut self, parser: impl ParseListLine + 'static) -> Self {
        self.last.push(Arc::new(parser));
        self
    }

    /// True where there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.last.is_empty()
    }

    pub(super) fn has_first(&self) -> bool {
        !self.first.is_empty()
    }

    pub(super) fn ask_first(&self, line: &[u8], now: Timestamp) -> Option<Line> {
        self.first.iter().find_map(|parser| parser.parse(line, now))
    }

    pub(super) fn ask_last(&self, line: &[u8], now: Timestamp) -> Option<Line> {
        self.last.iter().find_map(|parser| parser.parse(line, now))
    }
}

impl fmt::Debug for ListParsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListParsers")
            .field("first", &self.first.len())
            .field("last", &self.last.len())
            .finish()
    }
}
