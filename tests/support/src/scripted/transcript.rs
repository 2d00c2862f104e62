//! What a script saw.

use std::fmt;

/// What went over the wire, in order.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    /// Everything that happened.
    pub events: Vec<Event>,
}

/// One thing that happened. Lines are without their line end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A line came in on the control connection.
    Received(Vec<u8>),
    /// These bytes were sent on the control connection.
    Sent(Vec<u8>),
    /// What one read step got from a data connection.
    DataReceived(Vec<u8>),
    /// So many bytes were sent on a data connection.
    DataSent(u64),
    /// Something else: a connection opened or closed, TLS began.
    Note(String),
}

impl Transcript {
    /// The lines that came in, as text.
    pub fn received_lines(&self) -> Vec<String> {
        let lines = self.events.iter().filter_map(|event| match event {
            Event::Received(line) => Some(String::from_utf8_lossy(line).into_owned()),
            _ => None,
        });
        lines.collect()
    }

    /// What came in on data connections, one item a read step.
    pub fn data(&self) -> Vec<&[u8]> {
        let data = self.events.iter().filter_map(|event| match event {
            Event::DataReceived(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        data.collect()
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            match event {
                Event::Received(line) => writeln!(f, "  <- {}", line.escape_ascii())?,
                Event::Sent(bytes) => {
                    let shown = &bytes[..bytes.len().min(300)];
                    let more = if shown.len() < bytes.len() {
                        " …"
                    } else {
                        ""
                    };
                    writeln!(f, "  -> {}{more}", shown.escape_ascii())?;
                }
                Event::DataReceived(bytes) => writeln!(f, "  <= {} bytes of data", bytes.len())?,
                Event::DataSent(count) => writeln!(f, "  => {count} bytes of data")?,
                Event::Note(text) => writeln!(f, "  -- {text}")?,
            }
        }
        Ok(())
    }
}

/// The other side left the script, or the script ran out of time.
#[derive(Debug, Clone, thiserror::Error)]
#[error("scripted peer: {what}; so far:\n{transcript}")]
pub struct ScriptError {
    /// What went wrong.
    pub what: String,
    /// Everything up to there.
    pub transcript: Transcript,
}
