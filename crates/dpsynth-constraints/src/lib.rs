//! Says what a sensible row is, and makes a *public* (synthetic) table so: exactly as many rows as
//! were asked for, every one of them obeying every rule, or an error that says which rule stood in
//! the way.
//!
//! This crate knows tables and rules and nothing of privacy: it cannot name the type that holds
//! private records, so enforcing rules is post-processing by construction and costs no budget. It
//! reads no file, learns nothing from data (bounds, categories and allowed combinations are all
//! stated in the policy), and draws no randomness of its own.
//!
//! ```text
//!  RuleSpec ──┐                            draw(n) ──▶ rows as drawn
//!             ├─▶ Rules::compile ─▶ Rules      │
//!  Schema  ───┘   (all findings        │       ▼
//!                  at once)            │   construct ─▶ repair ─▶ check ─┬─▶ exactly `rows` rows
//!                                      │       ▲                         │
//!                                      └───────┴──── redraw, bounded ◀───┘
//! ```
//!
//! # When a row obeys
//!
//! As in an SQL `CHECK`, a row *breaks* a rule when the rule is false for it; a rule that is true
//! or unknown is obeyed. A missing value makes a comparison unknown, so a rule is silent about rows
//! whose values it needs are missing. A rule that must speak of missing values says so: `diagnosis
//! IS NOT NULL`.
//!
//! # Example
//!
//! ```
//! use dpsynth_constraints::{Limits, RuleKind, RuleSpec, Rules};
//! use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain, Schema};
//! use polars::df;
//!
//! let schema = Schema::new(vec![Column {
//!     name: "age".into(),
//!     domain: Domain::Integer { min: 0, max: 120, cells: Cells::Each },
//!     missing: Missing::Refused,
//!     out_of_domain: OutOfDomain::Stop,
//!     missing_tokens: vec![],
//!     after: None,
//! }])
//! .expect("the schema is complete");
//! let adults = RuleSpec {
//!     name: "adults only".into(),
//!     kind: RuleKind::Sql { expression: "age >= 18".into() },
//!     enforcement: None,
//! };
//! let rules = Rules::compile(vec![adults], &schema).expect("the rule fits the schema");
//!
//! let mut next = 0_i64;
//! let mut draw = |rows: usize| {
//!     let ages: Vec<i64> = (0..rows).map(|_| { next = (next + 7) % 121; next }).collect();
//!     df!("age" => ages).expect("one column")
//! };
//! let (table, outcomes) = rules
//!     .enforce(50, &mut draw, &mut || 0.5, Limits::default())
//!     .expect("enough rows obey");
//! assert_eq!(table.height(), 50);
//! assert!(outcomes[0].redrawn > 0);
//! assert!(rules.check(&table).expect("the table fits the schema").is_empty());
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`RuleSpec`], [`RuleKind`], [`Enforcement`] | a rule as the policy writes it |
//! | [`Rules`] | rules that fit a schema and do not contradict each other |
//! | [`Interaction`] | a repair that changes what another rule looks at |
//! | [`Violation`], [`RuleOutcome`] | what checking and enforcing found |
//! | [`Condition`] | which rows someone asks for, in the language of rules |
//! | [`Limits`] | how long redrawing may go on |
//! | [`RuleError`], [`RuleProblem`], [`RulePlace`] | what is wrong, and where |

mod columns;
mod combinations;
mod compile;
mod condition;
mod derived;
mod enforce;
mod error;
mod expression;
mod extent;
mod increments;
mod interaction;
mod nulls;
mod one_hot;
mod outcome;
mod repair;
mod rules;
mod scales;
mod spec;
mod trade;
mod unique;

pub use condition::Condition;
pub use enforce::Enforcing;
pub use error::{RuleError, RuleField, RulePlace, RuleProblem};
pub use interaction::Interaction;
pub use outcome::{Limits, RuleOutcome, Violation};
pub use rules::Rules;
pub use spec::{Enforcement, RuleKind, RuleSpec, Scale, Strictness};
