//! Showing how far a release has come: a bar on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::time::Duration;

use dpsynth_train::StepProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::release::Progress;

/// Shows progress on standard error.
pub(super) struct Display {
    bar: ProgressBar,
    plain: bool,
    epsilon: String,
    tenths: u64,
}

impl Display {
    /// Starts showing; `epsilon` is what the ledger is charged before anything runs.
    pub(super) fn start(epsilon: String) -> Self {
        let plain = !std::io::stderr().is_terminal();
        let target = if plain {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        Self {
            bar,
            plain,
            epsilon,
            tenths: 0,
        }
    }

    /// Shows one event.
    pub(super) fn show(&mut self, progress: Progress) {
        match progress {
            Progress::Charged => self.stage(&format!("charged: {}", self.epsilon)),
            Progress::Refunded => self.stage(&format!(
                "handed back: {}; nothing was used of it",
                self.epsilon
            )),
            Progress::Loading => self.stage("reading the table"),
            Progress::Measuring => self.stage("measuring counts"),
            Progress::Training(step) => self.step("training", step),
            Progress::Fitting(step) => self.step("fitting", step),
            Progress::Sampling => {
                self.bar.unset_length();
                self.stage("drawing rows and enforcing rules");
            }
            Progress::Writing => self.stage("writing the release"),
        }
    }

    fn step(&mut self, doing: &str, step: StepProgress) {
        if self.bar.length() != Some(u64::from(step.steps)) {
            self.stage(doing);
            self.bar.set_length(u64::from(step.steps));
            self.bar.set_style(training_style());
        }
        self.bar.set_position(u64::from(step.taken));
        let tenths = u64::from(step.taken) * 10 / u64::from(step.steps.max(1));
        if self.plain && tenths > self.tenths {
            self.tenths = tenths;
            let left = self.bar.eta().as_secs();
            self.line(&format!(
                "{doing}: step {} of {}, about {left} s left",
                step.taken, step.steps
            ));
        }
    }

    /// Stops showing.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn stage(&self, text: &str) {
        self.bar.set_style(stage_style());
        self.bar.set_message(format!("{text}   [{}]", self.epsilon));
        self.bar.enable_steady_tick(Duration::from_millis(120));
        if self.plain {
            self.line(text);
        }
    }

    #[expect(clippy::print_stderr, reason = "progress goes to the terminal")]
    fn line(&self, text: &str) {
        eprintln!("{text}");
    }
}

fn stage_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn training_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}  {bar:30} step {pos} of {len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
