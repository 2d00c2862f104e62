//! One function for each decoder. A new one: a function in one of these files, and its line in that file's `TARGETS`.

#[cfg(feature = "net")]
mod answers;
mod commands;
mod listings;
#[cfg(feature = "net")]
mod net;
mod replies;
mod texts;

/// A decoder, and how it is fed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it decodes.
    pub about: &'static str,
    /// Input that is right, or nearly so: all other input is made from it.
    pub seeds: &'static [&'static [u8]],
    /// Words that mean something to it.
    pub words: &'static [&'static [u8]],
    /// Decodes, and panics where something does not hold that must. Returns a number that is the same for input that was
    /// understood in the same way: input with a new number is kept, to make more of it.
    pub run: fn(&[u8]) -> u64,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All of them.
#[must_use]
pub fn all() -> Vec<Target> {
    #[cfg_attr(not(feature = "net"), allow(unused_mut))]
    let mut groups = vec![
        replies::TARGETS,
        commands::TARGETS,
        texts::TARGETS,
        listings::TARGETS,
    ];
    #[cfg(feature = "net")]
    groups.extend([net::TARGETS, answers::TARGETS]);
    groups.concat()
}

/// The one of that name.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    all().into_iter().find(|target| target.name == name)
}

/// Numbers of an outcome mixed to one.
fn shape(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts
        .into_iter()
        .fold(17, |sum, part| (sum ^ part).wrapping_mul(0x0100_0000_01b3))
}

/// How big something is, roughly: numbers that differ little are the same.
fn rough(size: usize) -> u64 {
    u64::from(usize::BITS - size.leading_zeros())
}
