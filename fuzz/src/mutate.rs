//! Input made from other input.

use crate::random::Random;

/// The usual limit, in bytes.
const SMALL: usize = 1024;
/// Once in a while: beyond the longest line that any decoder takes.
const LARGE: usize = 160 * 1024;
/// How rare that is.
const RARE: usize = 4000;
/// Bytes that mean something somewhere.
const MARKS: &[u8] = b"\0\t\n\r \x1a\x1b\"'(),-./0129:;<=>AZ[\\]_az|\x7f\x80\xa0\xc3\xe2\xef\xff";
/// Numbers at which something overflows or is refused.
const NUMBERS: [&str; 22] = [
    "0",
    "1",
    "00",
    "-1",
    "12",
    "13",
    "24",
    "29",
    "31",
    "60",
    "99",
    "255",
    "256",
    "65535",
    "65536",
    "9999",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
];

/// Makes one input from a corpus, which must not be empty, and a dictionary.
pub fn make(random: &mut Random, corpus: &[Vec<u8>], words: &[&[u8]]) -> Vec<u8> {
    let mut input = random.one_of(corpus).clone();
    let limit = if random.once_in(RARE) { LARGE } else { SMALL };
    // Mostly little is changed: what is nearly right gets furthest.
    let steps = [1, 1, 1, 2, 2, 3, 5, 9][random.below(8)];
    for _ in 0..steps {
        step(random, &mut input, corpus, words);
    }
    if limit == LARGE {
        repeat(random, &mut input, LARGE);
    }
    input.truncate(limit);
    input
}

fn step(random: &mut Random, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&[u8]]) {
    let at = random.below(input.len() + 1);
    let end = (at + [1, 1, 2, 4, 9, 30, 200][random.below(7)]).min(input.len());
    match random.below(14) {
        0 if at < input.len() => input[at] ^= 1 << random.below(8),
        1 if at < input.len() => input[at] = random.byte(),
        2 if at < input.len() => input[at] = *random.one_of(MARKS),
        3 => input.insert(at, *random.one_of(MARKS)),
        4 => drop(input.drain(at..end)),
        5 => {
            let part = input[at..end].to_vec();
            let place = random.below(input.len() + 1);
            input.splice(place..place, part);
        }
        6 | 7 if !words.is_empty() => {
            let word = *random.one_of(words);
            let end = if random.once_in(2) { at } else { end };
            input.splice(at..end, word.iter().copied());
        }
        8 => {
            let other = random.one_of(corpus);
            let (from, to) = (random.below(other.len() + 1), random.below(other.len() + 1));
            let part = other[from.min(to)..from.max(to)].to_vec();
            input.splice(at..end, part);
        }
        9 | 10 => number(random, input, at),
        11 if random.once_in(6) => repeat(random, input, SMALL),
        12 => lines(random, input),
        13 => input.truncate(at),
        _ => input.push(random.byte()),
    }
}

/// Puts another number in the place of one.
fn number(random: &mut Random, input: &mut Vec<u8>, at: usize) {
    let Some(start) = (at..input.len()).find(|at| input[*at].is_ascii_digit()) else {
        return;
    };
    let digits = input[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let fresh = match random.below(3) {
        0 => random.one_of(&NUMBERS).as_bytes().to_vec(),
        1 => random.below(10_000).to_string().into_bytes(),
        _ => (0..digits).map(|_| b'0' + random.byte() % 10).collect(),
    };
    input.splice(start..start + digits, fresh);
}

/// The same again and again.
fn repeat(random: &mut Random, input: &mut Vec<u8>, limit: usize) {
    if input.is_empty() {
        return;
    }
    let start = random.below(input.len());
    let end = (start + 1 + random.below(64)).min(input.len());
    let part = input[start..end].to_vec();
    let room = limit.saturating_sub(input.len());
    let times = random.below(room / part.len() + 1);
    let place = random.below(input.len() + 1);
    input.splice(place..place, part.repeat(times));
}

/// Two lines change places, or one goes.
fn lines(random: &mut Random, input: &mut Vec<u8>) {
    let mut lines: Vec<&[u8]> = input.split_inclusive(|byte| *byte == b'\n').collect();
    let (one, two) = (random.below(lines.len() + 1), random.below(lines.len() + 1));
    if one >= lines.len() || two >= lines.len() {
        return;
    }
    if random.once_in(2) {
        lines.swap(one, two);
    } else {
        lines.remove(one);
    }
    *input = lines.concat();
}
