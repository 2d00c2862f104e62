//! Every decoder against input that nobody would send.
//!
//! A [`Target`] is one decoder with what must hold of it whatever the bytes: it does not panic, it is done in time, it holds no
//! more than its bounds say, pieces give the same as the whole, what was decoded can be encoded and decoded again, no
//! line is lost, and its errors show at most 200 bytes, escaped. The [`driver`] makes the input; `fuzz_targets/` runs the same
//! functions under libFuzzer.
#![warn(missing_docs)]

pub mod check;
pub mod driver;
pub mod mutate;
pub mod random;
pub mod targets;

pub use targets::{Target, all, find};

/// For `fuzz_targets/`: runs the target of that name.
///
/// # Panics
/// Where there is none, and where something does not hold that must.
pub fn libfuzzer(name: &str, input: &[u8]) {
    let target = find(name).expect("a target of that name");
    (target.run)(input);
}
