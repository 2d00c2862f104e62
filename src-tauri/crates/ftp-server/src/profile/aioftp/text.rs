//! Words as Python writes them.

use jiff::Timestamp;

/// Half a year in seconds, as that server has it.
const HALF_A_YEAR: i64 = 15_778_476;

/// The text in quotes, as Python's `repr` shows a string; what is no UTF-8 is replaced.
pub(super) fn quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::from(quote);
    for c in text.chars().take(200) {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() && u32::from(c) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// A time as LIST shows it: with the clock within half a year before now, else with the year.
pub(super) fn list_time(time: Timestamp, now: Timestamp) -> String {
    let age = now.as_second() - time.as_second();
    let format = match (0..HALF_A_YEAR).contains(&age) {
        true => "%b %e %H:%M",
        false => "%b %e  %Y",
    };
    time.strftime(format).to_string()
}

/// A time as MLSD shows it.
pub(super) fn fact_time(time: Timestamp) -> String {
    time.strftime("%Y%m%d%H%M%S").to_string()
}

/// `drwxr-xr-x`, as Python's `stat.filemode` writes it.
pub(super) fn file_mode(kind: char, mode: u32) -> String {
    let mut out = String::from(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = mode >> shift;
        out.push(if bits & 4 != 0 { 'r' } else { '-' });
        out.push(if bits & 2 != 0 { 'w' } else { '-' });
        out.push(match (mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// What Python 3.11 printed for each.
    #[test]
    fn strings_as_python_shows_them() {
        for (text, shown) in [
            ("foobar", "'foobar'"),
            ("", "''"),
            ("it's", "\"it's\""),
            ("it's \"so\"", "'it\\'s \"so\"'"),
            ("a\\b\tc\u{7f}\u{1}", "'a\\\\b\\tc\\x7f\\x01'"),
            ("é", "'é'"),
        ] {
            assert_eq!(quoted(text.as_bytes()), shown);
        }
    }

    #[test]
    fn times_of_this_half_year_have_a_clock() {
        let now: Timestamp = "2002-06-01T00:00:00Z".parse().unwrap();
        let show = |time: &str| list_time(time.parse().unwrap(), now);
        assert_eq!(show("2002-01-01T00:00:00Z"), "Jan  1 00:00");
        assert_eq!(show("2001-01-01T00:00:00Z"), "Jan  1  2001");
        assert_eq!(show("2002-06-01T00:00:01Z"), "Jun  1  2002");
        assert_eq!(show("2002-05-31T23:59:59Z"), "May 31 23:59");
        assert_eq!(fact_time(now), "20020601000000");
    }

    #[test]
    fn modes() {
        assert_eq!(file_mode('d', 0o755), "drwxr-xr-x");
        assert_eq!(file_mode('-', 0o6644), "-rwSr-Sr--");
        assert_eq!(file_mode('-', 0o1777), "-rwxrwxrwt");
    }
}
