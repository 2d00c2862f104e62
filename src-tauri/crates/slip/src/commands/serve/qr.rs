//! A QR code for a terminal.

use fast_qr::{ECL, QRBuilder};

/// Blank modules around the code, for a camera to find it (ISO/IEC 18004 demands four; two are enough on a screen).
const MARGIN: usize = 2;

/// The text as a code of half blocks, two rows of modules in each line, dark on light whatever the terminal's colours are.
///
/// # Errors
/// Where the text is too long for a code.
pub(super) fn code(text: &str) -> Result<String, String> {
    let code = QRBuilder::new(text)
        .ecl(ECL::L)
        .build()
        .map_err(|error| format!("no QR code: {error}"))?;
    let size = code.size;
    let dark = |row: usize, column: usize| {
        let inside = MARGIN..size + MARGIN;
        inside.contains(&row)
            && inside.contains(&column)
            && code[row - MARGIN][column - MARGIN].value()
    };
    let whole = size + 2 * MARGIN;
    let mut lines = Vec::with_capacity(whole.div_ceil(2));
    for row in (0..whole).step_by(2) {
        // Black on white by the escapes of ECMA-48.
        let mut line = "\x1b[30;47m".to_owned();
        for column in 0..whole {
            line.push(match (dark(row, column), dark(row + 1, column)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        line.push_str("\x1b[0m");
        lines.push(line);
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The corners that every code has, read back from the blocks.
    #[test]
    fn a_code_has_its_three_marks_and_a_margin() {
        let text = code("ftpes://share@192.0.2.1:2121/").unwrap();
        let rows: Vec<Vec<bool>> = text
            .lines()
            .flat_map(|line| {
                let line = line.replace("\x1b[30;47m", "").replace("\x1b[0m", "");
                let upper = line.chars().map(|c| matches!(c, '█' | '▀')).collect();
                let lower = line.chars().map(|c| matches!(c, '█' | '▄')).collect();
                [upper, lower]
            })
            .collect();
        let whole = rows[0].len();
        let size = whole - 2 * MARGIN;
        assert!(
            (21..=177).contains(&size) && (size - 17).is_multiple_of(4),
            "{size}"
        );
        let mark = |top: usize, left: usize| {
            for row in 0..7 {
                for column in 0..7 {
                    let ring = row == 0 || row == 6 || column == 0 || column == 6;
                    let middle = (2..5).contains(&row) && (2..5).contains(&column);
                    let is = rows[top + MARGIN + row][left + MARGIN + column];
                    assert_eq!(is, ring || middle, "{row} {column}");
                }
            }
        };
        mark(0, 0);
        mark(0, size - 7);
        mark(size - 7, 0);
        assert!(rows[..MARGIN].iter().flatten().all(|dark| !dark));
        assert!(rows.iter().all(|row| !row[0] && !row[whole - 1]));
    }

    #[test]
    fn what_is_too_long_is_an_error() {
        assert!(code(&"x".repeat(4000)).is_err());
    }
}
