//! Finds out in which dialect a listing is, and reads it.

use std::collections::VecDeque;

use jiff::Timestamp;

use super::{
    Entry, Kind, Line, ListParsers,
    dialect::{Context, DIALECTS, Dialect, Heading},
    mlsx::parse_mlsx,
    numeric::Order,
    summary, vms,
};

/// How many lines are held back at most until it is clear what they are, and how many bytes.
const MAX_HELD: usize = 64;
const MAX_HELD_BYTES: usize = 32 * 1024;
/// So many lines in a row of another dialect, and it becomes the listing's own.
const SWITCH: u32 = 3;

/// Reads the lines of one listing, one after another.
///
/// The first line that can be nothing else decides the dialect. Lines that may be several things, such as dates of
/// which nobody says whether the day or the month comes first, are held back until enough of them are there.
#[derive(Debug)]
pub(super) struct Reader {
    /// What comes is the answer to MLSD, says the client.
    mlsd: bool,
    now: Timestamp,
    context: Context,
    locked: Option<Dialect>,
    /// Another dialect that understood the last lines, and how many.
    rival: (Dialect, u32),
    /// The name of a VMS entry that may go on in the next line.
    head: Option<Vec<u8>>,
    /// Lines of which nobody knows yet what they are.
    held: Vec<Vec<u8>>,
    held_bytes: usize,
    ready: VecDeque<Line>,
    parsers: ListParsers,
    /// The job that was listed last.
    job: Option<Vec<u8>>,
    /// The listed folder itself has been there.
    has_current: bool,
}

impl Reader {
    pub(super) fn new(mlsd: bool, now: Timestamp) -> Self {
        Self {
            mlsd,
            now,
            context: Context::new(now),
            locked: mlsd.then_some(Dialect::Mlsx),
            rival: (Dialect::Bare, 0),
            head: None,
            held: Vec::new(),
            held_bytes: 0,
            ready: VecDeque::new(),
            parsers: ListParsers::new(),
            job: None,
            has_current: false,
        }
    }

    pub(super) fn set_parsers(&mut self, parsers: ListParsers) {
        self.parsers = parsers;
    }

    /// A line that is ready to be given out.
    pub(super) fn pop(&mut self) -> Option<Line> {
        self.ready.pop_front()
    }

    /// Reads a line, and gives the next one that is ready: this one or an earlier one. Nothing is ready before.
    pub(super) fn read(&mut self, line: &[u8]) -> Option<Line> {
        if let Some(dialect) = self.locked
            && self.head.is_none()
            // Its names may go on in the next line.
            && dialect != Dialect::Vms
            && !self.parsers.has_first()
            && let Some(mut line) = self.parse(dialect, line)
        {
            self.rival.1 = 0;
            if dialect == Dialect::Mlsx {
                self.correct(&mut line);
            }
            if dialect == Dialect::Jes {
                self.remember_job(&line);
            }
            return Some(line);
        }
        self.sort_in(line);
        self.pop()
    }

    /// A line that was cut, and can't be read.
    pub(super) fn unparsed(&mut self, line: &[u8]) {
        self.settle();
        self.ready.push_back(Line::Unparsed(line.to_vec()));
    }

    /// Says that there are no more lines.
    pub(super) fn finish(&mut self) {
        self.settle();
    }

    fn parse(&self, dialect: Dialect, line: &[u8]) -> Option<Line> {
        if dialect == Dialect::Mlsx && self.mlsd {
            // A blank in front may be an entry without facts, or another dialect that fills its first column.
            return match line {
                [b' ', ..] => None,
                _ => parse_mlsx(line).ok().map(Line::Entry),
            };
        }
        dialect.parse(line, &self.context)
    }

    fn sort_in(&mut self, line: &[u8]) {
        let line = match line.iter().position(|byte| *byte != 0) {
            Some(start) => &line[start..],
            None => return,
        };
        if line.trim_ascii().is_empty() {
            return;
        }
        if let Some(read) = self.parsers.ask_first(line, self.now) {
            self.settle();
            self.give(read);
            return;
        }
        if let Some(head) = self.head.take() {
            if let Some(entry) = vms::joined(&head, line) {
                self.give(entry);
                return;
            }
            self.give_head(&head);
        }
        if let Some((dialect, heading)) = summary::heading(line) {
            self.settle();
            self.locked = Some(dialect);
            self.context.heading = match heading {
                Heading::Spool(_) => Heading::Spool(self.job.clone()),
                heading => heading,
            };
            return;
        }
        match self.locked {
            Some(dialect) => self.known(dialect, line),
            None => self.unknown(line),
        }
    }

    /// Reads a line of a listing of which the dialect is known.
    fn known(&mut self, dialect: Dialect, line: &[u8]) {
        if dialect == Dialect::Vms && vms::is_head(line) {
            self.head = Some(line.to_vec());
            return;
        }
        if dialect != Dialect::Bare
            && let Some(read) = self.parse(dialect, line)
        {
            self.rival.1 = 0;
            if dialect == Dialect::Jes {
                self.remember_job(&read);
            }
            self.give(read);
            return;
        }
        if self.context.order.is_some() && dialect.has_orders() {
            // One date in another order than all others is still a date.
            let order = self.context.order.take();
            let read = self.parse(dialect, line);
            self.context.order = order;
            if let Some(read) = read {
                self.give(read);
                return;
            }
        }
        if let Some((other, read)) = self.any(line) {
            self.rival = match self.rival {
                (rival, count) if rival == other => (other, count + 1),
                _ => (other, 1),
            };
            if self.rival.1 >= SWITCH || dialect == Dialect::Bare || self.mlsd {
                self.locked = Some(other);
            }
            self.give(read);
            return;
        }
        if summary::is_noise(line) {
            return;
        }
        if dialect == Dialect::Bare
            && let Some(read) = self.parse(dialect, line)
        {
            self.give(read);
            return;
        }
        if self.mlsd
            && dialect == Dialect::Mlsx
            && let Ok(entry) = parse_mlsx(line)
        {
            self.give(Line::Entry(entry));
            return;
        }
        self.give_up(line);
    }

    /// Reads a line of a listing of which nothing is known yet.
    fn unknown(&mut self, line: &[u8]) {
        if vms::is_head(line) {
            self.locked = Some(Dialect::Vms);
            self.settle_as(Dialect::Vms);
            self.head = Some(line.to_vec());
            return;
        }
        match self.any(line) {
            Some((dialect, _)) if dialect.has_orders() => self.hold(line),
            Some((dialect, read)) => {
                self.locked = Some(dialect);
                self.settle_as(dialect);
                if dialect == Dialect::Jes {
                    self.remember_job(&read);
                }
                // The lines that were held may have told the order of something else.
                self.give(read);
            }
            None if summary::is_noise(line) => {}
            None => self.hold(line),
        }
    }

    /// The first dialect that understands the line.
    fn any(&self, line: &[u8]) -> Option<(Dialect, Line)> {
        Dialect::ALL
            .into_iter()
            .find_map(|dialect| Some((dialect, dialect.parse(line, &self.context)?)))
    }

    fn hold(&mut self, line: &[u8]) {
        self.held.push(line.to_vec());
        self.held_bytes += line.len();
        if self.held.len() >= MAX_HELD || self.held_bytes >= MAX_HELD_BYTES {
            self.settle();
        }
    }

    /// Decides what the lines are that were held back, and reads them.
    fn settle(&mut self) {
        if let Some(head) = self.head.take() {
            self.give_head(&head);
        }
        if self.held.is_empty() {
            return;
        }
        let mut scores = [0_usize; DIALECTS];
        for line in &self.held {
            for dialect in Dialect::ALL {
                if dialect.parse(line, &self.context).is_some() {
                    scores[dialect.index()] += 1;
                }
            }
        }
        let mut best: Option<Dialect> = None;
        for dialect in Dialect::ALL {
            let most = best.map_or(0, |best| scores[best.index()]);
            if scores[dialect.index()] > most {
                best = Some(dialect);
            }
        }
        // Names alone: only where nothing was anything else.
        let bare = |line: &Vec<u8>| Dialect::Bare.parse(line, &self.context).is_some();
        let best = best.or_else(|| self.held.iter().all(bare).then_some(Dialect::Bare));
        match best {
            Some(dialect) => {
                self.locked = Some(dialect);
                self.settle_as(dialect);
            }
            None => {
                self.held_bytes = 0;
                for line in std::mem::take(&mut self.held) {
                    self.give_up(&line);
                }
            }
        }
    }

    /// Reads the lines that were held back, now that it is known what they are.
    fn settle_as(&mut self, dialect: Dialect) {
        if dialect.has_orders() {
            self.context.order = self.likely_order(dialect);
        }
        self.held_bytes = 0;
        for line in std::mem::take(&mut self.held) {
            self.known(dialect, &line);
        }
    }

    /// The order of day, month and year that fits more of the lines than any other; `None` where several fit as well.
    fn likely_order(&self, dialect: Dialect) -> Option<Order> {
        let mut context = self.context.clone();
        let mut fits = |order| {
            context.order = Some(order);
            let fit = |line: &&Vec<u8>| match dialect.parse(line, &context) {
                Some(Line::Entry(entry)) => entry
                    .modified
                    .is_none_or(|modified| context.now.is_past(modified.timestamp)),
                _ => false,
            };
            self.held.iter().filter(fit).count()
        };
        let counts = [Order::Mdy, Order::Dmy, Order::Ymd].map(|order| (order, fits(order)));
        let most = counts.iter().map(|(_, count)| *count).max()?;
        let mut best = counts.iter().filter(|(_, count)| *count == most);
        match (best.next(), best.next()) {
            (Some((order, _)), None) if most > 0 => Some(*order),
            _ => None,
        }
    }

    /// A listing is of one folder: ProFTPD calls others by that type, too.
    fn correct(&mut self, line: &mut Line) {
        if let Line::Entry(entry) = line
            && entry.kind == Kind::CurrentDir
            && entry.name != b"."
        {
            if self.has_current && !entry.name.contains(&b'/') {
                entry.kind = super::kind_by_name(Kind::Dir, &entry.name);
            }
            self.has_current = true;
        }
    }

    fn give(&mut self, line: Line) {
        if line != Line::Skip {
            self.ready.push_back(line);
        }
    }

    fn give_head(&mut self, head: &[u8]) {
        match vms::parse(head) {
            Some(read) => self.give(read),
            None => self.give_up(head),
        }
    }

    fn give_up(&mut self, line: &[u8]) {
        let read = self
            .parsers
            .ask_last(line, self.now)
            .unwrap_or_else(|| Line::Unparsed(line.to_vec()));
        self.give(read);
    }

    fn remember_job(&mut self, line: &Line) {
        if let Line::Entry(Entry { name, .. }) = line
            && super::mvs::is_job_id(name)
        {
            self.job = Some(name.clone());
        }
    }
}

/// Reads a line of which nothing else is known.
pub(super) fn alone(line: &[u8], now: Timestamp, parsers: &ListParsers) -> Line {
    if line.trim_ascii().is_empty() {
        return Line::Skip;
    }
    if let Some(read) = parsers.ask_first(line, now) {
        return read;
    }
    let context = Context::new(now);
    if let Some(read) = Dialect::ALL
        .into_iter()
        .find_map(|dialect| dialect.parse(line, &context))
    {
        return read;
    }
    if summary::heading(line).is_some() || summary::is_noise(line) {
        return Line::Skip;
    }
    parsers
        .ask_last(line, now)
        .unwrap_or_else(|| Line::Unparsed(line.to_vec()))
}
