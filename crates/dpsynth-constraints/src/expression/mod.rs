//! One SQL expression of a rule: screened, then compiled by polars, then checked against the
//! columns' types.
//!
//! Polars' own SQL goes far beyond expressions over one row: its subqueries read files, its
//! aggregates look at other rows, and some of its functions panic on odd arguments. So the text is
//! parsed once by the very parser that polars uses, and every node of the tree must be of a kind
//! that [`screen`] knows. Only then does polars see it.

mod arithmetic;
mod complexity;
mod literal;
mod position;
mod screen;
mod types;
mod vocabulary;

use std::collections::BTreeSet;
use std::ops::Range;

use polars::prelude::DataType;
use polars::sql::sql_expr;
use polars_lazy::prelude::{Expr, IntoLazy};
use sqlparser::ast::{BinaryOperator, Expr as SqlExpr};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserOptions};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use self::position::Positions;
use self::screen::Screen;
use crate::columns::{Cell, Columns};
use crate::error::RuleProblem;

/// An expression that polars can evaluate row by row.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) plan: Expr,
    /// The columns that the expression names.
    pub(crate) columns: BTreeSet<String>,
    /// The type of its value.
    pub(crate) dtype: DataType,
    /// What it says, where it is of the form `column = literal` or `column IS NULL`.
    pub(crate) assignment: Option<Assignment>,
}

/// A value for a column that makes an expression true.
#[derive(Clone, Debug)]
pub(crate) struct Assignment {
    pub(crate) column: String,
    /// `None` stands for a missing value.
    pub(crate) cell: Option<Cell>,
}

/// A problem and the part of the expression's text that it is about; `None` stands for all of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) span: Option<Range<usize>>,
    pub(crate) problem: RuleProblem,
}

impl Expression {
    /// Compiles an expression over the columns; all findings at once.
    pub(crate) fn compile(text: &str, columns: &Columns) -> Result<Self, Vec<Finding>> {
        let screened = screen(text, columns)?;
        let refused = |error: polars::error::PolarsError| {
            vec![Finding {
                span: None,
                problem: RuleProblem::Types {
                    detail: one_line(&error),
                },
            }]
        };
        let plan = sql_expr(&screened.text)
            .map_err(refused)?
            .map_expr(types::widened);
        if let Some(detail) = types::misfit(&plan, columns.empty_frame().schema()) {
            return Err(vec![Finding {
                span: None,
                problem: RuleProblem::Types { detail },
            }]);
        }
        let plan = plan.map_expr(|node| arithmetic::checked(node, columns.empty_frame().schema()));
        // With no rows there is nothing but types left to fail on.
        let value = columns
            .empty_frame()
            .lazy()
            .select([plan.clone().alias("value")])
            .collect()
            .map_err(refused)?;
        Ok(Self {
            plan,
            columns: screened.columns,
            dtype: value.columns()[0].dtype().clone(),
            assignment: screened.assignment,
        })
    }

    /// Compiles an expression that must be true, false or unknown.
    pub(crate) fn compile_condition(text: &str, columns: &Columns) -> Result<Self, Vec<Finding>> {
        let expression = Self::compile(text, columns)?;
        if expression.dtype == DataType::Boolean {
            return Ok(expression);
        }
        Err(vec![Finding {
            span: None,
            problem: RuleProblem::NotBoolean {
                found: types::in_words(&expression.dtype).to_owned(),
            },
        }])
    }
}

/// What is left of an expression once every part of it is known to be harmless.
struct Screened {
    text: String,
    columns: BTreeSet<String>,
    assignment: Option<Assignment>,
}

fn screen(text: &str, columns: &Columns) -> Result<Screened, Vec<Finding>> {
    let whole = |problem| {
        vec![Finding {
            span: None,
            problem,
        }]
    };
    if text.len() > MAX_BYTES {
        return Err(whole(RuleProblem::TooLong { limit: MAX_BYTES }));
    }
    let positions = Positions::new(text);
    let tokens = Tokenizer::new(&GenericDialect, text)
        .tokenize_with_location()
        .map_err(|error| {
            vec![Finding {
                span: Some(positions.from(error.location)),
                problem: RuleProblem::Syntax {
                    detail: error.message,
                },
            }]
        })?;
    complexity::check(&tokens, &positions)?;
    let sql = parse(tokens, &positions)?;

    let mut screen = Screen::new(columns, &positions);
    let shape = screen.visit(&sql);
    let mut findings = screen.findings;
    if findings.is_empty() && screen.columns.is_empty() {
        findings = whole(RuleProblem::NoColumn);
    }
    if findings.is_empty() && (shape.size > MAX_SIZE || shape.depth > MAX_DEPTH) {
        findings = whole(RuleProblem::TooComplex);
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    // From the back, so that each insertion leaves the earlier positions alone.
    let mut text = text.to_owned();
    screen
        .reworded
        .sort_unstable_by_key(|literal| literal.place.start);
    for literal in screen.reworded.iter().rev() {
        let [before, after] = literal.wrapping;
        text.insert_str(literal.place.end, after);
        text.insert_str(literal.place.start, before);
    }
    Ok(Screened {
        text,
        columns: screen.columns,
        assignment: literal::assignment(&sql, columns),
    })
}

/// Parses with the options that polars sets, so that both see the same tree.
fn parse(tokens: Vec<TokenWithSpan>, positions: &Positions) -> Result<SqlExpr, Vec<Finding>> {
    let syntax = |span, detail| {
        vec![Finding {
            span,
            problem: RuleProblem::Syntax { detail },
        }]
    };
    let options = ParserOptions {
        trailing_commas: true,
        ..ParserOptions::default()
    };
    let mut parser = Parser::new(&GenericDialect)
        .with_options(options)
        .with_tokens_with_locations(tokens);
    let sql = parser.parse_expr().map_err(|error| {
        let message = error.to_string();
        let detail = message.split(" at Line").next().unwrap_or_default();
        let detail = detail.strip_prefix("sql parser error: ").unwrap_or(detail);
        // The parser's place of failure is the token that it looks at.
        let span = parser.peek_token_ref().span;
        syntax(positions.between(span), detail.to_owned())
    })?;
    let next = parser.peek_token_ref();
    if next.token != Token::EOF {
        return Err(syntax(
            positions.between(next.span),
            format!("found `{}` after its end", next.token),
        ));
    }
    Ok(sql)
}

/// Parts a condition that compiles at the `AND`s that join it.
pub(crate) fn conjuncts(text: &str) -> Vec<String> {
    fn part(sql: &SqlExpr, parts: &mut Vec<String>) {
        match sql {
            SqlExpr::Nested(inner) => part(inner, parts),
            SqlExpr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                part(left, parts);
                part(right, parts);
            }
            sql => parts.push(sql.to_string()),
        }
    }
    let mut parts = Vec::new();
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location();
    match tokens.map(|tokens| parse(tokens, &Positions::new(text))) {
        Ok(Ok(sql)) => part(&sql, &mut parts),
        // It compiled before, so this does not happen; whole it is judged all the same.
        _ => parts.push(text.to_owned()),
    }
    parts
}

/// Returns the numbers and texts that an expression names.
pub(crate) fn literals(text: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize();
    let literal = |token| match token {
        Token::Number(number, _) => Some(number),
        Token::SingleQuotedString(text) => Some(text),
        _ => None,
    };
    tokens
        .unwrap_or_default()
        .into_iter()
        .filter_map(literal)
        .collect()
}

/// Returns the first line of an error of polars; the rest shows its query plan.
fn one_line(error: &polars::error::PolarsError) -> String {
    const LONGEST: usize = 160;
    let text = error.to_string();
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(LONGEST)
        .collect()
}

/// The longest expression, in bytes.
const MAX_BYTES: usize = 4_096;

const INTERVAL_FORM: &str = "an interval other than one such as `INTERVAL '3 days'`";

/// The most nodes of the compiled expression on the longest way down. Polars recurses, and its
/// worker threads have small stacks.
const MAX_DEPTH: u64 = 24;

/// The most nodes of the compiled expression, in which some operands occur twice.
const MAX_SIZE: u64 = 4_000;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
