//! Processes that are killed while they charge a ledger, and several that charge it at once.
//!
//! The children are this test program again, told by an environment variable what to do. They
//! say on a pipe that a charge is theirs before they would use it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dpsynth_privacy::ledger::{
    ChargeRequest, CheckpointState, Digest, KeyState, Ledger, LedgerError, LedgerTerms, audit,
};
use dpsynth_privacy::{
    Adjacency, Delta, Epsilon, Mechanism, NoiseMultiplier, PrivacyUnit, UnitCount,
};

const KILLS: usize = 500;
/// Of these, so many parts at once.
const PARTS: usize = 4;
/// A ledger is made anew after so many kills, so that its making is interrupted as well.
const KILLS_OF_ONE_LEDGER: usize = 10;

#[test]
fn no_charge_that_was_acknowledged_is_lost_by_500_kills() {
    let pace = pace();
    // Each part has ledgers of its own. A child mostly waits for the disk, so there are several.
    let parts: Vec<Tally> = thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS)
            .map(|part| scope.spawn(move || kill(part as u64, KILLS / PARTS, pace)))
            .collect();
        parts.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let sum = |of: fn(&Tally) -> usize| parts.iter().map(of).sum::<usize>();
    assert_eq!(sum(|tally| tally.kills), KILLS);
    // The kills hit what they are meant to hit: processes that had charged, and were charging.
    assert!(sum(|tally| tally.acknowledged) > KILLS / 2);
    assert!(
        sum(|tally| tally.unacknowledged) > 0,
        "no kill hit a charge"
    );
}

/// The negative control: a process that says so before the charge is on disk is found out.
#[test]
fn a_charge_that_is_acknowledged_too_early_is_found() {
    let pace = pace();
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.ledger.jsonl");
    let lost = (0..40).any(|_| {
        let (mut child, mut out) = start(&ledger, "early");
        let mut acknowledged = read_lines(&mut out, 1);
        thread::sleep(pace.charge / 4);
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged += read_lines(&mut out, usize::MAX);
        let charges = audit(&ledger).map_or(0, |found| found.summary.charges.len());
        let before = charges_before(folder.path());
        std::fs::write(folder.path().join("charges"), charges.to_string()).unwrap();
        charges < before + acknowledged
    });
    assert!(lost, "no kill fell between the word and the deed");
}

fn charges_before(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("charges")).map_or(0, |text| text.parse().unwrap())
}

#[test]
fn processes_that_charge_at_once_lose_nothing_and_never_exceed_the_cap() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("demo.ledger.jsonl");
    let children: Vec<_> = (0..5).map(|_| start(&ledger, "greedy")).collect();
    let mut acknowledged = 0;
    for (mut child, mut out) in children {
        acknowledged += read_lines(&mut out, usize::MAX);
        assert!(child.wait().unwrap().success());
    }
    // The cap has room for twenty of them, and every process asks until it is refused.
    assert_eq!(acknowledged, 20);
    let found = audit(&ledger).unwrap();
    assert_eq!(found.summary.charges.len(), 20);
    assert_eq!(found.summary.remaining_delta, 0.0);
    assert_eq!(found.checkpoint.unwrap(), CheckpointState::Behind(0));
}

/// What a child does; without the variable it is an empty test.
#[test]
fn child() {
    let Some(task) = std::env::var_os("DPSYNTH_LEDGER_CHILD") else {
        return;
    };
    let path = PathBuf::from(std::env::var_os("DPSYNTH_LEDGER_PATH").unwrap());
    let cap = if task == "greedy" { 20e-9 } else { 1e-3 };
    let mut ledger = Ledger::open(&path, &terms(cap)).unwrap();
    loop {
        if task == "early" {
            say();
        }
        match ledger.reserve(request()) {
            Ok(_) if task != "early" => say(),
            Ok(_) => {}
            Err(LedgerError::OverCap { .. }) if task == "greedy" => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// One line, in one write, so that a kill leaves all of it or nothing.
fn say() {
    let mut out = std::io::stdout().lock();
    out.write_all(b"\ncharged\n").unwrap();
    out.flush().unwrap();
}

/// What a number of kills came upon.
#[derive(Default)]
struct Tally {
    kills: usize,
    acknowledged: usize,
    /// Charges that were on disk, and whose process had not yet said so.
    unacknowledged: usize,
}

fn kill(part: u64, kills: usize, pace: Pace) -> Tally {
    let mut random = Random(0x5eed + part);
    let mut tally = Tally::default();
    while tally.kills < kills {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("demo.ledger.jsonl");
        let (mut acknowledged, mut on_disk) = (0, 0);
        for _ in 0..KILLS_OF_ONE_LEDGER.min(kills - tally.kills) {
            let said = run_and_kill(&ledger, &mut random, pace);
            acknowledged += said;
            let charges = check(&ledger, acknowledged);
            tally.kills += 1;
            tally.acknowledged += usize::from(said > 0);
            tally.unacknowledged += charges - on_disk - said;
            // What was on disk and not said counts from now on as well.
            (acknowledged, on_disk) = (charges, charges);
        }
        // It is not left locked or torn: the next charge goes through.
        let mut reopened = Ledger::open(&ledger, &terms(1e-3)).unwrap();
        let _ = reopened.reserve(request()).unwrap();
        assert_eq!(check(&ledger, acknowledged + 1), acknowledged + 1);
    }
    tally
}

/// Starts a child, kills it at a random moment, and returns how many charges it called its own.
fn run_and_kill(ledger: &Path, random: &mut Random, pace: Pace) -> usize {
    let (mut child, mut out) = start(ledger, "loop");
    let mut said = 0;
    if random.below(5) == 0 {
        // Anywhere from the start of the process on: opening, repairing, making the key.
        thread::sleep(pace.start.mul_f64(random.unit() * 1.2));
    } else {
        said += read_lines(&mut out, random.below(3));
        thread::sleep(pace.charge.mul_f64(random.unit() * 1.5));
    }
    // On this platform a kill is SIGKILL, which no handler sees.
    child.kill().unwrap();
    child.wait().unwrap();
    said + read_lines(&mut out, usize::MAX)
}

/// Checks a ledger whose process was killed, and returns how many charges it holds.
#[track_caller]
fn check(ledger: &Path, acknowledged: usize) -> usize {
    let found = match audit(ledger) {
        Ok(found) => found,
        // Before its first line there is no ledger, and nothing can have been charged.
        Err(_) if acknowledged == 0 => {
            let bytes = std::fs::read(ledger).unwrap_or_default();
            assert!(!bytes.contains(&b'\n'), "a line that cannot be read");
            return 0;
        }
        Err(error) => panic!("after {acknowledged} charges: {error}"),
    };
    let summary = &found.summary;
    let charges = summary.charges.len();
    assert!(charges >= acknowledged, "{charges} of {acknowledged}");
    // In decimals, as the ledger adds.
    let delta: f64 = format!("{acknowledged}e-9").parse().unwrap();
    assert!(summary.spent_delta >= delta);
    let one = summary
        .charges
        .first()
        .map_or(0.0, |line| line.epsilon_spent);
    assert!(summary.spent_epsilon >= acknowledged as f64 * one * (1.0 - 1e-12));
    match found.checkpoint {
        Ok(CheckpointState::Behind(lines)) => assert!(lines <= 1),
        Ok(CheckpointState::Absent) => assert_eq!(charges, 0),
        Err(error) => panic!("{error}"),
    }
    assert_eq!(found.key, KeyState::Own);
    charges
}

/// How long a child takes on this machine.
#[derive(Clone, Copy)]
struct Pace {
    /// Until its first charge.
    start: Duration,
    /// From one charge to the next.
    charge: Duration,
}

fn pace() -> Pace {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let (mut child, mut out) = start(&folder.path().join("demo.ledger.jsonl"), "loop");
    read_lines(&mut out, 1);
    let start = started.elapsed();
    read_lines(&mut out, 4);
    let charge = (started.elapsed() - start) / 4;
    child.kill().unwrap();
    child.wait().unwrap();
    Pace { start, charge }
}

fn start(ledger: &Path, task: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env("DPSYNTH_LEDGER_CHILD", task)
        .env("DPSYNTH_LEDGER_PATH", ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

/// Reads until so many charges were said or the child is gone, and returns how many were.
fn read_lines(out: &mut BufReader<ChildStdout>, wanted: usize) -> usize {
    let mut said = 0;
    let mut line = String::new();
    while said < wanted && out.read_line(&mut line).unwrap() > 0 {
        said += usize::from(line == "charged\n");
        line.clear();
    }
    said
}

fn terms(delta_for_life: f64) -> LedgerTerms {
    LedgerTerms {
        dataset: "demo".to_owned(),
        unit: PrivacyUnit::Row,
        adjacency: Adjacency::AddOrRemoveOne,
        lifetime_epsilon: Epsilon::new(1e5).unwrap(),
        lifetime_delta: Delta::new(delta_for_life).unwrap(),
    }
}

fn request() -> ChargeRequest {
    let noise_multiplier = NoiseMultiplier::new(20.0).unwrap();
    ChargeRequest {
        purpose: "release".to_owned(),
        policy_sha256: Digest::of(b"version = 1"),
        mechanisms: vec![Mechanism::UnitCount(UnitCount { noise_multiplier })],
        epsilon: Epsilon::new(1.0).unwrap(),
        delta: Delta::new(1e-9).unwrap(),
    }
}

/// SplitMix64 (Steele, Lea & Flood 2014): moments need no better.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word ^ (word >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}
