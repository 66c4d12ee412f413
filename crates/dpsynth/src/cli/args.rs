//! What the command line understands.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dpsynth_privacy::ledger::PublicKey;

/// Differentially private synthetic tables, with a privacy budget report that an auditor can recompute.
#[derive(Debug, Parser)]
#[command(
    name = "dpsynth",
    version,
    about,
    arg_required_else_help = true,
    after_help = "\
A first release:
  1. dpsynth init data.csv --out dpsynth.toml   draft a policy, then state bounds and categories in it
  2. dpsynth plan --epsilon 3                   see what would be spent; touches no data
  3. dpsynth release --epsilon 3 --out release  make the folder that may be published
  4. dpsynth verify release                     recompute everything that can be recomputed

Exit codes: 0 done; 1 refused by the policy or the budget; 2 the input is wrong; 3 a defect of dpsynth; \
4 a verification failed."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Draft a policy from a table's header, or from a description of it; what is not known is left for
    /// the owner to state
    Init(Init),
    /// Show what a release would spend, and on what; touches no data
    Plan(Plan),
    /// Make a release: a synthetic table, its model, and the privacy budget report
    Release(Release),
    /// Draw more rows from a released model; costs nothing and needs no data
    Sample(Sample),
    /// Show what a released model's latents are about; costs nothing and needs no data
    Inspect(Inspect),
    /// Recompute everything in a release that can be recomputed
    Verify(Verify),
    /// Compare a release with the real table, for the custodian's own screen only
    Evaluate(Evaluate),
    /// Write the report of a release in another form
    Report(ReportForm),
    /// Attack the program's own claim, or a release: known answers, neighbours, canaries
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Look into the ledger of a data set
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Explain a diagnostic, such as DPS4003
    Explain(Explain),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages of all commands
    Man {
        /// Folder to write them to; it is made if it does not exist
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The table whose header is read; no other part of it is looked at
    #[arg(required_unless_present = "from")]
    pub(super) data: Option<PathBuf>,
    /// A description of the table: SDV metadata (JSON), SmartNoise metadata (YAML) or a schema file (JSON)
    #[arg(long, value_name = "FILE")]
    pub(super) from: Option<PathBuf>,
    /// The table, where that file describes several
    #[arg(long, value_name = "NAME", requires = "from")]
    pub(super) table: Option<String>,
    /// File to write the draft to; without it, it is printed
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Character between the cells of a CSV file; `,` where the description says nothing else
    #[arg(long, value_name = "CHAR")]
    pub(super) delimiter: Option<char>,
}

/// What policy and flags ask for.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The policy
    #[arg(long, default_value = "dpsynth.toml", value_name = "FILE")]
    pub(super) policy: PathBuf,
    /// Largest ε of this release; at most what the policy allows, which is also the default
    #[arg(long, value_name = "E", allow_negative_numbers = true)]
    pub(super) epsilon: Option<f64>,
    /// δ of this release; at most what the policy allows, which is also the default
    #[arg(long, value_name = "D", allow_negative_numbers = true)]
    pub(super) delta: Option<f64>,
    /// What generates the rows; the policy's engine by default
    #[arg(long, value_enum)]
    pub(super) engine: Option<EngineName>,
    /// Rows to deliver; the policy's figure by default
    #[arg(long, value_name = "N")]
    pub(super) rows: Option<u64>,
    /// Format of the synthetic table; that of the input by default, not compressed
    #[arg(long, value_enum)]
    pub(super) format: Option<FormatName>,
    /// Seed of everything that is post-processing (it is printed in the report); drawn at random by default
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Ledger of the data set; the policy's by default
    #[arg(long, value_name = "FILE")]
    pub(super) ledger: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Release {
    /// The table: CSV (plain, gzip or Zstandard), Parquet or Arrow, or `-` for standard input; the policy's `file`
    /// by default
    pub(super) data: Option<PathBuf>,
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Folder to make; it must not exist
    #[arg(long, default_value = "release", value_name = "DIR")]
    pub(super) out: PathBuf,
    /// What computes the training steps of the engine `vae`; the price is the same
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub(super) device: DeviceName,
    /// Print the report as JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
    /// Add no noise and charge nothing, to see what privacy costs; the result must not be published
    #[arg(long, hide = true)]
    pub(super) insecure_no_privacy: bool,
}

#[derive(Debug, Args)]
pub(super) struct Sample {
    /// A released model
    pub(super) model: PathBuf,
    /// Rows to draw
    #[arg(long, value_name = "N")]
    pub(super) rows: u64,
    /// Draw only rows that meet this condition, such as "income = '>50K' AND age < 30"
    #[arg(long = "where", value_name = "SQL")]
    pub(super) condition: Option<String>,
    /// File to write: `.csv`, `.csv.gz`, `.csv.zst`, `.parquet` or `.arrow`, which must not exist; or `-` for CSV on
    /// standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub(super) out: PathBuf,
    /// Seed of the draws; drawn at random by default
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// A released model
    pub(super) model: PathBuf,
    /// Axes to show at most
    #[arg(long, default_value_t = 5, value_name = "N")]
    pub(super) axes: usize,
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Folder of a release
    pub(super) folder: PathBuf,
    /// Ledger that the release was charged to; without it, that part is not checked
    #[arg(long, value_name = "FILE")]
    pub(super) ledger: Option<PathBuf>,
    /// Public key that must have signed the release: 64 hexadecimal digits, as the custodian published them
    #[arg(long, value_name = "HEX", value_parser = public_key)]
    pub(super) key: Option<PublicKey>,
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// Folder of a release
    pub(super) folder: PathBuf,
    /// The real table that the release was made from
    #[arg(long, value_name = "REAL")]
    pub(super) against: PathBuf,
    /// Real rows that the release was not made from; without them, half of the real rows are set aside
    #[arg(long, value_name = "FILE")]
    pub(super) holdout: Option<PathBuf>,
    /// Column that learners predict; the policy's target by default
    #[arg(long, value_name = "COLUMN")]
    pub(super) target: Option<String>,
    /// Pay for figures with noise instead, which may be published: ε that they may spend
    #[arg(
        long,
        value_name = "E",
        allow_negative_numbers = true,
        conflicts_with = "holdout"
    )]
    pub(super) epsilon: Option<f64>,
    /// δ of paid figures; at most what the policy allows, which is also the default
    #[arg(
        long,
        value_name = "D",
        allow_negative_numbers = true,
        requires = "epsilon"
    )]
    pub(super) delta: Option<f64>,
    /// The policy whose ledger pays, if not `--ledger`
    #[arg(
        long,
        default_value = "dpsynth.toml",
        value_name = "FILE",
        requires = "epsilon"
    )]
    pub(super) policy: PathBuf,
    /// Ledger that pays; that of the policy by default
    #[arg(long, value_name = "FILE", requires = "epsilon")]
    pub(super) ledger: Option<PathBuf>,
    /// Folder to make, outside of every release; `evaluation` by default
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportForm {
    /// Folder of a release
    pub(super) folder: PathBuf,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = ReportFormat::Md)]
    pub(super) format: ReportFormat,
    /// File to write; without it, the report is printed
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

/// Forms of a report by the names that flags use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// One page that needs nothing else
    Html,
    /// As it lies in the release
    Json,
    /// Markdown
    Md,
    /// An entry for OpenDP's registry of deployments, to be completed by hand
    Registry,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Accountants, noise, sampler, ledger and generator against known answers; takes seconds
    #[command(name = "self")]
    SelfTest {
        #[command(flatten)]
        shown: Shown,
    },
    /// Run mechanisms on worst-case neighbours and bound from below what they give away
    Mechanism {
        /// What each mechanism is made to cost
        #[arg(
            long,
            default_value_t = 1.0,
            value_name = "E",
            allow_negative_numbers = true
        )]
        epsilon: f64,
        /// One mechanism; all by default
        #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(dpsynth_audit::probes::MECHANISMS))]
        mechanism: Option<String>,
        /// Runs on either of the two data sets; slow mechanisms take a part of them
        #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1000..=100_000_000))]
        runs: u32,
        #[command(flatten)]
        shown: Shown,
    },
    /// Train or measure once on a stand-in table of the policy's schema, with canaries, and guess which
    Training(TrainingAudit),
    /// Attack a released table: singling out, linkability, inference, membership, against a control
    Release(ReleaseAudit),
}

/// What `dpsynth audit training` is asked.
#[derive(Debug, Args)]
pub(super) struct TrainingAudit {
    #[command(flatten)]
    pub(super) asked: Asked,
    /// Canaries, each in the data or not by the toss of a coin
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=20_000))]
    pub(super) canaries: u16,
    #[command(flatten)]
    pub(super) shown: Shown,
}

/// What `dpsynth audit release` is asked.
#[derive(Debug, Args)]
pub(super) struct ReleaseAudit {
    /// Folder of the release
    pub(super) folder: PathBuf,
    /// The table that the release was made from
    #[arg(long, value_name = "FILE")]
    pub(super) against: PathBuf,
    /// Records of the same population that the release was not made from
    #[arg(long, value_name = "FILE")]
    pub(super) control: PathBuf,
    /// Records of people who ask whether the release shows that they took part
    #[arg(long, value_name = "FILE")]
    pub(super) canary: Option<PathBuf>,
    /// Most attacks of each kind
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub(super) attacks: u32,
    /// Seed of the choice of records; drawn at random by default
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) shown: Shown,
}

/// How a result is shown.
#[derive(Debug, Args)]
pub(super) struct Shown {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
    /// Show what has been spent on a data set, and what remains
    Show {
        /// The ledger; that of the policy by default
        ledger: Option<PathBuf>,
        /// The policy that names the ledger
        #[arg(long, default_value = "dpsynth.toml", value_name = "FILE")]
        policy: PathBuf,
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Check every line, signature, price and sum of a ledger, and the releases charged to it
    Verify {
        /// The ledger; that of the policy by default
        ledger: Option<PathBuf>,
        /// The policy that names the ledger
        #[arg(long, default_value = "dpsynth.toml", value_name = "FILE")]
        policy: PathBuf,
        /// Folder of a release that must be in the ledger; may be given several times
        #[arg(long, value_name = "DIR")]
        release: Vec<PathBuf>,
        /// Print JSON, for programs
        #[arg(long)]
        json: bool,
    },
    /// Vouch for a ledger as it stands: sign one from before signatures, or replace a lost checkpoint
    Adopt {
        /// The ledger; that of the policy by default
        ledger: Option<PathBuf>,
        /// The policy that names the ledger
        #[arg(long, default_value = "dpsynth.toml", value_name = "FILE")]
        policy: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Code of the diagnostic, such as DPS4003
    pub(super) code: String,
}

/// Reads a public key.
fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_hex(text).ok_or_else(|| "write 64 lower-case hexadecimal digits".to_owned())
}

/// Engines by the names that flags use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineName {
    /// A decoder fitted to noisy marginals
    Decoder,
    /// A graphical model fitted to noisy marginals on a junction tree
    Marginals,
    /// A Gaussian copula fitted to noisy margins and correlations
    Copula,
    /// A variational autoencoder trained by DP-SGD
    Vae,
}

/// What computes training steps, by the names that flags use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DeviceName {
    /// This machine's own processor
    Cpu,
    /// The first graphics processor by NVIDIA, in a build with the feature `cuda`
    Cuda,
}

/// Formats by the names that flags use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatName {
    /// Comma-separated text
    Csv,
    /// The same, compressed by gzip
    #[value(name = "csv.gz")]
    CsvGz,
    /// The same, compressed by Zstandard
    #[value(name = "csv.zst")]
    CsvZst,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC file (Feather)
    Arrow,
}
