//! Makes input, runs a target over it, and keeps what went wrong.
//!
//! Everything follows from the seed, so that a run can be repeated. A panic is caught, and the input that led to it is written
//! down at once. What can't be caught (a stack that overflows, memory that runs out) ends the process: the run is repeated with
//! [`Options::careful`], which writes every input down before it is tried. Input that is never done with is found by a watch, and input
//! that takes too long is a finding as well.

use std::{
    collections::HashSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Target, mutate, random::Random};

/// No input may take longer, however slow the build.
const SLOW: Duration = Duration::from_secs(2);
/// Then it is taken for a loop without an end. (A process that does not get the processor for a while is none.)
const STUCK: Duration = Duration::from_secs(60);
/// The most input that is kept because it was understood in a new way.
const MOST_KEPT: usize = 4000;
/// Of longer input there is enough.
const LONGEST_KEPT: usize = 256;
/// More findings say nothing more.
const ENOUGH: usize = 10;

/// How a run goes.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many inputs are tried.
    pub inputs: u64,
    /// What everything follows from.
    pub seed: u64,
    /// The run ends after this, however many inputs were tried.
    pub limit: Option<Duration>,
    /// Where findings go.
    pub findings: PathBuf,
    /// Writes every input to a file before it is tried.
    pub careful: bool,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many inputs were tried.
    pub inputs: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// In how many ways they were understood, as far as was counted.
    pub ways: usize,
    /// How long it took.
    pub took: Duration,
    /// Input that went wrong, each with what was said, one for each way to go wrong.
    pub findings: Vec<(PathBuf, String)>,
}

/// Tries `input` once. The error is what was said.
///
/// # Errors
/// A panic, or more time than any input may take.
pub fn try_one(target: &Target, input: &[u8]) -> Result<u64, String> {
    try_within(target, input, SLOW)
}

fn try_within(target: &Target, input: &[u8], slow: Duration) -> Result<u64, String> {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let outcome = outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without words").to_owned()
    })?;
    // Once more, and once more: the machine may have been busy.
    let mut took = begun.elapsed();
    for _ in 0..2 {
        if took > slow {
            let begun = Instant::now();
            let _ = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
            took = took.min(begun.elapsed());
        }
    }
    if took > slow {
        return Err(format!("{} bytes took {took:?}", input.len()));
    }
    Ok(outcome)
}

/// Runs a target.
///
/// # Panics
/// Where the folder of findings can't be written.
#[must_use]
pub fn run(target: &Target, options: &Options) -> Report {
    let watch = Watch::new(target, options);
    let mut random = Random::new(options.seed);
    let mut corpus: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.to_vec()).collect();
    corpus.push(Vec::new());
    let mut ways = HashSet::new();
    let mut wrongs = HashSet::new();
    let mut report = Report {
        inputs: 0,
        bytes: 0,
        ways: 0,
        took: Duration::ZERO,
        findings: Vec::new(),
    };
    let begun = Instant::now();
    let seeds = corpus.clone();
    for index in 0..options.inputs {
        let late = index % 256 == 0 && options.limit.is_some_and(|limit| begun.elapsed() >= limit);
        if late || report.findings.len() >= ENOUGH {
            break;
        }
        // The seeds themselves first.
        let input = match usize::try_from(index)
            .ok()
            .and_then(|index| seeds.get(index))
        {
            Some(seed) => seed.clone(),
            None => mutate::make(&mut random, &corpus, target.words),
        };
        watch.begins(&input, options);
        report.inputs += 1;
        report.bytes += input.len() as u64;
        match try_one(target, &input) {
            Ok(way) => {
                if ways.len() < MOST_KEPT && input.len() <= LONGEST_KEPT && ways.insert(way) {
                    corpus.push(input);
                }
            }
            // The same words, whatever the numbers and names in them, are the same fault.
            Err(why) => {
                if wrongs.insert(
                    why.chars()
                        .filter(|c| c.is_alphabetic())
                        .take(40)
                        .collect::<String>(),
                ) {
                    let path = keep(&options.findings, target, &input);
                    report.findings.push((path, why));
                }
            }
        }
    }
    watch.ended();
    report.ways = ways.len();
    report.took = begun.elapsed();
    report
}

/// Writes an input that went wrong where it can be found again.
fn keep(folder: &Path, target: &Target, input: &[u8]) -> PathBuf {
    let path = folder.join(format!(
        "{}-{:014x}",
        target.name,
        Random::of(input).number()
    ));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, input))
        .expect("a folder for findings");
    path
}

/// The file that holds what is being tried, in careful runs.
#[must_use]
pub fn current(options: &Options, target: &Target) -> PathBuf {
    options.findings.join(format!("{}-current", target.name))
}

/// Knows what is being tried, and since when.
struct Watch {
    input: Arc<Mutex<Vec<u8>>>,
    count: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    target: Target,
}

impl Watch {
    fn new(target: &Target, options: &Options) -> Self {
        let watch = Self {
            input: Arc::default(),
            count: Arc::default(),
            over: Arc::default(),
            target: *target,
        };
        let (input, count, over) = (watch.input.clone(), watch.count.clone(), watch.over.clone());
        let (target, findings) = (*target, options.findings.clone());
        thread::spawn(move || {
            let (mut last, mut since) = (0, Instant::now());
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(250));
                let now = count.load(Ordering::Relaxed);
                if now != last {
                    (last, since) = (now, Instant::now());
                } else if since.elapsed() > STUCK && !over.load(Ordering::Relaxed) {
                    let input = input.lock().unwrap_or_else(PoisonError::into_inner);
                    let path = keep(&findings, &target, &input);
                    eprintln!(
                        "{}: no end after {STUCK:?}: {}",
                        target.name,
                        path.display()
                    );
                    std::process::exit(3);
                }
            }
        });
        watch
    }

    fn begins(&self, input: &[u8], options: &Options) {
        let mut current = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        current.clear();
        current.extend_from_slice(input);
        drop(current);
        self.count.fetch_add(1, Ordering::Relaxed);
        if options.careful {
            let path = self::current(options, &self.target);
            let _ = fs::create_dir_all(&options.findings).and_then(|()| fs::write(path, input));
        }
    }

    fn ended(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options(folder: &Path, inputs: u64) -> Options {
        Options {
            inputs,
            seed: 7,
            limit: None,
            findings: folder.to_owned(),
            careful: false,
        }
    }

    fn faulty(input: &[u8]) -> u64 {
        let text = String::from_utf8_lossy(input);
        assert!(!text.contains("boom"), "it went boom: {}", input.len());
        input.iter().filter(|byte| **byte == b'o').count() as u64
    }

    const FAULTY: Target = Target {
        name: "faulty",
        about: "",
        seeds: &[b"a boat"],
        words: &[b"om", b"b"],
        run: faulty,
    };

    #[test]
    fn a_fault_is_found_kept_and_can_be_had_again() {
        let folder = tempfile::tempdir().unwrap();
        let report = run(&FAULTY, &options(folder.path(), 50_000));
        assert_eq!(report.findings.len(), 1, "{report:?}");
        let (path, why) = &report.findings[0];
        assert!(why.starts_with("it went boom"), "{why}");
        let kept = fs::read(path).unwrap();
        assert_eq!(try_one(&FAULTY, &kept).as_ref(), Err(why));
        let mut again = run(&FAULTY, &options(folder.path(), 50_000));
        again.took = report.took;
        assert_eq!(again, report, "the same seed, the same run");
    }

    #[test]
    fn what_takes_too_long_is_a_finding() {
        let slow = Target {
            run: |_| {
                thread::sleep(Duration::from_millis(30));
                0
            },
            ..FAULTY
        };
        let tried = try_within(&slow, b"x", Duration::from_millis(10));
        assert!(tried.unwrap_err().contains("took"));
    }

    #[test]
    fn careful_runs_leave_what_they_tried() {
        let folder = tempfile::tempdir().unwrap();
        let careful = Options {
            careful: true,
            ..options(folder.path(), 1)
        };
        let _ = run(&FAULTY, &careful);
        assert_eq!(fs::read(current(&careful, &FAULTY)).unwrap(), b"a boat");
    }

    #[test]
    fn names_are_there_once_and_every_seed_is_taken() {
        let all = crate::all();
        let names: HashSet<&str> = all.iter().map(|target| target.name).collect();
        assert_eq!(names.len(), all.len());
        for name in names.iter().filter(|_| cfg!(feature = "net")) {
            let file =
                Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz_targets/{name}.rs"));
            assert!(file.exists(), "libFuzzer does not know {name}");
        }
        for target in all {
            assert!(!target.seeds.is_empty(), "{}", target.name);
            for seed in target.seeds {
                let outcome = try_one(&target, seed);
                assert!(
                    outcome.is_ok(),
                    "{} {:?}: {outcome:?}",
                    target.name,
                    String::from_utf8_lossy(seed)
                );
            }
        }
    }
}
