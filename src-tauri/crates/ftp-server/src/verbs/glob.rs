//! `*` and `?` in the last component of LIST and NLST, as the `mget` of old clients needs them.

/// A pattern.
pub(super) struct Glob(Vec<u8>);

impl Glob {
    /// None if there is nothing to match in it.
    pub(super) fn new(pattern: &[u8]) -> Option<Self> {
        pattern
            .iter()
            .any(|b| matches!(b, b'*' | b'?'))
            .then(|| Self(pattern.to_vec()))
    }

    /// In time proportional to pattern times name, whatever the pattern.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        let pattern = &self.0;
        let (mut p, mut n) = (0, 0);
        // Where the last star stood, and how far it reaches.
        let mut star = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    star = Some((p, n));
                    p += 1;
                }
                Some(c) if *c == b'?' || *c == name[n] => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((at, reach)) = star else {
                        return false;
                    };
                    star = Some((at, reach + 1));
                    p = at + 1;
                    n = reach + 1;
                }
            }
        }
        pattern[p..].iter().all(|c| *c == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let matches = |pattern: &str, name: &str| {
            Glob::new(pattern.as_bytes()).is_some_and(|g| g.matches(name.as_bytes()))
        };
        for (pattern, name) in [
            ("*", ""),
            ("*", "a.b"),
            ("*.txt", "a.txt"),
            ("a*b*c", "aXbXbYc"),
            ("?", "x"),
            ("a?c*", "abc"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt2"),
            ("?", ""),
            ("a*b", "a"),
            ("plain", "plain"),
            ("a?c", "ac"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&"*a".repeat(2000), &"a".repeat(1999)));
    }
}
