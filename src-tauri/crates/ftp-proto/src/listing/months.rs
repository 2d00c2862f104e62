//! The names of months and the word for "total", in the languages and charsets that servers were seen to use.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::languages::LANGUAGES;
use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GBK, IBM866, ISO_8859_2, ISO_8859_5, ISO_8859_7, KOI8_R,
    SHIFT_JIS, UTF_8, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252, WINDOWS_1253, WINDOWS_1254,
};

/// A month from 1 to 12 by its name, cut or whole, with or without a dot or comma behind it.
pub(super) fn month(word: &[u8]) -> Option<u32> {
    const ENGLISH: [[u8; 3]; 12] = [
        *b"jan", *b"feb", *b"mar", *b"apr", *b"may", *b"jun", *b"jul", *b"aug", *b"sep", *b"oct",
        *b"nov", *b"dec",
    ];
    if let [a, b, c] = *word {
        let head = [a | 0x20, b | 0x20, c | 0x20];
        if let Some(index) = ENGLISH.iter().position(|name| *name == head)
            && word.iter().all(u8::is_ascii_alphabetic)
        {
            return u32::try_from(index + 1).ok();
        }
    }
    let mut word = word;
    while let [head @ .., b'.' | b','] = word {
        word = head;
    }
    for elided in ["d'", "d’"] {
        word = word.strip_prefix(elided.as_bytes()).unwrap_or(word);
    }
    // The shortest name has two letters, the longest one in UTF-8 eighteen bytes; most words are none of them.
    if !(2..=24).contains(&word.len()) || word.iter().any(u8::is_ascii_digit) {
        return None;
    }
    // No language writes capitals in the middle only, so ASCII letters are compared as small ones.
    MONTHS.get(word.to_ascii_lowercase().as_slice()).copied()
}

/// True for the word in front of the sum that `ls -l` begins with.
pub(super) fn is_total_word(word: &[u8]) -> bool {
    TOTALS.contains(word.to_ascii_lowercase().as_slice())
}

/// What the names may be written in. UTF-8 first, then the code pages of Unix and Windows.
const CHARSETS: [&Encoding; 13] = [
    UTF_8,
    WINDOWS_1252,
    ISO_8859_2,
    WINDOWS_1250,
    KOI8_R,
    WINDOWS_1251,
    IBM866,
    ISO_8859_5,
    ISO_8859_7,
    WINDOWS_1253,
    WINDOWS_1254,
    GBK,
    BIG5,
];

static MONTHS: LazyLock<HashMap<Box<[u8]>, u32>> = LazyLock::new(|| {
    let mut months = HashMap::new();
    for charset in CHARSETS {
        for (_, names) in LANGUAGES {
            for (names, number) in names.into_iter().zip(1..) {
                for name in names.split('|') {
                    for bytes in written(name, charset) {
                        months.entry(bytes).or_insert(number);
                    }
                }
            }
        }
    }
    // The code pages of DOS, which encoding_rs doesn't have.
    for (name, number) in [
        (&b"m\x84r"[..], 3),
        (b"j\x84n", 1),
        (b"f\x82v", 2),
        (b"f\x82vr", 2),
        (b"ao\x96t", 8),
        (b"ao\x96", 8),
        (b"d\x82c", 12),
        (b"m\xa0rc", 3),
        (b"m\xa0j", 5),
        (b"j\xa3n", 6),
        (b"j\xa3l", 7),
        (b"\xa0pr", 4),
    ] {
        months.entry(name.into()).or_insert(number);
    }
    months
});

/// The name as it is, with a capital in front, and in capitals, in a charset that has its letters.
fn written(name: &str, charset: &'static Encoding) -> Vec<Box<[u8]>> {
    let mut letters = name.chars();
    let title: String = letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect();
    [name.to_owned(), title, name.to_uppercase()]
        .iter()
        .filter_map(|text| {
            let (bytes, _, unmappable) = charset.encode(text);
            (!unmappable).then(|| bytes.to_ascii_lowercase().into())
        })
        .collect()
}

static TOTALS: LazyLock<HashSet<Box<[u8]>>> = LazyLock::new(|| {
    const WORDS: [&str; 28] = [
        "total",
        "totale",
        "totaal",
        "insgesamt",
        "gesamt",
        "summe",
        "totalt",
        "sammanlagt",
        "razem",
        "łącznie",
        "celkem",
        "spolu",
        "összesen",
        "yhteensä",
        "итого",
        "всего",
        "загалом",
        "общо",
        "合計",
        "总用量",
        "总计",
        "總計",
        "合计",
        "합계",
        "toplam",
        "kokku",
        "σύνολο",
        "samtals",
    ];
    let mut totals = HashSet::new();
    for charset in CHARSETS.into_iter().chain([EUC_JP, SHIFT_JIS, EUC_KR]) {
        for word in WORDS {
            totals.extend(written(word, charset));
        }
    }
    totals
});

/// A day of the week in the languages whose `ls` may print one: English, German, French, Italian, Spanish, Dutch.
pub(super) fn is_weekday(field: &[u8]) -> bool {
    const NAMES: [&str; 34] = [
        "sun", "mon", "tue", "wed", "thu", "fri", "sat", "so", "mo", "di", "mi", "do", "fr", "sa",
        "son", "die", "mit", "don", "fre", "sam", "dim", "lun", "mar", "mer", "jeu", "ven", "gio",
        "sab", "dom", "mie", "jue", "vie", "zo", "za",
    ];
    let mut word = field;
    while let [head @ .., b'.' | b','] = word {
        word = head;
    }
    (2..=3).contains(&word.len())
        && NAMES
            .iter()
            .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
}

/// The signs behind year, month and day in Japanese, Chinese and Korean, in all charsets of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Year,
    Month,
    Day,
}

/// The sign that the text begins with, and its length.
pub(super) fn unit(text: &[u8]) -> Option<(Unit, usize)> {
    const SIGNS: [(&[u8], Unit); 21] = [
        ("年".as_bytes(), Unit::Year),
        ("月".as_bytes(), Unit::Month),
        ("日".as_bytes(), Unit::Day),
        ("년".as_bytes(), Unit::Year),
        ("월".as_bytes(), Unit::Month),
        ("일".as_bytes(), Unit::Day),
        // EUC-JP
        (b"\xc7\xaf", Unit::Year),
        (b"\xb7\xee", Unit::Month),
        (b"\xc6\xfc", Unit::Day),
        // Shift-JIS
        (b"\x94\x4e", Unit::Year),
        (b"\x8c\x8e", Unit::Month),
        (b"\x93\xfa", Unit::Day),
        // GBK
        (b"\xc4\xea", Unit::Year),
        (b"\xd4\xc2", Unit::Month),
        (b"\xc8\xd5", Unit::Day),
        // Big5
        (b"\xa6\x7e", Unit::Year),
        (b"\xa4\xeb", Unit::Month),
        (b"\xa4\xe9", Unit::Day),
        // EUC-KR
        (b"\xb3\xe2", Unit::Year),
        (b"\xbf\xf9", Unit::Month),
        (b"\xc0\xcf", Unit::Day),
    ];
    if text.first()?.is_ascii() {
        return None;
    }
    SIGNS
        .iter()
        .find(|(sign, _)| text.starts_with(sign))
        .map(|(sign, unit)| (*unit, sign.len()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn months_of_all_languages_in_all_charsets() {
        let mut missed = Vec::new();
        for charset in CHARSETS {
            for (language, names) in LANGUAGES {
                for (names, number) in names.into_iter().zip(1..) {
                    for name in names.split('|') {
                        for bytes in written(name, charset) {
                            let found = month(&bytes);
                            if found != Some(number) {
                                missed.push((language, charset.name(), name, number, found));
                            }
                        }
                    }
                }
            }
        }
        // "mar" is a month of Finland's November too, but March everywhere else.
        missed.retain(|(_, _, name, ..)| *name != "mar");
        assert_eq!(missed, []);
    }

    #[test]
    fn words_that_are_no_months() {
        for word in ["", "j", "ja", "janu", "foo", "mayor", "j4n", "-", "..."] {
            assert_eq!(month(word.as_bytes()), None, "{word}");
        }
        assert_eq!(month(b"AUG."), Some(8));
        assert_eq!(month("MÄR".as_bytes()), Some(3));
        assert_eq!(month(b"\xed\xc1\xd2"), Some(3), "KOI8-R");
        assert_eq!(month(b"Okt.,"), Some(10));
    }

    #[test]
    fn totals() {
        for word in [
            "total",
            "Total",
            "INSGESAMT",
            "итого",
            "合計",
            "总用量",
            "összesen",
        ] {
            assert!(is_total_word(word.as_bytes()), "{word}");
        }
        assert!(!is_total_word(b"totals"));
    }
}
