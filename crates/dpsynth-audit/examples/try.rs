#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use dpsynth_audit::*;
fn show(audit: &Audit) {
    for c in &audit.checks {
        println!(
            "{:?} {:.3}/{:.3} {:.2}s {} | {} | {:?}",
            c.outcome,
            c.statistic,
            c.limit,
            c.seconds,
            c.name,
            c.power,
            c.bounds
                .map(|b| (b.epsilon_at_least, b.epsilon_at_least_if_gaussian))
        );
    }
    println!("total {:.2}", audit.seconds());
}
fn main() {
    let seed: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    show(&self_test_before_release(seed).unwrap());
    show(&self_test(seed).unwrap());
    for epsilon in [1.0, 3.0] {
        show(
            &mechanisms(&MechanismAudit {
                epsilon,
                mechanism: None,
                runs: 20_000,
                seed,
            })
            .unwrap(),
        );
    }
}
