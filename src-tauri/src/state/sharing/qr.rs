//! QR codes as paths of SVG.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder};

/// The side of the code in squares, and its dark squares as a path: one stroke for each run of them in a row. None for a
/// text that is too long.
pub(super) fn draw(text: &str) -> Option<(u32, String)> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let mut path = String::new();
    for y in 0..code.size {
        let mut x = 0;
        while x < code.size {
            let run = (x..code.size).take_while(|&at| code[y][at].value()).count();
            if run > 0 {
                // Writing to a string can't fail.
                let _ = write!(path, "M{x} {y}h{run}v1h-{run}z");
            }
            x += run.max(1);
        }
    }
    u32::try_from(code.size).ok().map(|size| (size, path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn has_the_squares_in_three_corners() {
        let (size, path) = draw("ftpes://guest@192.168.1.5:40123/").unwrap();
        assert!(size >= 21 && (size - 21).is_multiple_of(4), "{size}");
        // The upper edges of the finder patterns: seven dark squares.
        for corner in [
            "M0 0h7v1h-7z".to_owned(),
            format!("M{} 0h7v1h-7z", size - 7),
        ] {
            assert!(path.contains(&corner), "{corner} in {path}");
        }
        assert!(path.contains(&format!("M0 {}h7v1h-7z", size - 7)));
        assert_ne!(draw("another").unwrap().1, path);
        assert!(draw(&"x".repeat(10_000)).is_none());
    }
}
