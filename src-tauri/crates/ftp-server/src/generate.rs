//! Passwords that nobody had to think of.

use ftp_proto::Secret;

/// Letters and digits that nobody mistakes for each other, read aloud or from a screen; 32, so that five bits choose one.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// Groups of [`GROUP`] letters.
const GROUPS: usize = 4;

/// Letters between two dashes.
const GROUP: usize = 4;

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandom(String);

/// A new password of four groups of four letters and digits, such as `k7mq-3xvp-9trw-h2da`: 80 bits of the system's random source, made
/// for being read from one screen and typed into another.
///
/// # Errors
/// Where the system has no random bytes.
pub fn generate_password() -> Result<Secret, NoRandom> {
    let mut random = [0; GROUPS * GROUP];
    getrandom::fill(&mut random).map_err(|error| NoRandom(error.to_string()))?;
    let text = spell(&random);
    Secret::try_from(text.as_str()).map_err(|error| NoRandom(error.to_string()))
}

/// One letter for each byte, a dash after every group but the last.
fn spell(random: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in random.iter().enumerate() {
        if index > 0 && index % GROUP == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn passwords_are_readable_and_never_the_same() {
        let letters: std::collections::HashSet<_> = LETTERS.iter().collect();
        assert_eq!(letters.len(), 32);
        assert_eq!(spell(&[0, 1, 2, 3, 31, 32, 33, 255]), "abcd-9ab9");
        let one = generate_password().unwrap();
        let other = generate_password().unwrap();
        assert_eq!(one.expose().len(), 19);
        assert_ne!(one.expose(), other.expose());
    }
}
